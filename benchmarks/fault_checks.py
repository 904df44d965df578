"""What must hold of a search that was killed: nothing lost, nothing made twice, all as alone."""

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fault_scripts import COLUMNS, KINDS


class Difference(AssertionError):
    """What is not as it should be."""


def compare(wanted: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> None:
    """Compares two results bit for bit.

    Args:
        wanted: of the search that was left alone.
        found: of the other one.

    Raises:
        Difference: at the first difference.
    """
    for name in ("evaluations", *COLUMNS, "best_value", "best"):
        a, b = wanted[name], found[name]
        if a.shape != b.shape:
            raise Difference(f"`{name}` has the shape {b.shape}, not {a.shape}")
        if a.tobytes() == b.tobytes() and a.dtype == b.dtype:
            continue
        if not a.ndim:
            raise Difference(f"`{name}` is {b}, not {a}")
        rows = [at for at in range(len(a)) if a[at].tobytes() != b[at].tobytes()]
        first = f": first row {rows[0]}, {b[rows[0]]} instead of {a[rows[0]]}" if rows else ""
        raise Difference(f"`{name}` differs in {len(rows)} of {len(a)} rows{first}")


def tally(directory: Path, outs: Sequence[dict[str, np.ndarray]], evaluations: int) -> None:
    """Looks whether every trial is in the table once, and the results are its best.

    Args:
        directory: the run directory.
        outs: what processes found.
        evaluations: how many there must be.

    Raises:
        Difference: if not.
    """
    rows = _rows(directory, "SELECT id, ended, key, status, value, params FROM trial ORDER BY id")
    ids, ended, keys, status, values, params = zip(*rows, strict=True)
    wanted = {
        "ids": (ids, range(1, evaluations + 1)),
        "order of ends": (sorted(-1 if at is None else at for at in ended), range(evaluations)),
        "statuses": (set(status), {"completed"}),
        "different candidates": ([len(set(keys))], [evaluations]),
    }
    for name, (found, right) in wanted.items():
        if list(found) != list(right):
            raise Difference(f"the {name} of the table of trials: {_short(found)}")
    lowest = min(values)
    bests = [json.loads(params[at]) for at, value in enumerate(values) if value == lowest]
    for out in outs:
        if out["evaluations"] != evaluations or len(out["value"]) != evaluations:
            raise Difference(
                f"a result has {out['evaluations']} evaluations, and {len(out['value'])} in its"
                f" history, not {evaluations}"
            )
        if out["best_value"] != lowest or json.loads(str(out["best"])) not in bests:
            raise Difference(
                f"a result says {out['best_value']} of {out['best']}, and the best of the table"
                f" is {lowest} of {bests}"
            )


def done(directory: Path) -> int:
    """How many evaluations a run directory holds.

    Args:
        directory: the run directory, there or not.

    Returns:
        The number.
    """
    tables = {name for (name,) in _rows(directory, "SELECT name FROM sqlite_master")}
    if "trial" in tables:
        return _rows(directory, "SELECT COUNT(ended) FROM trial")[0][0]
    if "block" in tables:
        return _rows(directory, "SELECT COALESCE(SUM(last - first), 0) FROM block")[0][0]
    return 0


def _rows(directory: Path, query: str) -> list[tuple[Any, ...]]:
    path = directory / "trials.sqlite"
    if not path.exists():
        return []
    # Nothing is changed: what a kill has left is for the next process to deal with.
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=30, uri=True)
    try:
        return connection.execute(query).fetchall()
    except sqlite3.OperationalError:  # it was being made; of any other, evaluations are missing
        return []
    finally:
        connection.close()


def count_calls(kind: str, evaluations: int, kills: int, work: Path) -> None:
    """Looks how often the objective was called: once each, and again what a kill cut short.

    Args:
        kind: of the search.
        evaluations: how many it made.
        kills: how often it was killed.
        work: the directory of its processes.

    Raises:
        Difference: if more or less often.
    """
    in_flight = KINDS[kind].in_flight
    if in_flight is None:
        return
    calls = (work / "calls").stat().st_size
    if not evaluations <= calls <= evaluations + kills * in_flight:
        raise Difference(f"{calls} calls for {evaluations} evaluations and {kills} kills")


def _short(found: Any) -> str:
    text = str(list(found))
    return text if len(text) <= 200 else f"{text[:200]}..."
