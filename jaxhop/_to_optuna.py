"""A finished search as a study of Optuna, for its pictures and its dashboard."""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxhop._shown import ELEMENTS, summary
from jaxhop.space import Choice, Float, Int, Parameter, Permutation, Space
from jaxhop.space._check import spell

if TYPE_CHECKING:
    import optuna

    from jaxhop._result import Result

_SUMMARY = (-1,)  # in place of the position of an element
_PLAIN = (bool, int, float, str)  # what Optuna takes for an option, beside None


def to_optuna(result: "Result", storage: Any, study_name: str | None) -> "optuna.Study":
    """A study with the evaluations of a result; see `Result.to_optuna`.

    Args:
        result: the result.
        storage: where Optuna keeps the study; None for memory.
        study_name: its name.

    Returns:
        The study.

    Raises:
        ImportError: if Optuna is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ImportError(
            '`to_optuna()`: Optuna is not installed. Run `pip install "jaxhop[optuna]"`.'
        ) from error
    state = optuna.trial.TrialState
    states = {"completed": state.COMPLETE, "pruned": state.PRUNED, "partial": state.PRUNED}
    history = result.history
    table = {name: history[name][history.stored].tolist() for name in history.columns}
    params, distributions = tabled(result.space, map(result.flat, history.candidates()))
    began = datetime.fromtimestamp(result.finished) - timedelta(seconds=result.seconds)
    trials = []
    for at, own in enumerate(params):
        status, value = table["status"][at], table["value"][at]
        finite, took = math.isfinite(value), table["duration"][at]
        ended = began + timedelta(seconds=table["seconds"][at])
        trial = optuna.trial.create_trial(
            state=states.get(status, state.FAIL) if finite else state.FAIL,
            value=value if finite and status in states else None,
            params=own,
            distributions={name: distributions[name] for name in own},
            user_attrs={name: table[name][at] for name in ("evaluation", "status", "phase")},
        )
        trial.datetime_start = ended - timedelta(seconds=0.0 if math.isnan(took) else took)
        trial.datetime_complete = ended
        trials.append(trial)
    study = optuna.create_study(
        storage=storage,
        study_name=study_name,
        direction="minimize" if result.direction == "min" else "maximize",
    )
    study.set_user_attr("evaluations", result.evaluations)
    study.add_trials(trials)
    return study


def tabled(
    space: Space | None, flats: Iterator[dict[str, Any]]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Candidates as Optuna has them: numbers and options alone.

    Args:
        space: their space, if it is known.
        flats: for each candidate its values by name.

    Returns:
        For each candidate one number or option a column, and the distribution of each column.
    """
    parameters = {} if space is None else space.named_parameters()
    columns: dict[str, _Column] = {}
    rows = []
    for flat in flats:
        cells = []
        for name, value in flat.items():
            own = parameters.get(name, ())
            for column, index, element in _elements(name, value, own):
                if column not in columns:
                    columns[column] = _Column(column, own, index)
                cells.append((columns[column], *columns[column].taken(element)))
        rows.append(cells)
    params = [
        {
            column.named(number): value
            for column, number, value in cells
            if not number or math.isfinite(value)  # Optuna has no place for others
        }
        for cells in rows
    ]
    distributions: dict[str, Any] = {}
    for column in columns.values():
        distributions |= column.distributions()
    return params, distributions


def _elements(
    name: str, value: Any, parameters: Sequence[Parameter]
) -> Iterator[tuple[str, tuple[int, ...], Any]]:
    """Column, position and value of what a value is made of."""
    if not isinstance(value, np.ndarray) or any(isinstance(each, Choice) for each in parameters):
        yield name, (), value
    elif value.size <= ELEMENTS:
        for index, element in np.ndenumerate(value):
            yield f"{name}[{','.join(map(str, index))}]", index, element
    elif not any(isinstance(each, Permutation) for each in parameters):  # all have the same mean
        for what, each in summary(value).items():
            yield f"{name}.{what}", _SUMMARY, each


class _Range(NamedTuple):
    """Bounds of a number, None where there are none, and how it moves between them."""

    low: float | None
    high: float | None
    log: bool
    step: float | None


class _Column:
    """A column: the parameters that it is about, and what was seen in it.

    Options of a conditional choice may have numbers and other things under one name; then the
    other things have a column of their own.

    Args:
        name: of the column.
        parameters: those of the name.
        index: position of its elements in theirs.
    """

    def __init__(self, name: str, parameters: Sequence[Parameter], index: tuple[int, ...]) -> None:
        self._name = name
        ranges = [_range(each, index) for each in parameters]
        self._ranges = {each for each in ranges if each is not None}
        # Beside a number it would be the one that tells which option of a choice that is.
        choices = [] if self._ranges else [each for each in parameters if isinstance(each, Choice)]
        self._choices = [(each.choices, _labels(each)) for each in choices]
        self._options = {label: None for _, labels in self._choices for label in labels}
        self._numbers: list[float] = []

    def named(self, number: bool) -> str:
        """Name of the column of numbers, or of other values."""
        return self._name if number or not self._numbers else f"{self._name}.option"

    def taken(self, value: Any) -> tuple[bool, Any]:
        """Whether a value is a number, and it or its label."""
        for options, labels in self._choices:
            position = options.position(value)
            if position is not None:
                return False, labels[position]
        if isinstance(value, np.generic):
            # float32 0.1 means 0.1, not 0.10000000149.
            value = float(str(value)) if value.dtype.kind == "f" else value.item()
        if isinstance(value, int | float) and not isinstance(value, bool):
            self._numbers += [value] if math.isfinite(value) else []
            return True, value
        label = _label(value)
        self._options[label] = None
        return False, label

    def distributions(self) -> dict[str, Any]:
        """Those of its columns by name."""
        from optuna.distributions import CategoricalDistribution

        found: dict[str, Any] = {}
        if self._numbers:
            found[self.named(True)] = self._between()
        if self._options:
            found[self.named(False)] = CategoricalDistribution(tuple(self._options))
        return found

    def _between(self) -> Any:
        """The distribution of its numbers: all that are possible, and all that were seen."""
        from optuna.distributions import FloatDistribution, IntDistribution

        lows = [each.low for each in self._ranges if each.low is not None]
        highs = [each.high for each in self._ranges if each.high is not None]
        low, high = min([*lows, *self._numbers]), max([*highs, *self._numbers])
        log = bool(self._ranges) and all(each.log for each in self._ranges) and low > 0
        steps = {each.step for each in self._ranges if (each.low, each.high) == (low, high)}
        step = steps.pop() if len(steps) == len(self._ranges) == 1 else None
        if all(isinstance(number, int) for number in self._numbers):
            return IntDistribution(int(low), int(high), log=log, step=int(step or 1))
        return FloatDistribution(low, high, log=log, step=step)


def _range(parameter: Parameter, index: tuple[int, ...]) -> _Range | None:
    """The range of one element of a parameter; None if it has none."""
    if index == _SUMMARY or len(getattr(parameter, "shape", index)) != len(index):
        return None
    if isinstance(parameter, Float):
        decimals = None if parameter.log else parameter.precision
        step = None if decimals is None else float(f"1e-{decimals}")
        low, high = (
            None if bound is None else float(np.broadcast_to(bound, parameter.shape)[index])
            for bound in (parameter.low, parameter.high)
        )
        return _Range(low, high, parameter.log, step)
    if isinstance(parameter, Int):
        low, high = (
            int(np.broadcast_to(parameter.value_of(np, number), parameter.shape)[index])
            for number in parameter.numbers()
        )
        log = parameter.log or parameter.power_of is not None
        return _Range(low, high, log, parameter.multiple_of)
    return _Range(0, parameter.n - 1, False, None) if isinstance(parameter, Permutation) else None


def _labels(choice: Choice) -> list[Any]:
    """What stands for each option of a choice: itself if Optuna takes it, else a text."""
    labels = [_label(option) for option in choice.choices.options]
    texts = [str(label) for label in labels]
    return [
        label if texts.count(text) == 1 else f"{text} ({at})"
        for at, (label, text) in enumerate(zip(labels, texts, strict=True))
    ]


def _label(value: Any) -> Any:
    return value if value is None or type(value) in _PLAIN else spell(value)
