"""A result from the directory of a search, be it over, killed, or still going."""

import json
import math
import os
import warnings
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxhop._history import Decode, History
from jaxhop._keeper import ARRAY
from jaxhop._phases import PhaseTable
from jaxhop._python_search import decoder
from jaxhop._reports import blocks_report, past_report
from jaxhop._result import Result
from jaxhop._trials import Report
from jaxhop.space import Space, Store, known
from jaxhop.storage import from_plain, read_blocks, read_settings, read_trials, rebuild


def load(dir: str | os.PathLike[str], space: Any = None) -> Result:
    """Reads what a search with a directory has found by now.

    Nothing is written, and nothing that is in the directory is executed. To go on with the search,
    call `jaxhop.search` with the same directory; to begin another one with what is known, give
    that `observed=jaxhop.load(dir)`.

    Args:
        dir: the directory.
        space: the space of the search. Default: it is made from `space.json`. That lacks options
            that are objects, for which their text stands in the result; and of network weights
            and custom parameters it knows the best candidate alone.

    Returns:
        The result; its `stop_reason` is `"unfinished"` if the search was killed or goes on. As
        long as nothing has a value, `best` is None and `best_value` NaN.

    Raises:
        StorageError: if there is no search in it, or it is damaged.

    Example:
        >>> import tempfile, jaxhop
        >>> with tempfile.TemporaryDirectory() as place:
        ...     found = jaxhop.search(
        ...         lambda params: (params["x"] - 0.3) ** 2, {"x": jaxhop.float(0, 1)},
        ...         evaluations=20, dir=place, backend="python",
        ...     )
        ...     loaded = jaxhop.load(place)
        >>> loaded.best == found.best, loaded.evaluations
        (True, 20)
    """
    path = Path(os.fspath(dir))
    settings = read_settings(path)
    direction = settings["direction"]
    sign = -1 if direction == "max" else 1
    own, given = _space(space, settings["space"])
    read = _read_trials if settings["rows"] else _read_blocks
    found = read(path / "trials.sqlite", own, given, sign)
    for note in found.notes:
        warnings.warn(note, RuntimeWarning, stacklevel=2)
    history = History(direction, lambda point: found.decode(_stacked(point))[0], found.decode)
    table = PhaseTable(direction)
    history.append(found.report, found.numbers)
    table.recall(found.report, found.phases)
    evaluations = table.evaluations
    written = _best(path)
    over = bool(written.get("stopped")) and written["evaluations"] == evaluations
    rows = history.improvements
    best, value = None, math.nan
    if len(rows):
        best, value = history.params(int(rows[-1])), float(history["value"][rows[-1]])
    # Of random objectives, and of wide spaces, the file knows more.
    if written and ((over and written["value"] != value) or best is None):
        best, value = written["params"], written["value"]
    return Result(
        best=best,
        best_value=value,
        history=history,
        stop_reason=written["stopped"] if over else "unfinished",
        evaluations=evaluations,
        seconds=found.seconds,
        compile_seconds=0.0,
        nan_share=table.nan_share,
        phases=table.phases(),
        direction=direction,
        seed=settings["seed"],
        flat=_flat if own is None else own.flat,
        space=own,
        finished=(path / "trials.sqlite").stat().st_mtime,
    )


class _Found(NamedTuple):
    """What the database holds; `numbers` and `phases` as in `Earlier`."""

    report: Report
    numbers: np.ndarray | None
    phases: dict[str, Any] | None
    seconds: float
    decode: Decode
    notes: tuple[str, ...]


def _space(given: Any, description: Any) -> tuple[Space | None, bool]:
    """The space, if it can be had, and whether the user gave it."""
    if given is not None:
        return known(given), True
    try:
        return rebuild(description), False
    except ValueError:
        return None, False


def _read_trials(path: Path, space: Space | None, given: bool, sign: int) -> _Found:
    """Rows: their text is enough, unless the user's own objects are wanted."""
    store = Store()
    like = None
    if space is not None and given:
        like = space.shape if space.fidelity is None else (*space.shape, np.zeros(()))
    past, seconds, notes = read_trials(path, like, store)
    if space is not None and given:
        made: Decode = decoder(space, store)
    else:
        texts = past.texts
        kept = np.array([at for at, text in enumerate(texts) if text is not None], np.int64)
        past = past._replace(kept=kept, points=(kept,))

        def read(points: tuple[np.ndarray, ...]) -> list[Any]:
            return [from_plain(json.loads(texts[at] or "null")) for at in points[0].tolist()]

        made = read

    accepted = np.zeros(len(past.value), bool)
    return _Found(past_report(past, accepted, sign), None, None, seconds, made, notes)


def _read_blocks(path: Path, space: Space | None, given: bool, sign: int) -> _Found:
    """Columns, whose points only the space can decode."""
    del given
    written = read_blocks(path, None if space is None else space.shape)
    report = blocks_report(written, sign, written.seconds)
    decode = _nobody if space is None else decoder(space, None)
    return _Found(report, written.numbers, written.phases, written.seconds, decode, written.notes)


def _nobody(points: tuple[np.ndarray, ...]) -> list[Any]:
    """Candidates where no points are kept."""
    return []


def _best(path: Path) -> dict[str, Any]:
    """What `best.json` says, with the arrays of `best.npz`; empty if it says nothing."""
    try:
        written = json.loads((path / "best.json").read_text(encoding="utf-8"))
        assert isinstance(written["value"], float | int) and isinstance(written["stopped"], str)
        params = from_plain(written["params"])
        if "arrays" in written:
            with np.load(path / "best.npz", allow_pickle=False) as arrays:
                params = _filled(params, arrays)
    except (OSError, ValueError, KeyError, TypeError, AssertionError, zipfile.BadZipFile):
        return {}  # it is written again when the search goes on
    return {**written, "params": params}


def _filled(tree: Any, arrays: Any) -> Any:
    def is_place(node: Any) -> bool:
        return isinstance(node, dict) and list(node) == [ARRAY]

    return jax.tree.map(
        lambda node: arrays[node[ARRAY]] if is_place(node) else node, tree, is_leaf=is_place
    )


def _stacked(point: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    return tuple(np.asarray(leaf)[None] for leaf in point)


def _flat(candidate: Any) -> dict[str, Any]:
    """One value a name, of a candidate whose space nobody knows."""
    leaves = jax.tree_util.tree_leaves_with_path(candidate)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}
