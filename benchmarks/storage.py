"""What writing a search down costs: a JAX search of a minute, a trial, and a start with many.

Evaluations in a minute vary by more than writing costs on a shared machine, so beside their ratio
stands what was measured directly: how long the search waited for its blocks and checkpoints, and
the CPU time of the thread that writes the latter.
"""

import argparse
import contextlib
import itertools
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.provenance import ROOT, stamp

_SECONDS = 60.0
_TRIALS = 100_000


@contextlib.contextmanager
def timed(owner: Any, name: str, into: list[float], clock: Callable[[], float]) -> Iterator[None]:
    """Adds up the time that calls of a method take."""
    method = getattr(owner, name)

    def measured(*args: Any, **named: Any) -> Any:
        begin = clock()
        try:
            return method(*args, **named)
        finally:
            into.append(clock() - begin)

    setattr(owner, name, measured)
    try:
        yield
    finally:
        setattr(owner, name, method)


def jax_search(dim: int, seconds: float, directory: str | None) -> dict[str, Any]:
    """A search of a sphere; what it evaluated, and what writing it down took."""
    import jax.numpy as jnp

    import jaxhop
    from jaxhop._record import Record
    from jaxhop.storage import Checkpoints

    waits: list[float] = []
    thread: list[float] = []
    visits: list[float] = []

    class Visits:
        """Notes when the host is visited."""

        def on_round(self, report: Any) -> None:
            visits.append(time.perf_counter())

    with contextlib.ExitStack() as stack:
        for name in ("_write", "_save"):
            stack.enter_context(timed(Record, name, waits, time.perf_counter))
        stack.enter_context(timed(Checkpoints, "_write_in_thread", thread, time.thread_time))
        result = jaxhop.search(
            lambda params: jnp.sum((params["x"] - 0.3) ** 2),
            {"x": jaxhop.float(-1, 1, shape=(dim,))},
            runtime=seconds,
            dir=directory,
            callbacks=[Visits()],
            progress=False,
        )
    gaps = [after - before for before, after in itertools.pairwise(visits)]
    return {
        "evaluations": result.evaluations,
        "waited": sum(waits) / result.seconds,
        "longest": max(waits, default=0.0),
        "thread": sum(thread) / result.seconds,
        "checkpoints": len(thread),
        "visit": statistics.median(gaps),
    }


def python_search(directory: str) -> dict[str, Any]:
    """A search of 10 floats with a trivial objective, and starts of it and of a new one."""
    import jaxhop
    from jaxhop.storage import Ledger

    space = {f"x{i}": jaxhop.float(-1, 1) for i in range(10)}

    def go(trials: int, place: str | None) -> float:
        begin = time.perf_counter()
        jaxhop.search(
            lambda params: sum(params.values()),
            space,
            evaluations=trials,
            dir=place,
            backend="python",
            surrogate=False,
            progress=False,
        )
        return time.perf_counter() - begin

    go(2_000, None)  # compiles
    appends: list[float] = []
    with timed(Ledger, "finish", appends, time.perf_counter):
        filling = go(_TRIALS, directory)
    full = go(_TRIALS, directory)
    empty = go(1, directory + "-empty")
    begin = time.perf_counter()
    jaxhop.load(directory)
    ranked = sorted(appends)
    return {
        "trial": filling / _TRIALS,
        "append": ranked[len(ranked) // 2],
        "append 99 %": ranked[int(0.99 * len(ranked))],
        "start": full,
        "start empty": empty,
        "load": time.perf_counter() - begin,
    }


def main() -> None:
    """Runs each measurement in a process of its own and prints tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="of a JAX search")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        kind, *rest = given.one.split(",")
        with tempfile.TemporaryDirectory() as place:
            if kind == "python":
                found = python_search(str(Path(place) / "run"))
            else:
                directory = str(Path(place) / "run") if rest[1] == "dir" else None
                found = jax_search(int(rest[0]), given.seconds, directory)
            shutil.rmtree(place, ignore_errors=True)
        print(json.dumps(found))
        return
    print(stamp("storage"))
    for dim in (10, 1_000_000):
        pairs = [
            (_measured(f"jax,{dim},none", given), _measured(f"jax,{dim},dir", given))
            for _ in range(given.repeats)
        ]
        print(f"D = {dim:,}, {given.seconds:g} s, {given.repeats} pairs")
        ratios = [written["evaluations"] / plain["evaluations"] for plain, written in pairs]
        print("  evaluations with a directory / without:", *(f"{each:.3f}" for each in ratios))
        for name in ("waited", "thread", "longest", "visit", "checkpoints"):
            print(f"  {name}:", *(f"{written[name]:.4g}" for _, written in pairs))
    found = _measured("python", given)
    print(f"{_TRIALS:,} trials of a Python objective")
    for name, seconds in found.items():
        print(f"  {name}: {seconds * 1000:.3f} ms")


def _measured(what: str, given: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.storage", "--one", what]
    command += ["--seconds", str(given.seconds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
