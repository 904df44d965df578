"""A result as one page of HTML that needs neither a server nor a network."""

import base64
import functools
import html
import importlib.metadata
import importlib.resources
import io
import os
import platform
import string
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxhop._budget import format_seconds
from jaxhop._phases import format_phases
from jaxhop._result import format_rate
from jaxhop.plots import _canvas, _plotly
from jaxhop.plots._columns import affordable, read
from jaxhop.plots._importance import importance
from jaxhop.plots._parallel import parallel_coordinates

if TYPE_CHECKING:
    from jaxhop._result import Result

_TRIALS = 1000  # rows of the table: more of them make a browser slow
_NAMES = 50  # columns of parameters in the table of trials
_ENTRIES = 8  # of an array that are written out
_BEST = 500  # rows of the table of the best parameters
_COLUMNS = ("evaluation", "value", "status", "phase", "seconds", "duration", "worker")
_PACKAGES = ("jaxhop", "jax", "jaxlib", "numpy", "optax", "matplotlib", "plotly", "scikit-learn")


def page(result: "Result", title: str) -> str:
    """The page.

    Args:
        result: of a search.
        title: its heading.

    Returns:
        HTML, with plotly's JavaScript in it once.

    Raises:
        ImportError: if a package is not installed.
    """
    call = "result.report"
    plotly = _canvas.package("plotly.io", call)
    to_html = functools.partial(
        plotly.to_html, full_html=False, config={"displaylogo": False, "responsive": True}
    )
    template = importlib.resources.files("jaxhop.plots").joinpath("report.html")
    history = to_html(_plotly.history_figure(result), include_plotlyjs=True)
    trials, shown = _trials(result)
    parts = {
        "title": html.escape(title),
        "best_value": f"{result.best_value:.6g}",
        "direction": "minimised" if result.direction == "min" else "maximised",
        "summary": _pairs(_summary(result)),
        "best": _best(result),
        "history": history,
        "parameters": _parameters(result, to_html),
        "trials": trials,
        "shown": shown,
        "phases": html.escape(format_phases(result.phases)),
        "seed": str(result.seed),
        "environment": _pairs(_environment()),
    }
    return string.Template(template.read_text(encoding="utf-8")).substitute(parts)


def _summary(result: "Result") -> list[tuple[str, str]]:
    rate = format_rate(result.evaluations, result.seconds)
    compilation = format_seconds(result.compile_seconds)
    return [
        ("stopped by", result.stop_reason),
        ("evaluations", f"{result.evaluations:,} ({rate}), {result.nan_share:.2%} not finite"),
        ("time", f"{format_seconds(result.seconds)}, and {compilation} of compilation"),
        ("finished", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(result.finished))),
        ("seed", str(result.seed)),
    ]


def _environment() -> list[tuple[str, str]]:
    versions = []
    for name in _PACKAGES:
        try:
            versions.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            versions.append((name, "not installed"))
    system = [("system", platform.platform()), ("processors", str(os.cpu_count()))]
    return [("Python", platform.python_version()), *system, *versions]


def _best(result: "Result") -> str:
    if result.best is None:
        return "<p>No trial has a value.</p>"
    flat = list(result.flat(result.best).items())
    more = f"<p class='small'>And {len(flat) - _BEST:,} more.</p>" if len(flat) > _BEST else ""
    return _pairs((name, _text(value)) for name, value in flat[:_BEST]) + more


def _parameters(result: "Result", to_html: Any) -> str:
    """The pictures of the parameters, as far as there is something to draw."""
    try:
        table = read(result, "result.report")
    except ValueError:
        return ""
    figure = _plotly.slice_figure(result, table)
    parts = [
        "<h2>Values over the parameters</h2>",
        to_html(figure, include_plotlyjs=False),
        _picture(parallel_coordinates, result, "All parameters at once, a line a trial"),
    ]
    try:
        parts += ["<h2>Which parameters mattered</h2>", _picture(importance, result, "Importance")]
    except ValueError as error:  # there are too few trials
        parts.append(f"<p class='small'>{html.escape(str(error))}</p>")
    return "\n".join(parts)


def _picture(plot: Any, result: "Result", alt: str) -> str:
    """A picture of matplotlib within the page."""
    pyplot = _canvas.package("matplotlib.pyplot", "result.report")
    figure = plot(result).figure
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    pyplot.close(figure)
    data = base64.b64encode(file.getvalue()).decode()
    return f'<p><img alt="{html.escape(alt)}" src="data:image/png;base64,{data}"></p>'


def _trials(result: "Result") -> tuple[str, str]:
    """The table of the best trials, and the sentence that says how many of all they are."""
    history = result.history
    stored = history.stored
    values = history["value"][stored]
    heights = values if result.direction == "min" else -values
    worse = np.where(history.usable[stored], heights, np.inf)
    chosen = np.argsort(worse, kind="stable")[: affordable(result, _TRIALS)]
    flats = [result.flat(candidate) for candidate in history.candidates(chosen)]
    names = list(dict.fromkeys(name for flat in flats for name in flat))
    columns = [history[name][stored[chosen]].tolist() for name in _COLUMNS]
    rows = [
        [*(_text(value) for value in own), *(_text(flat.get(name)) for name in names[:_NAMES])]
        for own, flat in zip(zip(*columns, strict=True), flats, strict=True)
    ]
    shown = f"The best {len(rows):,} of {result.evaluations:,} trials"
    shown += f", with {_NAMES} of {len(names):,} parameters." if len(names) > _NAMES else "."
    heads = [
        f"<th><button>{html.escape(name)}</button></th>" for name in (*_COLUMNS, *names[:_NAMES])
    ]
    head = f"<thead><tr>{''.join(heads)}</tr></thead>"
    body = "\n".join(f"<tr>{_cells(row)}</tr>" for row in rows)
    return f"<table id='trials'>{head}<tbody>{body}</tbody></table>", shown


def _text(value: Any) -> str:
    """A value in a cell; arrays are summed up."""
    if value is None:
        return ""
    if isinstance(value, np.ndarray) and value.size > _ENTRIES:
        shape = f"{value.dtype}{list(value.shape)}"
        if value.dtype.kind not in "biuf":
            return shape
        mean, std = value.mean(dtype=np.float64), value.std(dtype=np.float64)
        return f"{shape} mean {mean:.4g} std {std:.4g}"
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=6, separator=", ").replace("\n", "")
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 200 else f"{text[:197]}..."


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return f"<table>{''.join(f'<tr>{_cells(pair)}</tr>' for pair in pairs)}</table>"


def _cells(texts: Sequence[str]) -> str:
    return "".join(f"<td>{html.escape(text)}</td>" for text in texts)
