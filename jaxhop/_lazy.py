"""Names of a package that are imported when they are first asked for.

A worker process that runs an objective needs a few of them and not JAX, which takes a second to
import.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy(
    package: str, places: Mapping[str, tuple[str, str | None]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """What a package defines as `__getattr__` and `__dir__`.

    Args:
        package: its name.
        places: for each public name the module, and the name in it; None for the module itself.

    Returns:
        The two functions.
    """
    scope = vars(sys.modules[package])

    def named(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, attribute = places[name]
        value: Any = importlib.import_module(module)
        value = value if attribute is None else getattr(value, attribute)
        scope[name] = value
        return value

    def listed() -> list[str]:
        return sorted({*scope, *places})

    return named, listed
