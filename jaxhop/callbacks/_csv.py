"""Trials as lines of comma-separated values."""

import csv
import io
import json
from typing import Any

from jaxhop._shown import plain
from jaxhop._trials import Start, Trial
from jaxhop.callbacks._trial_file import FIELDS, TrialFile
from jaxhop.callbacks._values import written
from jaxhop.space._names import names

_TEXT = 10_000  # characters of a cell


class CSV(TrialFile):
    """Writes a line of comma-separated values for each trial, as soon as the search reports it.

    The first line has the names of the columns: the fields of `jaxhop.Trial` but for the
    parameters, and `params.<name>` for each of these, with names as in `Result.to_pandas()`.
    Parameters that a trial does not have, those of other options, are empty. Arrays of up to 64
    elements are JSON lists; of longer ones there are shape, mean, standard deviation, smallest
    and largest element, as a JSON object.

    All else is as in `JSONLines`: which trials are written, when, and what becomes of a file that
    is there.

    Args:
        path: the file, such as `"trials.csv"`.

    Raises:
        TypeError: if it is no path.

    Example:
        >>> import os, tempfile
        >>> import jaxhop
        >>> from jaxhop.callbacks import CSV
        >>> path = os.path.join(tempfile.mkdtemp(), "trials.csv")
        >>> result = jaxhop.search(
        ...     lambda params: params["x"] ** 2, {"x": jaxhop.int(-5, 5)}, evaluations=3,
        ...     backend="python", callbacks=[CSV(path)],
        ... )
        >>> with open(path) as file:
        ...     print(file.readline().strip())
        number,value,status,phase,seconds,duration,worker,improved,best_value,params.x
    """

    def _begin(self, info: Start) -> str:
        self._names = names(info.space)
        return _row([*FIELDS, *(f"params.{name}" for name in self._names)])

    def _line(self, trial: Trial) -> str:
        flat = self._info.space.flat(trial.params)
        cells = [getattr(trial, name) for name in FIELDS]
        return _row([*cells, *(_cell(flat.get(name)) for name in self._names)])

    def _read(self, line: str) -> tuple[int, float]:
        (cells,) = csv.reader([line])
        found = dict(zip(FIELDS, cells, strict=False))
        return int(found["number"]), float(found["best_value"])


def _cell(value: Any) -> Any:
    """A value on one line; None is empty."""
    value = value if isinstance(value, float) else written(value)
    if isinstance(value, dict | list):
        value = json.dumps(value)
    return plain(value, _TEXT) if isinstance(value, str) else value


def _row(cells: list[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
