"""What all tests share: programs that are equal are compiled once, and nobody is told of it."""

import os
import socket
import tempfile
from collections.abc import Iterator
from typing import Any

import jax
import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Keeps compiled programs while the tests run, and no longer; libraries report nothing."""
    os.environ["DO_NOT_TRACK"] = "true"
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


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For tests of libraries that might connect to somebody: that fails them."""
    connect, refused = socket.socket.connect, []

    def near(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in ("localhost", "127.0.0.1", "::1"):
            refused.append(address)
            raise ConnectionRefusedError(f"{address} is elsewhere")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", near)
    yield
    assert not refused
