"""Pictures that answer to the mouse, for the report (plotly)."""

import html
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxhop._trials import PHASES
from jaxhop.plots import _canvas
from jaxhop.plots._columns import Column, Table
from jaxhop.plots._history import COLOURS, thinned
from jaxhop.plots._scale import scale_of

if TYPE_CHECKING:
    from jaxhop._result import Result

_POINTS = 5000  # points of vector graphics that a browser moves smoothly
_LAYOUT = {
    "template": "plotly_white",
    "margin": {"l": 70, "r": 20, "t": 40, "b": 50},
    "height": 420,
    "legend": {"orientation": "h", "y": 1.12},
}


def history_figure(result: "Result") -> Any:
    """How the values came.

    Args:
        result: of a search.

    Returns:
        A plotly figure.
    """
    graphs = _canvas.package("plotly.graph_objects", "result.report")
    record = result.history
    place, values, phases = record["evaluation"], record["value"], record["phase"]
    usable = thinned(np.flatnonzero(record.usable), record.improvements, _POINTS)
    figure = graphs.Figure(layout=_LAYOUT)
    for phase in PHASES:
        rows = usable[phases[usable] == phase]
        if len(rows):
            figure.add_scatter(
                x=place[rows].tolist(), y=values[rows].tolist(), mode="markers", name=phase,
                marker={"color": COLOURS[phase], "size": 5, "opacity": 0.7},
            )  # fmt: skip
    if len(usable):
        best = record.best()
        steps = np.append(record.improvements[-_POINTS:], len(best) - 1)
        figure.add_scatter(
            x=place[steps].tolist(), y=best[steps].tolist(), mode="lines", name="best so far",
            line={"color": _canvas.BLUE, "shape": "hv"},
        )  # fmt: skip
    figure.update_xaxes(title="evaluation")
    _dress_values(figure, values[record.usable], result.direction)
    return figure


def slice_figure(result: "Result", table: Table) -> Any:
    """Values over one parameter, which is chosen in a list.

    Args:
        result: of a search.
        table: its parameters.

    Returns:
        A plotly figure.
    """
    graphs = _canvas.package("plotly.graph_objects", "result.report")
    figure = graphs.Figure(layout=_LAYOUT)
    buttons = []
    for number, column in enumerate(table.columns):
        figure.add_scatter(
            x=_shown(column), y=table.values[column.known].tolist(), mode="markers",
            visible=not number, showlegend=False, name=html.escape(column.name),
            marker={
                "color": table.evaluation[column.known].tolist(), "size": 6, "opacity": 0.7,
                "colorscale": "Viridis", "reversescale": True, "colorbar": {"title": "evaluation"},
            },
        )  # fmt: skip
        axis = {"title": html.escape(column.name), **_axis(column)}
        visible = [other == number for other in range(len(table.columns))]
        buttons.append(
            {
                "label": html.escape(column.name),
                "method": "update",
                "args": [{"visible": visible}, {"xaxis": axis}],
            }
        )
    figure.update_layout(
        xaxis=buttons[0]["args"][1]["xaxis"],
        updatemenus=[{"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.16}],
    )
    _dress_values(figure, table.values, result.direction)
    return figure


def _shown(column: Column) -> list[Any]:
    numbers = column.numbers[column.known]
    if column.options:
        return [html.escape(column.options[int(at)]) for at in numbers]
    return numbers.tolist()


def _axis(column: Column) -> dict[str, Any]:
    if column.options:
        order = list(map(html.escape, column.options))
        return {"type": "category", "categoryorder": "array", "categoryarray": order}
    return {"type": "log" if column.log else "linear"}


def _dress_values(figure: Any, values: np.ndarray, direction: str) -> None:
    scale = scale_of(values, direction)
    ends = [scale.low, scale.high]
    figure.update_yaxes(
        title=_canvas.value_label(direction),
        type="log" if scale.log else "linear",
        range=np.log10(ends).tolist() if scale.log else ends,
    )
