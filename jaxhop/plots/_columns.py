"""The parameters of a result as columns of numbers: what all plots of parameters draw."""

import numbers
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxhop._history import in_columns

if TYPE_CHECKING:
    from jaxhop._result import Result

ROWS = 3000  # trials that are decoded: more of them make no other picture
_CELLS = 200_000  # rows times parameters, so that a wide space takes seconds
_OPTIONS = 24  # more different texts than that are names, and no axis


class Column(NamedTuple):
    """One parameter, or one statistic of an array.

    Attributes:
        name: what is written at its axis.
        numbers: float64[n]; positions in `options` if there are any; NaN where a trial has no
            such parameter.
        log: whether its axis is logarithmic.
        options: what the numbers stand for, empty if for themselves.
    """

    name: str
    numbers: np.ndarray
    log: bool = False
    options: tuple[str, ...] = ()

    @property
    def known(self) -> np.ndarray:
        """bool[n]: which trials have the parameter."""
        return ~np.isnan(self.numbers)

    @property
    def heights(self) -> np.ndarray:
        """float64[n]: the numbers, or their logarithms if the axis is logarithmic."""
        return np.log10(self.numbers) if self.log else self.numbers


class Table(NamedTuple):
    """The trials whose parameters and values are known.

    Attributes:
        values: float64[n].
        evaluation: int64[n], the number of each trial, ascending.
        columns: the parameters that more than one value was tried of.
    """

    values: np.ndarray
    evaluation: np.ndarray
    columns: list[Column]

    def named(self, names: Sequence[str], call: str) -> list[Column]:
        """Columns by their names.

        Args:
            names: which.
            call: what the user wrote, for errors.

        Returns:
            One column each.

        Raises:
            ValueError: if there is no such column.
        """
        own = {column.name: column for column in self.columns}
        missing = [name for name in names if name not in own]
        if missing:
            raise ValueError(
                f"`{call}`: {missing[0]!r} must be a parameter that more than one value was tried"
                f" of. Choose among {', '.join(map(repr, own)) or 'none'}."
            )
        return [own[name] for name in names]


def read(result: "Result", call: str, rows: int = ROWS) -> Table:
    """The parameters of a result.

    Numbers are themselves; options, booleans and other objects are texts; an array is its mean
    and its standard deviation, however large it is. Trials without a value are left out.

    Args:
        result: the result.
        call: what the user wrote, for errors.
        rows: how many trials at most: the best tenth of them, and others evenly spaced.

    Returns:
        The table.

    Raises:
        ValueError: if there is no trial or no parameter to draw.
    """
    history = result.history
    stored = history.stored
    usable = np.flatnonzero(history.usable[stored])
    values = history["value"][stored]
    chosen = _thinned(usable, values, result.direction, affordable(result, rows))
    flats = map(result.flat, history.candidates(chosen))
    listed = in_columns(flats, range(len(chosen)), len(chosen))
    parameters = {} if result.space is None else result.space.named_parameters()
    columns = [
        column
        for name, cells in listed.items()
        for column in _columns(name, cells, parameters.get(name, []))
        if np.nanmin(column.numbers) < np.nanmax(column.numbers)
    ]
    if not columns:
        raise ValueError(
            f"`{call}`: there must be a number or an option of which two values were tried, with"
            f" finite values of the objective; there are {len(chosen)} such trials. Search longer,"
            " or draw `jaxhop.plots.history(result)`."
        )
    return Table(values[chosen], history["evaluation"][stored[chosen]], columns)


def affordable(result: "Result", rows: int) -> int:
    """How many trials are decoded: fewer where the space is wide.

    Args:
        result: of a search.
        rows: at most.

    Returns:
        A number, at least 100 unless `rows` is less.
    """
    width = 1 if result.best is None else max(1, len(result.flat(result.best)))
    return min(rows, max(100, _CELLS // width))


def _thinned(usable: np.ndarray, values: np.ndarray, direction: str, rows: int) -> np.ndarray:
    if len(usable) <= rows:
        return usable
    order = np.argsort(values[usable] if direction == "min" else -values[usable], kind="stable")
    spaced = np.linspace(0, len(usable) - 1, rows - rows // 10).astype(int)
    return np.union1d(usable[order[: rows // 10]], usable[spaced])


def _columns(name: str, cells: list[Any], parameters: Sequence[Any]) -> list[Column]:
    """What is drawn of the values of one name; cells are None where there is none."""
    some = [cell for cell in cells if cell is not None]
    if not some:
        return []
    # Options of a choice are kept apart even where they are numbers, in the user's order.
    choices = [leaf.choices.options for leaf in parameters if hasattr(leaf, "choices")]
    if choices:
        texts = [_text(option) for options in choices for option in options]
        return _of_options(name, cells, texts)
    if all(isinstance(cell, np.ndarray) and cell.dtype.kind in "biuf" for cell in some):
        log = _is_log(parameters)
        return [
            _of_numbers(f"{name} mean", [_statistic(np.mean, cell) for cell in cells], log),
            _of_numbers(f"{name} std", [_statistic(np.std, cell) for cell in cells], False),
        ]
    if all(_is_number(cell) for cell in some):
        return [_of_numbers(name, cells, _is_log(parameters))]
    return _of_options(name, cells, sorted({_text(cell) for cell in some}))


def _statistic(kind: Any, cell: Any) -> float | None:
    return None if cell is None or not cell.size else float(kind(cell, dtype=np.float64))


def _is_number(cell: Any) -> bool:
    return isinstance(cell, numbers.Real) and not isinstance(cell, bool | np.bool_)


def _is_log(parameters: Sequence[Any]) -> bool:
    return bool(parameters) and all(
        getattr(leaf, "log", False) or getattr(leaf, "power_of", None) for leaf in parameters
    )


def _of_numbers(name: str, cells: list[Any], log: bool) -> Column:
    column = np.array([np.nan if cell is None else float(cell) for cell in cells])
    return Column(name, column, log and bool(np.nanmin(column) > 0))


def _of_options(name: str, cells: list[Any], texts: Sequence[str]) -> list[Column]:
    found = {_text(cell) for cell in cells if cell is not None}
    options = [text for text in dict.fromkeys(texts) if text in found]
    options += sorted(found - set(options))
    if len(options) > _OPTIONS:
        return []
    place = {text: at for at, text in enumerate(options)}
    column = [np.nan if cell is None else place[_text(cell)] for cell in cells]
    return [Column(name, np.array(column, np.float64), False, tuple(options))]


def _text(cell: Any) -> str:
    text = cell if isinstance(cell, str) else getattr(cell, "__name__", None) or repr(cell)
    text = " ".join(text.split())
    return text if len(text) <= 16 else f"{text[:13]}..."
