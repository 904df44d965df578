"""Import of packages that only the benchmarks need."""

import importlib
from types import ModuleType


def require(module: str) -> ModuleType:
    """Import a module of the `bench` extra, or say how to install it.

    Args:
        module: dotted name, e.g. `"sklearn.datasets"`.

    Returns:
        The module.

    Raises:
        ImportError: if the package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"`{module}` must be importable for this benchmark, but: {error}. "
            'Run `pip install "jaxhop[bench]"`.'
        ) from error
