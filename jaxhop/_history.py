"""The record of the evaluations, in columns and of bounded size."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxhop._trials import PHASES, STATUSES, Report

if TYPE_CHECKING:
    import pandas

ROWS_KEPT = 100_000
"""Rows a history holds at most."""

POINT_BYTES_KEPT = 8 * 2**20
"""Bytes of parameters a history holds at most."""

Flat = Callable[[Any], dict[str, Any]]
"""Turns a candidate into one value a name, such as `{"opt.lr": 0.1}`."""

Decode = Callable[[tuple[np.ndarray, ...]], list[Any]]
"""Turns stacked parameters, one array per column of the space, into candidates."""

_COLUMNS = (
    "evaluation",
    "value",
    "phase",
    "step",
    "seconds",
    "temperature",
    "accepted",
    "status",
    "duration",
    "worker",
    "cost",
)
_DTYPES = {
    "evaluation": np.int64,
    "value": np.float64,
    "phase": np.int8,
    "step": np.int64,
    "seconds": np.float64,
    "temperature": np.float32,
    "accepted": np.bool_,
    "status": np.int8,
    "duration": np.float32,
    "worker": np.int16,
    "cost": np.float64,
    "improved": np.bool_,
}
_NAMES = {"phase": PHASES, "status": STATUSES}

_Columns = dict[Any, np.ndarray]


class _Table:
    """Columns of equal length and fixed capacity, filled from the front.

    Memory is taken up as the rows come, because the system hands out pages when they are written.
    """

    def __init__(self, capacity: int, like: _Columns):
        self._buffers = {
            name: np.empty((capacity, *column.shape[1:]), column.dtype)
            for name, column in like.items()
        }
        self.capacity = capacity
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def __getitem__(self, name: Any) -> np.ndarray:
        return self._buffers[name][: self._used]

    def append(self, columns: _Columns) -> None:
        start = self._used
        for name, column in columns.items():
            self._used = start + len(column)
            self._buffers[name][start : self._used] = column

    def keep(self, mask: np.ndarray) -> None:
        rows = np.flatnonzero(mask)
        self._used = len(rows)
        for buffer in self._buffers.values():
            # Moved in place by blocks, so that wide rows need no second copy of the table.
            block = max(1, 2**20 // max(1, buffer[:1].nbytes))
            for start in range(0, len(rows), block):
                sources = rows[start : start + block]
                buffer[start : start + len(sources)] = buffer[sources]


def in_columns(
    flats: Iterable[dict[str, Any]], rows: Iterable[int], length: int
) -> dict[str, list[Any]]:
    """Turns values by name, of one candidate after the other, into columns.

    Args:
        flats: the values of each candidate.
        rows: where each of them stands.
        length: of the columns.

    Returns:
        A list by name, with None where a row has no such value.

    Example:
        >>> in_columns([{"x": 1}, {"y": 2}], [0, 2], 3)
        {'x': [1, None, None], 'y': [None, None, 2]}
    """
    columns: dict[str, list[Any]] = {}
    for row, flat in zip(rows, flats, strict=True):
        for name, value in flat.items():
            if name not in columns:
                columns[name] = [None] * length
            columns[name][row] = value
    return columns


class History:
    """The record of a search: one row an evaluation, in columns.

    The record is bounded. Up to 100,000 evaluations all rows are kept. After that every
    improvement is kept and of the others every 2nd, 4th, 8th and so on, so that there are never
    more than 100,000 rows; only if improvements alone are more than that, the oldest of them go.
    Parameters are kept for the rows for which the search hands them out (the improvements; in
    small spaces all), as long as they fit into 8 MiB: when they do not, the oldest half of those
    that are no improvements go first, and then the oldest improvements.

    Args:
        direction: `"min"` or `"max"`: which values are better.
        to_python: turns the stored parameters of one row (a tuple of arrays, one per column of
            the space) into a candidate in the user's structure. It is called only for rows
            whose parameters are asked for.
        to_python_many: does the same for stacked rows, and returns a list; for tables. Default:
            one after the other.

    Example:
        >>> history = History("min", to_python=lambda point: {"x": float(point[0])})
        >>> history.append(Report(
        ...     first=0, values=np.array([2.0, 3.0, 1.0]), phase=np.ones(3, np.int8),
        ...     step=np.zeros(3, np.int64), seconds=np.zeros(3), temperature=np.ones(3),
        ...     accepted=np.ones(3, bool), improved=np.array([True, False, True]),
        ...     kept=np.array([0, 2]), points=(np.array([0.5, 0.25]),),
        ...     best_value=1.0, elapsed=0.1, progress=0.5,
        ... ))
        >>> history["value"], history.best()
        (array([2., 3., 1.]), array([2., 2., 1.]))
        >>> history.params(2), history.params(1), history.point(2)
        ({'x': 0.25}, None, (array(0.25),))
        >>> history.candidates()  # of the rows that are stored
        [{'x': 0.5}, {'x': 0.25}]
        >>> history.stored, history.improvements, history.usable
        (array([0, 2]), array([0, 2]), array([ True,  True,  True]))
        >>> history.columns[:3], history.to_dict(dict)["params.x"]
        (('evaluation', 'value', 'phase'), [0.5, None, 0.25])
        >>> history.to_pandas()["value"].tolist()
        [2.0, 3.0, 1.0]
    """

    def __init__(
        self,
        direction: str,
        to_python: Callable[[tuple[np.ndarray, ...]], Any],
        to_python_many: Decode | None = None,
    ):
        self._direction = direction
        self._to_python = to_python
        self._to_python_many = to_python_many
        self._rows = _Table(ROWS_KEPT, {n: np.empty(0, dtype) for n, dtype in _DTYPES.items()})
        self._stride = 1  # a power of two: of the others, every stride-th row is kept
        self._points: _Table | None = None  # made when the first points show how wide they are
        self._width = 0  # number of arrays of a point

    def append(self, report: Report, numbers: np.ndarray | None = None) -> None:
        """Adds the evaluations of a report.

        Args:
            report: the report that follows the one added last.
            numbers: int64[n], ascending, which evaluations these are. Default: those from
                `report.first` on.
        """
        evaluation = np.arange(report.first, report.evaluations) if numbers is None else numbers
        new = self._make_room(evaluation, report.improved)
        rows = {"evaluation": evaluation, "value": report.values}
        rows |= {name: getattr(report, name) for name in _DTYPES if name not in rows}
        self._rows.append({name: column[new] for name, column in rows.items()})

        with_point = new[report.kept]
        if with_point.any():
            kept = report.kept[with_point]
            points: _Columns = {"evaluation": evaluation[kept], "improved": report.improved[kept]}
            points |= enumerate(column[with_point] for column in report.points)
            self._append_points(points)

    def _make_room(self, evaluation: np.ndarray, improved: np.ndarray) -> np.ndarray:
        """Thins the rows until these fit in, too; a mask of those of them that are to go in."""
        new = self._chosen(evaluation, improved)
        if len(self._rows) + new.sum() <= ROWS_KEPT:
            return new
        before = len(self._rows)
        evaluation = np.concatenate([self._rows["evaluation"], evaluation])
        improved = np.concatenate([self._rows["improved"], improved])
        chosen = self._chosen(evaluation, improved)
        while chosen.sum() > ROWS_KEPT and self._stride <= evaluation[-1]:
            self._stride *= 2
            chosen = self._chosen(evaluation, improved)
        chosen[np.flatnonzero(chosen)[: max(0, chosen.sum() - ROWS_KEPT)]] = False
        self._rows.keep(chosen[:before])
        if self._points is not None:
            self._points.keep(np.isin(self._points["evaluation"], self._rows["evaluation"]))
        return chosen[before:]

    def _chosen(self, evaluation: np.ndarray, improved: np.ndarray) -> np.ndarray:
        return improved | (evaluation & (self._stride - 1) == 0)

    def _append_points(self, points: _Columns) -> None:
        if self._points is None:
            bytes_a_row = sum(column[0].nbytes for column in points.values())
            # One row stays however wide it is: the best.
            self._width = len(points) - 2  # without evaluation and improved
            self._points = _Table(min(ROWS_KEPT, max(1, POINT_BYTES_KEPT // bytes_a_row)), points)
        before = len(self._points)
        excess = before + len(points["improved"]) - self._points.capacity
        if excess > 0:
            improved = np.concatenate([self._points["improved"], points["improved"]])
            others = np.flatnonzero(~improved)
            # Half of them at once, so that not every report has to move the rest.
            forgotten = others[: max(excess, (len(others) + 1) // 2)]
            keep = np.ones(len(improved), bool)
            keep[forgotten] = False
            keep[np.flatnonzero(improved)[: max(0, excess - len(forgotten))]] = False
            self._points.keep(keep[:before])
            points = {name: column[keep[before:]] for name, column in points.items()}
        self._points.append(points)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns.

        evaluation: number from 0; value: as the objective gave it; phase: name; step: number
        of the round; seconds: since the clock started; temperature: with which the candidate was
        made; accepted: whether the search went on from it; status: name, `"completed"` but for
        trials that have no value of their own (that of a pruned one is its last estimate);
        duration: seconds that the objective took, NaN where nobody measured; worker: which one;
        cost: what the objective says that the trial cost, NaN where it says nothing.
        """
        return _COLUMNS

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, name: str) -> np.ndarray:
        """One column as an array of its own, with one element a kept row."""
        if name not in _COLUMNS:
            raise KeyError(
                f"`history[{name!r}]`: the name of a column must be given. Say one of "
                f"{', '.join(map(repr, _COLUMNS))}."
            )
        column = self._rows[name]
        return np.array(_NAMES[name])[column] if name in _NAMES else column.copy()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The kept rows as dicts, oldest first."""
        columns = [self[name].tolist() for name in _COLUMNS]
        return (dict(zip(_COLUMNS, row, strict=True)) for row in zip(*columns, strict=True))

    def __repr__(self) -> str:
        return f"History({len(self)} rows, columns: {', '.join(_COLUMNS)})"

    def best(self) -> np.ndarray:
        """Best value so far at each kept row.

        Returns:
            float64[rows]; NaN until the first finite value.
        """
        value = np.where(self.usable, self._rows["value"], np.nan)
        return (np.fmin if self._direction == "min" else np.fmax).accumulate(value)

    @property
    def usable(self) -> np.ndarray:
        """bool[rows]: whether a kept row has a value that can be the best: finite, completed."""
        return np.isfinite(self._rows["value"]) & (self._rows["status"] == 0)

    @property
    def improvements(self) -> np.ndarray:
        """int64[m]: positions of the kept rows that were the best so far."""
        return np.flatnonzero(self._rows["improved"])

    @property
    def stored(self) -> np.ndarray:
        """int64[m]: positions of the kept rows whose parameters are kept, too."""
        if self._points is None:
            return np.empty(0, np.int64)
        return np.searchsorted(self._rows["evaluation"], self._points["evaluation"])

    def point(self, row: int) -> tuple[np.ndarray, ...] | None:
        """Stored parameters of a kept row, as the search sees them.

        Args:
            row: position of the row in the history; negative counts from the end.

        Returns:
            One array per column of the space, or None if the parameters were not kept.

        Raises:
            IndexError: if there is no such row.
        """
        evaluation = self._rows["evaluation"][row]
        if self._points is None:
            return None
        at = np.searchsorted(self._points["evaluation"], evaluation)
        if at == len(self._points) or self._points["evaluation"][at] != evaluation:
            return None
        # Copied, so that whoever gets the parameters may write to them.
        return tuple(self._points[i][at, ...].copy() for i in range(self._width))

    def params(self, row: int) -> Any:
        """Candidate of a kept row, in the user's structure.

        Args:
            row: position of the row in the history; negative counts from the end.

        Returns:
            The candidate, or None if its parameters were not kept.

        Raises:
            IndexError: if there is no such row.
        """
        point = self.point(row)
        return None if point is None else self._to_python(point)

    def to_dict(self, flat: Flat | None = None) -> dict[str, Any]:
        """All columns by name.

        Args:
            flat: turns a candidate into one value a name; then there is a list
                `params.<name>` for each of them, with None where parameters were not kept.
                Default: no parameters.

        Returns:
            Arrays by name, and a list for each parameter.
        """
        table: dict[str, Any] = {name: self[name] for name in _COLUMNS}
        if flat is not None:
            found = in_columns(map(flat, self.candidates()), self.stored.tolist(), len(self))
            table |= {f"params.{name}": values for name, values in found.items()}
        return table

    def candidates(self, rows: np.ndarray | None = None) -> list[Any]:
        """Candidates of several kept rows, decoded together.

        Args:
            rows: int[n], positions among `stored`, not in the history. Default: all of them.

        Returns:
            One candidate each, in the user's structure.
        """
        if self._points is None:
            return []
        rows = np.arange(len(self._points)) if rows is None else rows
        if self._to_python_many is None:
            return [self.params(row) for row in self.stored[rows]]
        return self._to_python_many(tuple(self._points[i][rows] for i in range(self._width)))

    def to_pandas(self, flat: Flat | None = None) -> "pandas.DataFrame":
        """The history as a data frame.

        Args:
            flat: as for `to_dict`.

        Returns:
            One row a kept evaluation, columns as `to_dict` gives them; arrays are objects.

        Raises:
            ImportError: if pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError(
                "`to_pandas()`: pandas must be installed. Run `pip install pandas`, or use "
                "`to_dict()` or `to_csv(path)`, which do without."
            ) from error
        return pandas.DataFrame(self.to_dict(flat))
