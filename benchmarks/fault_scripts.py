"""The searches that `benchmarks.faults` kills.

Each says that it has begun by making a file, and what it found in another one.
"""

import json
import math
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxhop
from jaxhop import search
from jaxhop.storage import to_plain

COLUMNS = ("evaluation", "value", "phase", "step", "accepted", "status")
"""Columns of the history that must be equal."""

CALLS = "JAXHOP_FAULT_CALLS"
"""Environment variable that names a file to which Python objectives add a byte a call."""


class Kind(NamedTuple):
    """A search.

    Attributes:
        fn: its objective.
        space: its space.
        evaluations: how many it makes.
        arguments: of `jaxhop.search`, beside these.
        in_flight: how many calls a kill may cause to be made again; None for compiled objectives.
        exact: whether its candidates do not depend on chance.
    """

    fn: Callable[[Any], Any]
    space: Any
    evaluations: int
    arguments: dict[str, Any]
    in_flight: int | None = 1
    exact: bool = True


def compiled(params: dict[str, Any]) -> Any:
    """A JAX function of some microseconds."""
    start = params["x"] * params["gain"]
    end = jax.lax.fori_loop(0, 300, lambda _, x: jnp.sin(x) + 0.3 * params["x"], start)
    return jnp.sum((end - 0.2) ** 2) + 0.01 * (params["n"] - 5) ** 2


def called(params: dict[str, Any]) -> float:
    """A Python function of 4 milliseconds."""
    time.sleep(0.004)
    return _value(params)


def quick(params: dict[str, Any]) -> float:
    """A Python function of 1 millisecond."""
    time.sleep(0.001)
    return _value(params)


def slow(params: dict[str, Any]) -> float:
    """A Python function of 30 milliseconds."""
    time.sleep(0.03)
    return _value(params)


def trained(params: dict[str, Any]) -> float:
    """A Python function whose cost and error follow its fidelity."""
    time.sleep(0.001 * params["epochs"])
    return _value(params) + 1 / params["epochs"]


def _value(params: dict[str, Any]) -> float:
    if path := os.environ.get(CALLS):
        with open(path, "ab") as file:
            file.write(b".")
    x, y = params["x"], params["y"]
    wide = {"relu": 0.0, "tanh": 0.1, "gelu": 0.05}[params["activation"]]
    return (x - 0.3) ** 2 + math.sin(5 * y) + wide + 0.02 * (params["n"] - 6) ** 2


_NUMBERS = {"x": jaxhop.float(-1, 1), "y": jaxhop.float(-2, 2), "n": jaxhop.int(1, 12)}
_SPACE = _NUMBERS | {"activation": jaxhop.choice("relu", "tanh", "gelu")}
_WIDE = {
    "x": jaxhop.float(-1, 1, shape=(4,)),
    "n": jaxhop.int(1, 8),
    "gain": jaxhop.choice([0.5, 1.0, 2.0]),
}
KINDS = {
    "jax": Kind(compiled, _WIDE, 400_000, {}, in_flight=None),
    "python": Kind(called, _SPACE, 700, {"surrogate": False}),
    "model": Kind(slow, _SPACE, 40, {"surrogate": True}),
    "rounds": Kind(called, _SPACE, 700, {"population": 16}),
    "rungs": Kind(trained, _SPACE | {"epochs": jaxhop.fidelity(1, 27)}, 300, {}),
    "jobs": Kind(slow, _SPACE, 150, {"n_jobs": 2}, in_flight=2, exact=False),
    "shared": Kind(quick, _SPACE, 2_000, {"surrogate": False}, exact=False),
}


class _Begun:
    """Says when a search begins."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_start(self, info: Any) -> None:
        """Makes the file."""
        del info
        self._path.touch()


def run(
    kind: str, seed: int, evaluations: int, work: Path, name: str, directory: Path | None
) -> None:
    """Searches, and writes down what was found; to be run in a process of its own.

    Args:
        kind: which search.
        seed: of it.
        evaluations: how many in all.
        work: where files with the name of the process go.
        name: of the process.
        directory: the run directory, or None.
    """
    with open(work / f"{name}.errors", "w", encoding="utf-8") as errors:
        os.dup2(errors.fileno(), 2)
    warnings.simplefilter("error")
    os.environ[CALLS] = str(work / "calls")
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_compilation_cache_dir", str(work.parent / "cache"))
    # Who may be killed while writing to the cache only reads it.
    seconds = 0.0 if directory is None else 1e9
    jax.config.update("jax_persistent_cache_min_compile_time_secs", seconds)
    chosen = KINDS[kind]
    result = search(
        chosen.fn,
        chosen.space,
        evaluations=evaluations,
        seed=seed,
        dir=directory,
        callbacks=[_Begun(work / f"{name}.begun")],
        progress=False,
        backend="python" if chosen.in_flight else "jax",
        **chosen.arguments,
    )
    np.savez(
        work / f"{name}.npz",
        best=np.array(json.dumps(to_plain(result.best, lossy=True))),
        best_value=np.array(result.best_value),
        evaluations=np.array(result.evaluations),
        allow_pickle=False,
        **{column: np.asarray(result.history[column]) for column in COLUMNS},
    )
