"""A search as curves of TensorBoard."""

import os
import time
from typing import Any

from jaxhop._result import Result
from jaxhop.callbacks._tracker import Tracker, package
from jaxhop.callbacks._values import numbers

_QUEUE = 1000  # events that wait for being written


class TensorBoard(Tracker):
    """Writes a search for TensorBoard (extra `tensorboard`, which has tensorboardX).

    There are the curves that all trackers have: `best_value`, `temperature`,
    `evaluations_per_second`, `median_value` where not every trial has a point of its own, and of
    trials `value` and `params/<name>`. The tab TEXT has what was searched and what was found, the
    tab HPARAMS a row for the search with its settings, best parameters and best value.

    A search that goes on in the same directory adds to its curves. Any other search wants a
    directory of its own, such as `runs/<name>`; TensorBoard shows those of a folder side by side.

    Args:
        directory: where to write; it is made if it is not there.

    Raises:
        ImportError: if tensorboardX is not installed.
        TypeError: if `directory` is no path.

    Example:
        >>> import os, tempfile
        >>> import jaxhop
        >>> from jaxhop.callbacks import TensorBoard
        >>> directory = tempfile.mkdtemp()
        >>> result = jaxhop.search(
        ...     lambda params: params["x"] ** 2, {"x": jaxhop.int(-5, 5)}, evaluations=3,
        ...     backend="python", callbacks=[TensorBoard(directory)],
        ... )
        >>> [name[:19] for name in sorted(os.listdir(directory))]
        ['best', 'events.out.tfevents']
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        if not isinstance(directory, str | os.PathLike) or not os.fspath(directory):
            raise TypeError(
                f'`TensorBoard({directory!r})`: a path must be given, such as "runs/first".'
            )
        package("tensorboardX", "TensorBoard", "tensorboard")  # or an error, in good time
        self._directory = os.fspath(directory)
        self._writer: Any = None

    def _open(self, settings: dict[str, Any]) -> None:
        # Files are read by name, which has no more than the second in which they began.
        tensorboard = package("tensorboardX", "TensorBoard", "tensorboard")
        self._writer = tensorboard.SummaryWriter(
            self._directory, max_queue=_QUEUE, filename_suffix=f".{time.time_ns() % 10**9:09d}"
        )
        self._settings = settings
        self._writer.add_text("settings", _table(settings), 0)
        self._writer.flush()

    def _log(self, points: dict[int, dict[str, Any]]) -> None:
        for step, values in points.items():
            for name, value in numbers(values).items():
                self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def _end(self, summary: dict[str, Any], result: Result) -> None:
        self._writer.add_text("result", _table(summary), result.evaluations)
        best = {name: value for name, value in summary.items() if name.startswith("best/")}
        value = numbers({"best_value": summary["best_value"]})
        if value:
            compared = ("direction", "seed", "budget/")
            chosen = {n: x for n, x in self._settings.items() if n.startswith(compared)}
            self._writer.add_hparams(chosen | best, value, "best", result.evaluations)

    def _close(self, state: str) -> None:
        if self._writer is not None:
            self._writer.add_text("state", state)
            self._writer.close()
            self._writer = None


def _table(values: dict[str, Any]) -> str:
    """A table of Markdown."""
    cells = [(name, str(value).replace("|", "\\|")) for name, value in values.items()]
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {cell} |" for name, cell in cells)])
