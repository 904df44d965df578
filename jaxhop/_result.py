"""What a search returns: the best candidate, how it was found, and tables of it."""

import csv
import json
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from jaxhop._budget import format_seconds
from jaxhop._history import Flat, History
from jaxhop._phases import Phase, format_phases

if TYPE_CHECKING:
    import optuna
    import pandas
    from matplotlib.axes import Axes

    from jaxhop.space import Space

StopReason = Literal[
    "runtime",
    "evaluations",
    "target",
    "cost",
    "patience",
    "interrupted",
    "preempted",
    "exhausted",
    "disk",
    "unfinished",
]
"""runtime, evaluations, target, cost, patience: that part of the budget; interrupted: Ctrl-C or a
callback; preempted: SIGTERM; exhausted: the space holds no candidate that was not tried; disk: it
is full; unfinished: it was killed or goes on, and this is what its directory holds."""

_PARAMS_SHOWN = 6  # by `repr`, which is to stay short whatever the space


def format_rate(evaluations: float, seconds: float) -> str:
    """Writes a number of evaluations a second.

    Args:
        evaluations: how many.
        seconds: in which time; in no time it is 0 a second.

    Returns:
        Text such as `"95.1k/s"`.

    Example:
        >>> format_rate(2_853_000, 30.0)
        '95.1k/s'
    """
    rate = evaluations / seconds if seconds > 0 else 0.0
    for unit in ("", "k", "M"):
        if rate < 999.5:
            return f"{rate:.3g}{unit}/s"
        rate /= 1000
    return f"{rate:.3g}G/s"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Result:
    """What a search found, and how.

    Attributes:
        best: the best candidate, in the user's structure.
        best_value: its value, in the user's direction.
        history: the record of the evaluations.
        stop_reason: what ended the search: `"runtime"`, `"evaluations"`, `"target"`, `"cost"`,
            `"patience"`, `"interrupted"` (Ctrl-C or a callback), `"preempted"` (SIGTERM),
            `"exhausted"` or `"disk"` (which is full); `"unfinished"` if it was loaded from the
            directory of a search that was killed or goes on.
        evaluations: how many evaluations were made, exactly.
        seconds: how long they took.
        compile_seconds: how long compilation took, on top of `seconds`.
        nan_share: share of the evaluations that were NaN or infinite.
        phases: the table of phases, exact also where the history is thinned.
        direction: `"min"` or `"max"`.
        seed: the seed of the search.
        flat: turns a candidate into one value a name, for tables.
        space: the space that was searched; None if it was loaded from a directory that cannot
            tell it.
        aux: what the objective returned beside the value of the best candidate, or None.
        materialised: how many operations of the objective had low-rank matrices written out for
            them, because they have no rule for such (or quax is not installed); 0 is fastest.
        finished: when the search ended, in seconds since 1970, UTC.

    Example:
        >>> import tempfile, jaxhop
        >>> result = jaxhop.search(
        ...     lambda params: params["k"] ** 2, {"k": jaxhop.int(1, 4)}, evaluations=4,
        ...     backend="python",
        ... )
        >>> result.best_params, result.best_value, result.stop_reason
        ({'k': 1}, 1.0, 'evaluations')
        >>> result.top(3)
        [(1.0, {'k': 1}), (4.0, {'k': 2}), (9.0, {'k': 3})]
        >>> table = result.to_pandas()
        >>> float(table["value"].max()), len(table)
        (16.0, 4)
        >>> axes = result.plot()
        >>> with tempfile.TemporaryDirectory() as place:
        ...     result.to_csv(f"{place}/trials.csv")
        ...     result.report(f"{place}/out.html", title="k squared")
    """

    best: Any
    best_value: float
    history: History
    stop_reason: StopReason
    evaluations: int
    seconds: float
    compile_seconds: float
    nan_share: float
    phases: tuple[Phase, ...]
    direction: str
    seed: int
    flat: Flat
    space: "Space | None" = None
    aux: Any = None
    materialised: int = 0
    finished: float = field(default_factory=time.time)

    @property
    def best_params(self) -> Any:
        """The best candidate: another name of `best`."""
        return self.best

    def top(self, k: int) -> list[tuple[float, Any]]:
        """The best candidates, each once.

        Args:
            k: how many, at least 1.

        Returns:
            Up to k pairs of value and candidate, best first, among the evaluations whose
            parameters were kept. Of equal candidates the best evaluation counts. In a space of
            more than 8 MiB only the best one is kept.

        Raises:
            ValueError: if k is less than 1.
        """
        if k < 1:
            raise ValueError(f"`top(k={k!r})`: `k >= 1` must hold. Say `top(5)`.")
        values = self.history["value"]
        rows = self.history.stored
        rows = rows[self.history.usable[rows]]
        if not len(rows):  # a point is too wide for the history, or there is no value at all
            return [] if np.isnan(self.best_value) else [(self.best_value, self.best)]
        order = np.argsort(
            values[rows] if self.direction == "min" else -values[rows], kind="stable"
        )
        found: dict[Any, tuple[float, Any]] = {}
        points = set()  # spares decoding a point twice
        for row in rows[order].tolist():
            point = tuple(column.tobytes() for column in self.history.point(row) or ())
            if point not in points:
                points.add(point)
                candidate = self.history.params(row)
                # Two points can be one candidate, where values are rounded.
                key = tuple((name, _key(leaf)) for name, leaf in self.flat(candidate).items())
                found.setdefault(key, (float(values[row]), candidate))
            if len(found) >= k:
                break
        return list(found.values())

    def to_pandas(self) -> "pandas.DataFrame":
        """The history as a data frame.

        Returns:
            One row a kept evaluation: evaluation, value, phase, step, seconds, temperature,
            accepted, and `params.<name>` for each parameter where any was kept. Arrays are
            objects.

        Raises:
            ImportError: if pandas is not installed.
        """
        return self.history.to_pandas(self.flat)

    def to_optuna(self, storage: Any = None, study_name: str | None = None) -> "optuna.Study":
        """The search as a study of Optuna, so that all of `optuna.visualization` draws it.

        Each evaluation whose parameters were kept is a trial: completed ones, failed ones (NaN
        and infinity included), and pruned ones (those of a low fidelity included), whose last
        estimate is the value; the estimates before it are not kept. The trial's attributes say
        its `evaluation`, `status` and `phase`.
        Parameters are named and ranged as in the space. One without bounds ranges over what was
        seen, powers are on a logarithmic scale, and options that are objects are texts. Arrays of
        up to 64 elements have a parameter for each, `w[0]`; of longer ones there are `w.mean`,
        `w.std`, `w.min` and `w.max`, and nothing of longer permutations. Where options of one
        choice have a number and something else under one name, the latter is `name.option`.
        Trials are dated as if the search had gone on without a break until it was `finished`.

        Args:
            storage: where Optuna keeps the study, such as `"sqlite:///study.db"` for its
                dashboard. Default: in memory.
            study_name: its name. Default: Optuna makes one up.

        Returns:
            An `optuna.Study`, finished; `study.best_value` is that of the best kept evaluation.

        Raises:
            ImportError: if Optuna is not installed.

        Example:
            >>> import jaxhop
            >>> result = jaxhop.search(
            ...     lambda params: (params["x"] - 0.3) ** 2, {"x": jaxhop.float(0, 1, "0.2f")},
            ...     evaluations=20, backend="python",
            ... )
            >>> study = result.to_optuna()
            >>> study.best_params == result.best, len(study.trials)
            (True, 20)
            >>> study.trials[0].distributions
            {'x': FloatDistribution(high=1.0, log=False, low=0.0, step=0.01)}
        """
        from jaxhop._to_optuna import to_optuna

        return to_optuna(self, storage, study_name)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Writes the history as a CSV file, over any file that is there.

        Columns are those of `to_pandas`. Arrays are JSON lists; parameters that were not kept
        are empty. pandas is not needed.

        Args:
            path: where to write.
        """
        table = self.history.to_dict(self.flat)
        columns = [
            # numpy's text is the shortest that reads back to the same float32 or float64.
            column.astype(str).tolist() if isinstance(column, np.ndarray) else map(cell, column)
            for column in table.values()
        ]
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(table)
            writer.writerows(zip(*columns, strict=True))

    def plot(self, path: str | os.PathLike[str] | None = None) -> "tuple[Axes, ...]":
        """Draws the two pictures that matter most: `jaxhop.plots.history` and `slice`.

        Args:
            path: where to write them, over any file that is there, in the format that its ending
                names (`.png`, `.pdf`, `.svg`). Default: they are not written.

        Returns:
            The matplotlib axes of both; of the first alone, where no parameter is a number or an
            option.

        Raises:
            ImportError: if matplotlib is not installed.
            ValueError: if matplotlib does not know the format.
            OSError: if the file cannot be written.
        """
        from jaxhop.plots._overview import overview

        return overview(self, path)

    def report(self, path: str | os.PathLike[str], *, title: str = "jaxhop result") -> None:
        """Writes one page of HTML about the search, over any file that is there.

        It holds the best parameters, pictures, a table of the best 1,000 trials that can be
        sorted, and the versions of the packages. It is one file of about 5 MB, needs no server,
        and loads nothing.

        Args:
            path: where to write.
            title: the heading. Default: `"jaxhop result"`.

        Raises:
            ImportError: if a package of the extra `plots` is not installed.
        """
        from jaxhop.plots._report import page

        text = page(self, title)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def __repr__(self) -> str:
        lines = [
            f"Result: best value {self.best_value:.6g} ({self.direction}), "
            f"stopped by {self.stop_reason}",
            f"best: {'none' if self.best is None else _summary(self.flat(self.best))}",
            f"{self.evaluations:,} evaluations in {format_seconds(self.seconds)} "
            f"({format_rate(self.evaluations, self.seconds)}), "
            f"compiled in {format_seconds(self.compile_seconds)}",
        ]
        if self.nan_share:
            lines.append(f"{self.nan_share:.2%} of the values were NaN or infinite")
        if self.materialised:
            plural = "s" if self.materialised > 1 else ""
            lines.append(f"{self.materialised} operation{plural} wrote low-rank matrices out")
        return "\n".join([*lines, format_phases(self.phases)])


def _key(leaf: Any) -> Any:
    """Something to tell leaves apart by; options that cannot be hashed are themselves only."""
    if isinstance(leaf, np.ndarray):
        return leaf.shape, leaf.tobytes()
    try:
        hash(leaf)
    except TypeError:
        # Options that can be changed are copies each time.
        return repr(leaf) if isinstance(leaf, list | dict | set) else id(leaf)
    return leaf


def cell(leaf: Any) -> str:
    """A value as a cell of a CSV file: arrays are JSON lists, None is empty."""
    if leaf is None:
        return ""
    return json.dumps(leaf.tolist()) if isinstance(leaf, np.ndarray) else str(leaf)


def _summary(flat: dict[str, Any]) -> str:
    shown = [f"{name}={_short(leaf)}" for name, leaf in list(flat.items())[:_PARAMS_SHOWN]]
    more = len(flat) - len(shown)
    return ", ".join(shown) + (f", and {more} more" if more else "")


def _short(leaf: Any) -> str:
    if isinstance(leaf, np.ndarray):
        return f"{leaf.dtype}{list(leaf.shape)}"
    text = f"{leaf:.6g}" if isinstance(leaf, float) else repr(leaf)
    return text if len(text) <= 40 else f"{text[:37]}..."
