"""What all tests share: programs that are equal are compiled once."""

import tempfile
from collections.abc import Iterator

import jax
import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Keeps compiled programs while the tests run, and no longer."""
    directory = tempfile.TemporaryDirectory()
    config.add_cleanup(directory.cleanup)
    jax.config.update("jax_compilation_cache_dir", directory.name)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)


@pytest.fixture
def quick_compilation() -> Iterator[None]:
    """For tests of which compilation takes nearly all the time."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
