"""Pictures of a suite: best value by evaluations, shares of targets reached, returns."""

import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compare import gap, reached, targets, value_after
from benchmarks.extras import require
from benchmarks.tables import BASE, Stage, mean_ranks

SHOWN = 8
"""Most lines with a colour and a name; the others are grey."""

COLOURS = ("#0072b2", "#009e73", "#e69f00", "#cc79a7", "#56b4e9", "#8c564b", "#7f7f00", "#555555")
OURS = ("#d40000", "#ff7f50")
GREY = "#cccccc"
GRID = 60


def draw(suite: str, stages: Sequence[Stage], folder: Path) -> Iterator[Path]:
    """Draw a suite.

    Args:
        suite: its name, which the files begin with.
        stages: its runs.
        folder: where the pictures go.

    Yields:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if all(line["optimum"] is None for line in _lines(stages)):
        yield _save(_returns(stages), folder / f"{suite}_returns.png")
        return
    for stage in stages:
        yield _save(_curves(stage), folder / f"{suite}_{stage.name}_curves.png")
    yield _save(_profiles(stages), folder / f"{suite}_profiles.png")


def _lines(stages: Sequence[Stage]) -> list[dict[str, Any]]:
    return [
        line
        for stage in stages
        for runs in stage.runs.values()
        for own in runs.values()
        for line in own.values()
    ]


def _save(figure: Any, path: Path) -> Path:
    """Save with few colours, which keeps the files small."""
    image, raw = require("PIL.Image"), io.BytesIO()
    figure.savefig(raw, format="png", dpi=90)
    require("matplotlib.pyplot").close(figure)
    image.open(raw).convert("RGB").quantize(64).save(path, optimize=True)
    return path


def _figure(rows: int, columns: int, width: float, height: float, **options: Any) -> Any:
    require("matplotlib").use("Agg")
    figure, axes = require("matplotlib.pyplot").subplots(
        rows,
        columns,
        figsize=(width * columns, height * rows + 0.5),
        squeeze=False,
        layout="constrained",
        **options,
    )
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=7)
    return figure, axes


def _styles(stages: Sequence[Stage]) -> dict[str, dict[str, Any]]:
    """How each rival is drawn: jaxhop strong, the best of the others in colours, the rest grey."""
    names = list(dict.fromkeys(name for stage in stages for name in stage.rivals()))
    places: dict[str, list[float]] = {name: [] for name in names}
    for stage in stages:
        own = mean_ranks(stage)
        for name in names:
            places[name].append(own.get(name, len(names)) / max(len(own), 1))
    order = sorted(names, key=lambda name: np.mean(places[name]))
    ours = [name for name in order if name.startswith(BASE)]
    others = [name for name in order if name not in ours]
    styles = {name: {"color": GREY, "lw": 0.8, "zorder": 1} for name in others}
    for name, colour in zip(others[: SHOWN - len(ours)], COLOURS, strict=False):
        styles[name] = {"color": colour, "lw": 1.3, "zorder": 2}
    for name, colour in zip(ours, OURS, strict=False):
        styles[name] = {"color": colour, "lw": 2.4, "zorder": 3}
    return styles


def _curves(stage: Stage) -> Any:
    """Median distance to the optimum by evaluations, with quartiles, a panel for each problem."""
    many = len(stage.runs) > 8
    columns = 6 if many else 3
    rows = math.ceil(len(stage.runs) / columns)
    size = (2.1, 1.7) if many else (4.2, 3.0)
    figure, axes = _figure(rows, columns, *size)
    styles = _styles([stage])
    for axis, (problem, runs) in zip(axes.flat, stage.runs.items(), strict=False):
        budget = next(line["budget"] for own in runs.values() for line in own.values())
        counts = np.geomspace(10, budget, GRID)
        ends = {}
        for name, own in runs.items():
            found = np.array(
                [
                    [gap(value_after(line, at), line["optimum"]) for at in counts]
                    for line in own.values()
                ]
            )
            low, middle, high = np.quantile(found, [0.25, 0.5, 0.75], axis=0)
            axis.loglog(counts, middle, **styles[name])
            if styles[name]["color"] != GREY:
                axis.fill_between(counts, low, high, color=styles[name]["color"], alpha=0.12, lw=0)
                ends[name] = middle[-1]
        axis.set_title(problem, fontsize=8 if many else 10)
        if many:
            # Names of the ticks in between would run into each other.
            axis.yaxis.set_minor_formatter(require("matplotlib.ticker").NullFormatter())
        else:
            _label(axis, ends, styles, log=True)
    for axis in axes.flat[len(stage.runs) :]:
        axis.set_visible(False)
    if many:
        _legend(figure, styles)
    else:
        figure.supxlabel("evaluations", fontsize=9)
    figure.supylabel("distance to the optimum, median and quartiles", fontsize=9)
    figure.suptitle(f"{stage.title}: distance by evaluations", fontsize=10)
    return figure


def _label(axis: Any, ends: dict[str, float], styles: dict[str, Any], log: bool) -> None:
    """Write names at the ends of lines, apart from each other."""
    if not ends:
        return
    low, high = axis.get_ylim()
    scale = np.log if log else np.asarray
    order = sorted(ends, key=lambda name: ends[name])
    at = (scale(np.array([ends[name] for name in order])) - scale(low)) / (
        scale(high) - scale(low)
    )
    step = 0.062
    for i in range(1, len(at)):
        at[i] = max(at[i], at[i - 1] + step)
    at -= max(at[-1] - 1.0, 0.0)
    for i in range(len(at) - 2, -1, -1):
        at[i] = min(at[i], at[i + 1] - step)
    for name, height in zip(order, at, strict=True):
        axis.annotate(
            name,
            (1.01, height),
            xycoords="axes fraction",
            fontsize=7.5,
            va="center",
            color=styles[name]["color"],
            fontweight="bold" if name.startswith(BASE) else "normal",
        )


def _legend(figure: Any, styles: dict[str, Any]) -> None:
    """Names of the coloured lines under the panels, jaxhop first."""
    lines = require("matplotlib.lines")
    shown = [name for name in styles if styles[name]["color"] != GREY]
    shown.sort(key=lambda name: not name.startswith(BASE))
    handles = [lines.Line2D([], [], **styles[name], label=name) for name in shown]
    handles.append(lines.Line2D([], [], color=GREY, lw=0.8, label="others"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8)


def _profiles(stages: Sequence[Stage]) -> Any:
    """Share of pairs of a problem and a target that were reached, by evaluations."""
    figure, axes = _figure(1, len(stages), 4.4, 3.4, sharey=True)
    styles = _styles(stages)
    for axis, stage in zip(axes.flat, stages, strict=True):
        needed: dict[str, list[np.ndarray]] = {}
        budget = max(line["budget"] for line in _lines([stage]))
        for runs in stage.runs.values():
            aims = targets([line for own in runs.values() for line in own.values()])
            for name in stage.whole:
                needed.setdefault(name, []).extend(
                    reached(line, aims) for line in runs[name].values()
                )
        counts, ends = np.geomspace(10, budget, GRID), {}
        for name, found in needed.items():
            all_of_them = np.concatenate(found)
            share = [np.mean(all_of_them <= at) for at in counts]
            axis.semilogx(counts, share, **styles[name])
            if styles[name]["color"] != GREY:
                ends[name] = share[-1]
        axis.set_ylim(0, 1)
        axis.set_title(stage.title, fontsize=10)
        _label(axis, ends, styles, log=False)
    figure.supxlabel("evaluations", fontsize=9)
    figure.supylabel("share of (problem, target) reached", fontsize=9)
    return figure


def _returns(stages: Sequence[Stage]) -> Any:
    """The returns of each seed's policy, a panel for each environment and budget."""
    problems = list(stages[0].runs)
    figure, axes = _figure(len(stages), len(problems), 3.2, 2.6, sharex="col")
    for row, stage in zip(axes, stages, strict=True):
        for axis, problem in zip(row, problems, strict=True):
            found = {
                name: [-line["best"] for line in own.values()]
                for name, own in stage.runs.get(problem, {}).items()
            }
            order = sorted(found, key=lambda name: np.median(found[name]))
            for height, name in enumerate(order):
                colour = OURS[0] if name.startswith(BASE) else "#555555"
                axis.plot(found[name], [height] * len(found[name]), ".", color=colour, alpha=0.6)
                axis.plot(np.median(found[name]), height, "|", color=colour, ms=11, mew=2)
            axis.set_yticks(range(len(order)), order, fontsize=6.5)
            for text in axis.get_yticklabels():
                if text.get_text().startswith(BASE):
                    text.set(color=OURS[0], fontweight="bold")
            axis.set_title(f"{problem}, {stage.title}", fontsize=7.5)
    figure.supxlabel("mean return of 256 fresh episodes, each seed and their median", fontsize=9)
    return figure
