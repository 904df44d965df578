"""Where PyHopper's checkpoints would be, as run directories and files of jaxhop."""

import os
from pathlib import Path
from typing import Any, NamedTuple

from jaxhop._budget import parse_runtime
from jaxhop._result import Result
from jaxhop.storage import StorageError

_NAME = "pyhopper_run_{:05d}"
_MOST = 100_000
_OURS = ("space.json", "trials.sqlite")  # by which a run directory is known


class Run(NamedTuple):
    """A run directory, and what was used there up to the next run of the same search.

    Attributes:
        path: of the directory.
        given: the `checkpoint_path` that led to it.
        steps: evaluations that were asked for and made.
        seconds: likewise.
    """

    path: str
    given: str
    steps: int = 0
    seconds: float = 0.0

    def totals(self, runtime: Any, steps: int | None) -> dict[str, Any]:
        """What ends the next run, counted from the beginning of the directory.

        Args:
            runtime: how long it is to take, or None.
            steps: how many evaluations it is to make, or None.

        Returns:
            Arguments of `jaxhop.search`.
        """
        seconds = None if runtime is None else self.seconds + parse_runtime(runtime)
        return {"runtime": seconds, "evaluations": None if steps is None else self.steps + steps}

    def after(self, result: Result, budget: dict[str, Any]) -> "Run":
        """The same directory after a run.

        A script that is run again finds more than its first runs made; what these asked for
        counts then, so that it ends where it would have.

        Args:
            result: of the run.
            budget: what ended it.

        Returns:
            What the next run goes by.
        """
        steps, seconds = result.evaluations, result.seconds
        if result.stop_reason == "evaluations":
            steps = budget["evaluations"]
        if result.stop_reason == "runtime":
            seconds = budget["runtime"]
        return self._replace(steps=steps, seconds=seconds)


def run_at(given: Any, before: Run | None) -> Run:
    """The run directory that a `checkpoint_path` means.

    Args:
        given: a run directory, which is gone on with; another directory, or a path that ends with
            a slash, in which a new one is made; or any other path, which becomes one.
        before: that of the run before, which stays the same if the path does.

    Returns:
        The run.

    Raises:
        StorageError: if there is a file, or the directory cannot be made.
        TypeError: if it is no path.
    """
    text = os.fspath(given)
    if before is not None and text in (before.given, before.path):
        return before
    path = Path(text)
    if path.is_file():
        raise StorageError(
            f"`checkpoint_path={text!r}` is a file, and checkpoints are directories. Choose"
            " another path; what `search.save` wrote is read by `search.load`, and checkpoints of"
            " PyHopper by nothing, for to unpickle them may run anything."
        )
    if any((path / name).exists() for name in _OURS):
        return Run(text, text)
    if path.is_dir() or text.endswith(("/", os.sep)):
        return Run(_new(path), text)
    return Run(text, text)


def file_at(given: Any) -> str:
    """The file that `search.save` writes.

    Args:
        given: a file; or a directory, in which it gets a new name.

    Returns:
        The path of the file.
    """
    text = os.fspath(given)
    if not os.path.isdir(text):
        return text
    names = (os.path.join(text, _NAME.format(number) + ".ckpt") for number in range(_MOST))
    return next(name for name in names if not os.path.exists(name))


def refuse_foreign(given: Any) -> None:
    """Refuses to load what `search.save` did not write.

    Args:
        given: the path.

    Raises:
        StorageError: if it is a checkpoint of PyHopper, or a run directory.
    """
    text = os.fspath(given)
    if os.path.isdir(text):
        raise StorageError(
            f"`load({text!r})`: it is a directory. Say `run(..., checkpoint_path={text!r})` to go"
            " on with a search in it."
        )
    try:
        with open(text, "rb") as file:
            start = file.read(2)
    except OSError:
        return  # `jaxhop.Search.load` says what is wrong
    if start == b"\x1f\x8b":  # gzip
        raise StorageError(
            f"`load({text!r})`: it is a checkpoint of PyHopper, which nothing reads here, for to"
            " unpickle it may run anything. Enqueue its best candidate: `search += {...}`."
        )


def _new(parent: Path) -> str:
    """Makes a directory with the next free name; of two processes, each gets its own."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for number in range(_MOST):
            path = parent / _NAME.format(number)
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return str(path)
        reason = f"there are {_MOST:,} runs in it"
    except OSError as error:
        reason = error.strerror or str(error)
    raise StorageError(f"`checkpoint_path={str(parent)!r}`: {reason}. Choose another directory.")
