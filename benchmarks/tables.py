"""Tables in Markdown, and pictures, of what `benchmarks.suite` stored."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from benchmarks.compare import gap, ranks, value_at, verdict
from benchmarks.report import origin, table

Line = dict[str, Any]

BASE = "jaxhop"
COLUMNS = 8
"""Most rivals in a table with a row for each problem, where problems are many."""


class Stage(NamedTuple):
    """The runs with one number of coordinates and one budget.

    Attributes:
        title: for people.
        name: for files.
        runs: lines by problem, rival and seed.
        whole: the rivals that ran on every problem, with all seeds; they have ranks.
    """

    title: str
    name: str
    runs: dict[str, dict[str, dict[int, Line]]]
    whole: list[str]

    def values(self, problem: str, rival: str) -> dict[int, float]:
        """Distances to the optimum by seed."""
        runs = self.runs[problem].get(rival, {})
        return {seed: gap(line["best"], line["optimum"]) for seed, line in runs.items()}

    def rivals(self) -> list[str]:
        """All of them, jaxhop first."""
        names = dict.fromkeys(name for runs in self.runs.values() for name in runs)
        return sorted(names, key=lambda name: not name.startswith(BASE))


def newest(lines: Iterable[Line]) -> list[Line]:
    """Of runs that differ only in version or date, the newest counts."""
    found: dict[Any, Line] = {}
    for line in sorted(lines, key=lambda line: line["date"]):
        found[line["problem"], line["dim"], line["budget"], line["rival"], line["seed"]] = line
    return list(found.values())


def stages(lines: Sequence[Line]) -> Iterator[Stage]:
    """Sort lines by number of coordinates and budget.

    Problems with sizes of their own are one stage for each budget.

    Args:
        lines: what `newest` returned.

    Yields:
        The stages, from few coordinates to many.
    """
    fixed = any(line["suite"] == "policies" for line in lines)
    sizes = sorted({(0 if fixed else line["dim"], line["budget"]) for line in lines})
    for dim, budget in sizes:
        runs: dict[str, dict[str, dict[int, Line]]] = {}
        for line in lines:
            if line["budget"] == budget and (fixed or line["dim"] == dim):
                own = runs.setdefault(line["problem"], {}).setdefault(line["rival"], {})
                own[line["seed"]] = line
        runs = {name: runs[name] for name in sorted(runs)} if len(runs) > 8 else runs
        seeds = {name: set().union(*map(set, own.values())) for name, own in runs.items()}
        names = dict.fromkeys(name for own in runs.values() for name in own)
        whole = [
            name
            for name in names
            if all(set(runs[problem].get(name, {})) == seeds[problem] for problem in runs)
        ]
        size = "" if fixed else f"D = {dim:,}, "
        name = f"{budget}" if fixed else f"d{dim}"
        yield Stage(f"{size}{budget:,} evaluations", name, runs, whole)


def mean_ranks(stage: Stage) -> dict[str, float]:
    """Mean rank of each rival that ran everywhere, over problems and seeds, the best first."""
    places: dict[str, list[float]] = {name: [] for name in stage.whole}
    for problem in stage.runs:
        own = ranks({name: stage.values(problem, name) for name in stage.whole})
        for name, place in own.items():
            places[name].append(place)
    means = {name: fmean(own) for name, own in places.items()}
    return dict(sorted(means.items(), key=lambda item: item[1]))


def verdicts(stage: Stage, rival: str, in_time: bool = False) -> Counter[str]:
    """On how many problems jaxhop wins, ties and loses against a rival.

    Args:
        stage: the runs.
        rival: whom.
        in_time: whether the rival has as many seconds as jaxhop took, in place of as many
            evaluations.

    Returns:
        Counts of `"win"`, `"tie"` and `"loss"`.
    """
    found: Counter[str] = Counter()
    for problem, runs in stage.runs.items():
        if BASE not in runs or rival not in runs:
            continue
        theirs = list(stage.values(problem, rival).values())
        if in_time:
            theirs = at_equal_time(runs[BASE], runs[rival])
        found[verdict(list(stage.values(problem, BASE).values()), theirs)] += 1
    return found


def at_equal_time(ours: dict[int, Line], theirs: dict[int, Line]) -> list[float]:
    """What a rival had when jaxhop was done, by the seeds that both have.

    What a run compiled may serve the next one; the longest compilation of all seeds counts.
    """
    own = max(line["compile_seconds"] for line in theirs.values())
    found = []
    for seed in sorted(set(ours) & set(theirs)):
        end = ours[seed]["seconds"] + ours[seed]["compile_seconds"]
        found.append(gap(value_at(theirs[seed], end, own), theirs[seed]["optimum"]))
    return found


def summary(stage: Stage) -> Iterator[str]:
    """Write the table of mean ranks, and of jaxhop's wins, ties and losses."""
    places = mean_ranks(stage)
    ours = any(BASE in runs for runs in stage.runs.values())
    timed = ours and all(
        line["curve"] and line["optimum"] is not None
        for runs in stage.runs.values()
        for own in runs.values()
        for line in own.values()
    )
    head = ["rival", "mean rank", "jaxhop wins", "ties", "loses"]
    head += ["wins in equal time", "ties", "loses"] if timed else []
    rows = []
    for name in [*places, *(name for name in stage.rivals() if name not in places)]:
        rank = f"{places[name]:.2f}" if name in places else "not all runs"
        cells = [_strong(name), rank]
        for in_time in (False, True) if timed else (False,):
            own = Counter() if name == BASE or not ours else verdicts(stage, name, in_time)
            cells += [str(own[key]) if own else "" for key in ("win", "tie", "loss")]
        rows.append(cells)
    yield from table(head, rows)


def cell(values: Sequence[float]) -> str:
    """Median and quartiles."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.3g} ({low:.2g} to {high:.2g})"


def medians(stage: Stage) -> Iterator[str]:
    """Write the table of medians and quartiles: of distances, or of returns."""
    order = list(mean_ranks(stage))
    order += [name for name in stage.rivals() if name not in order]

    def entry(problem: str, name: str) -> str:
        lines = stage.runs[problem].get(name, {}).values()
        values = [
            -line["best"] if line["optimum"] is None else line["best"] - line["optimum"]
            for line in lines
        ]
        stopped = any(line["stopped"] for line in lines)
        return cell(values) + (" stopped" if stopped else "") if values else ""

    if len(stage.runs) <= COLUMNS:
        head = ["median (quartiles)", *stage.runs]
        rows = [[_strong(name), *(entry(each, name) for each in stage.runs)] for name in order]
    else:
        best = [name for name in order if not name.startswith(BASE)]
        ours = [name for name in order if name.startswith(BASE)]
        shown = [*ours, *best[: COLUMNS - len(ours)]]
        head = ["median (quartiles)", *shown]
        rows = [[each, *(entry(each, name) for name in shown)] for each in stage.runs]
    yield from table(head, rows)


def _strong(name: str) -> str:
    return f"**{name}**" if name.startswith(BASE) else name


def render(lines: Sequence[Line]) -> str:
    """Write the whole report.

    Args:
        lines: of `benchmarks.suite`.

    Returns:
        Markdown.
    """
    parts = list(origin(lines))
    for stage in stages(newest(lines)):
        most = max(len(own) for runs in stage.runs.values() for own in runs.values())
        parts += ["", f"### {stage.title}, {most} seeds", "", *summary(stage), ""]
        parts += medians(stage)
    return "\n".join(parts) + "\n"


def main(lines: Sequence[Line], options: argparse.Namespace) -> int:
    """Print the report on a suite and draw its pictures.

    Args:
        lines: what stands in its file.
        options: of the command line of `benchmarks.suite`.

    Returns:
        0.
    """
    from benchmarks import pictures  # matplotlib is only for those who draw

    sys.stdout.write(render(lines))
    folder = options.pictures or Path("benchmarks/pictures")
    for path in pictures.draw(options.suite, list(stages(newest(lines))), folder):
        print(f"\n![{path.stem}]({path})")
    return 0
