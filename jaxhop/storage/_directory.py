"""The run directory: which files it has, whose search it holds, and whether this one may go on."""

import contextlib
import errno
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxhop._version import __version__
from jaxhop.storage._checkpoints import Checkpoints
from jaxhop.storage._differences import additions, differences
from jaxhop.storage._errors import StorageError, StorageFull
from jaxhop.storage._orbax import PREFIX

VERSION = 1
_SPACE, _TRIALS, _CHECKPOINTS = "space.json", "trials.sqlite", "checkpoints"
_WRITTEN = (
    _SPACE,
    *(_TRIALS + end for end in ("", "-wal", "-shm", "-journal")),
    "best.json",
    "best.npz",
    "summary.csv",
    "log",
)
_HALF = re.compile(r"\.(space\.json|best\.json|best\.npz|summary\.csv)-[0-9a-f]{32}")
_STATE = re.compile(rf"{PREFIX}_\d+(\.orbax-checkpoint-tmp.*|\.damaged(\.\d+)?)?")


class Directory:
    """The files of a search.

    Args:
        path: the directory.
        settings: what is written in `space.json`.

    Attributes:
        notes: what whoever searches should know.
        fresh: whether the search begins here.
        every: seconds between two checkpoints; None for as many as cost little.
        extended: description of the space before parameters were added, if some are.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     directory = Directory(Path(place), settings={})
        ...     directory.log("began", stamp="2026-01-31 12:00")
        ...     Path(place, "log").read_text().splitlines()
        ['2026-01-31 12:00 began']
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path, self.settings = path, settings
        self.notes: tuple[str, ...] = ()
        self.fresh = False
        self.every: float | None = None
        self.extended: Any = None

    @property
    def trials(self) -> Path:
        """The database."""
        return self.path / _TRIALS

    @property
    def has_best(self) -> bool:
        """Whether the best candidate was ever written."""
        return (self.path / "best.json").exists()

    def states(self) -> Checkpoints:
        """The checkpoints of a search in rounds; to be closed."""
        return Checkpoints(self.path / _CHECKPOINTS, every=self.every)

    def log(self, line: str, stamp: str) -> None:
        """Adds a line to `log`.

        Args:
            line: the line.
            stamp: date and time.
        """
        with said(self.path), open(self.path / "log", "a", encoding="utf-8") as file:
            file.write(f"{stamp} {line}\n")

    def extend(self) -> None:
        """Writes down the space with its new parameters, when all trials have them.

        States of the search, which lack them, are deleted.
        """
        with said(self.path):
            _delete_states(self.path)
        self.write(_SPACE, _text(self.settings))
        self.extended = None

    def write(self, name: str, data: bytes) -> None:
        """Writes a file as a whole: whoever reads it sees the old one or the new one.

        Args:
            name: of the file.
            data: what is to be in it.
        """
        with said(self.path), _beside(self.path / name, data) as written:
            os.replace(written, self.path / name)


def open_directory(
    path: str | os.PathLike[str],
    settings: dict[str, Any],
    defaults: dict[str, Any],
    *,
    overwrite: bool = False,
    extend: bool = False,
) -> Directory:
    """The directory of a search: a new one, or the one to go on with.

    Args:
        path: the directory.
        settings: what must be the same to go on: `space` as `describe` gives it, `direction`,
            `objective`, `seed`, `backend` and what else was asked for.
        defaults: what is taken from the search that is there.
        overwrite: whether a search that is there is deleted first.
        extend: whether parameters may be new.

    Returns:
        The directory.

    Raises:
        StorageError: if it holds another search, or cannot be read or written.

    Example:
        >>> import tempfile
        >>> settings = {"space": "x", "direction": "min", "objective": "loss", "seed": 0}
        >>> defaults = {"population": 8, "rows": True}
        >>> with tempfile.TemporaryDirectory() as place:
        ...     [open_directory(place, settings, defaults).fresh for _ in range(2)]
        [True, False]
    """
    place = Path(path)
    with said(place):
        place.mkdir(parents=True, exist_ok=True)
        before = {each.name for each in place.iterdir()}
        notes = _delete(place) if overwrite else ()
        found = [each.name for each in place.iterdir()]
    known = {*_WRITTEN, _CHECKPOINTS, "config.yaml"}
    strangers = sorted(name for name in found if name not in known and not _HALF.fullmatch(name))
    own = {_SPACE, _TRIALS} & set(found)
    if strangers and not before & {_SPACE, _TRIALS}:
        raise StorageError(
            f"`dir={str(place)!r}`: it holds {_listed(strangers)}, and no search. Choose an empty"
            " directory, or one that is not there."
        )
    versions = {"version": VERSION, "jaxhop": __version__}
    directory = Directory(place, {**versions, **defaults, **settings})
    directory.notes = notes
    if not own:
        directory.fresh = _create(place, directory.settings)
    elif _SPACE not in found:
        raise _nameless(place)
    if not directory.fresh:
        old = read_settings(place)
        # Whoever was killed, or has just begun, has nothing to miss.
        empty = _TRIALS not in found or not directory.trials.stat().st_size
        if empty and {"best.json", "summary.csv", _CHECKPOINTS} & set(found):
            raise StorageError(
                f"`{place / _TRIALS}` is missing or empty, and with it the record of the"
                " evaluations. Put it back, or say `overwrite=True` to start anew."
            )
        if empty and "log" in found:
            directory.notes = (*notes, f"`{directory.trials}` is not there: all begins anew")
        if _compare(place, old, settings, extend):
            directory.extended = old["space"]  # what suited it may not suit the new one
        else:
            directory.settings = {**defaults, **old, **settings}
    return directory


def read_settings(path: Path) -> dict[str, Any]:
    """What is written in `space.json`.

    Args:
        path: the directory.

    Returns:
        The settings.

    Raises:
        StorageError: if there is none, or it is damaged.

    Example:
        >>> import tempfile
        >>> settings = {"space": "x", "direction": "min", "objective": "loss", "seed": 7}
        >>> with tempfile.TemporaryDirectory() as place:
        ...     directory = open_directory(place, settings, {"population": 8, "rows": True})
        ...     read_settings(Path(place))["seed"]
        7
    """
    file = path / _SPACE
    with said(path):
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            if (path / _TRIALS).exists():
                raise _nameless(path) from None
            raise StorageError(
                f"`dir={str(path)!r}`: there is no search in it. Give the directory of one."
            ) from None
        except ValueError:
            found = None
    known = {"version": int, "space": object, "direction": str, "objective": str, "seed": int}
    known |= {"population": int, "rows": bool}
    if isinstance(found, dict):
        chosen = {"rounds": bool, "algorithm": str}  # where nobody asked for others
        known |= {name: kind for name, kind in chosen.items() if name in found}
    if not isinstance(found, dict) or not all(
        isinstance(found.get(name), kind) for name, kind in known.items()
    ):
        raise StorageError(
            f"`{file}` is damaged. Put a copy of it in its place, or say `overwrite=True` to start"
            " anew."
        )
    if found["version"] > VERSION:
        raise StorageError(
            f"`{file}` has version {found['version']}, and this jaxhop reads up to {VERSION}."
            " Install the newer jaxhop that wrote it."
        )
    return found


@contextlib.contextmanager
def said(path: Path) -> Iterator[None]:
    """Says in a sentence what the system says of a file.

    Raises:
        StorageError: for whatever goes wrong.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull(
                f"`dir={str(path)!r}`: the disk is full. Make room, then start the search again."
            ) from error
        raise StorageError(
            f"`dir={str(path)!r}`: {error.strerror or error}. Choose another directory."
        ) from error


def _nameless(path: Path) -> StorageError:
    return StorageError(
        f"`{path / _SPACE}` is missing, so nobody can tell what was searched. Put it back, or say"
        " `overwrite=True` to start anew."
    )


def _create(path: Path, settings: dict[str, Any]) -> bool:
    """Writes `space.json`, if no other process was faster."""
    with said(path), _beside(path / _SPACE, _text(settings)) as name:
        try:
            os.link(name, path / _SPACE)
        except FileExistsError:
            return False
        except PermissionError:  # a file system without links
            os.replace(name, path / _SPACE)
    return True


@contextlib.contextmanager
def _beside(path: Path, data: bytes) -> Iterator[Path]:
    """A file with the data beside the one that it is to become."""
    name = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        with open(name, "xb") as file:
            file.write(data)
        yield name
    finally:
        with contextlib.suppress(OSError):
            os.unlink(name)


def _text(settings: dict[str, Any]) -> bytes:
    return (json.dumps(settings, indent=2, ensure_ascii=False) + "\n").encode()


def _delete(path: Path) -> tuple[str, ...]:
    """Deletes what a search has written, and nothing else."""
    gone = [name for name in _WRITTEN if (path / name).is_file()]
    if gone and _SPACE not in gone and _TRIALS not in gone:
        return ()  # somebody else's log
    for name in gone:
        (path / name).unlink()
    for each in path.iterdir():
        if _HALF.fullmatch(each.name):
            each.unlink()
    if gone and _delete_states(path):
        gone.append(_CHECKPOINTS + "/")
    return (f"`overwrite=True`: deleted {_listed(gone)} in `{path}`",) if gone else ()


def _delete_states(path: Path) -> bool:
    """Deletes the states of a search; whether all is gone in which they were."""
    checkpoints = path / _CHECKPOINTS
    if not checkpoints.is_dir():
        return False
    for each in checkpoints.iterdir():
        if each.is_dir() and _STATE.fullmatch(each.name):
            shutil.rmtree(each)
    try:
        checkpoints.rmdir()
    except OSError:  # there are files of somebody else
        return False
    return True


def _compare(path: Path, old: dict[str, Any], new: dict[str, Any], extend: bool) -> bool:
    """Refuses to go on with another search; whether parameters are new, if they may be."""
    same = old["space"] == new["space"]
    # Whether candidates come in rounds follows from the space, where nobody asked for that.
    apart = {"space"} if same else {"space", "rounds"}
    lines = [
        f"{name}: was {old[name]}, is {new[name]}"
        for name in new
        if name not in apart and name in old and old[name] != new[name]
    ]
    added = False
    if not same:
        found = additions(old["space"], new["space"])
        if extend and found:
            added = True
        else:
            lines += differences(old["space"], new["space"])
            if found:
                lines.append('To add parameters at their initial values, say `resume="extend"`.')
    if lines:
        raise StorageError(
            f"`dir={str(path)!r}` holds another search:\n  "
            + "\n  ".join(lines)
            + "\nChoose another directory, or say `overwrite=True` to start anew."
        )
    return added


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
