"""What the plots draw: of many trials and of few, of parameters of any kind, and of none."""

import builtins
import sys

import numpy as np
import pytest
from pictured import made, toured

import jaxhop
from jaxhop import plots

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import pyplot  # noqa: E402

OF_ONE = (
    plots.history, plots.slice, plots.parallel_coordinates, plots.importance, plots.contour,
    plots.edf, plots.timeline,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _figures_are_closed():
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def found():
    return made()


@pytest.mark.parametrize("plot", OF_ONE, ids=lambda plot: plot.__name__)
@pytest.mark.parametrize("trials", (14, 100_000))
def test_few_and_many_trials(plot, trials):
    ax = plot(made(trials, "min" if trials > 14 else "max"))
    axes = ax.figure.axes + [inner for outer in ax.figure.axes for inner in outer.child_axes]
    points = [len(drawn.get_offsets()) for each in axes for drawn in each.collections]
    assert sum(points) <= 25_000
    assert all(each.get_xlabel() for each in ax.child_axes)
    ax.figure.canvas.draw()


@pytest.mark.parametrize("plot", OF_ONE, ids=lambda plot: plot.__name__)
def test_given_axes_are_drawn_into(plot, found):
    _, (mine, other) = pyplot.subplots(1, 2)
    assert plot(found, ax=mine) is mine
    assert not other.has_data()
    assert len(pyplot.get_fignums()) == 1


def test_history_marks_phases_failures_and_the_best():
    result = made()
    ax = plots.history(result)
    labels = ax.get_legend_handles_labels()[1]
    lost = np.sum(~result.history.usable)
    assert labels == [
        "initial",
        "explore",
        "anneal",
        "best so far",
        f"no value that counts ({lost})",
    ]
    best = ax.lines[0].get_ydata()
    assert best[-1] == result.best_value
    temperature = next(each for each in ax.figure.axes if each is not ax)
    assert temperature.get_ylabel().startswith("temperature")
    assert "seconds" in plots.history(result, x="seconds").get_xlabel()


def test_history_of_random_values_shows_the_best_mean():
    ax = plots.history(made(confirmed=20))
    assert "best mean, confirmed" in ax.get_legend_handles_labels()[1]


def test_history_without_any_value():
    result = made.__wrapped__(12, failed=0.0)
    result.history._rows["value"][:] = np.nan
    ax = plots.history(result)
    assert ax.get_legend_handles_labels()[1] == ["no value that counts (12)"]


def test_penalties_do_not_rule_the_axis():
    result = made.__wrapped__(failed=0.0)
    rows = result.history._rows["value"]
    rows[:] = rows - 1  # so that the axis is linear
    rows[5:8] = 1e9
    ax = plots.history(result)
    top = ax.get_ylim()[1]
    hidden = np.sum(rows[result.history.usable] > top)
    assert top < 10 and hidden >= 3
    assert ax.get_title(loc="right") == f"{hidden} worse values not shown"


def test_slices_are_of_what_says_most(found):
    ax = plots.slice(found)
    names = [panel.get_xlabel() for panel in ax.child_axes]
    assert len(names) == 6
    assert "opt.lr" in names and "idle" not in names
    log = {panel.get_xlabel(): panel.get_xscale() for panel in ax.child_axes}
    assert log["opt.lr"] == log["units"] == "log" and log["layers"] == "linear"


def test_a_slice_has_a_strip_for_trials_without_the_parameter(found):
    ax = plots.slice(found, "opt.momentum")
    assert ax.get_xticklabels()[0].get_text() == "none"
    offsets = np.asarray(ax.collections[0].get_offsets())
    without = sum("momentum" not in p["opt"] for p in found.history.candidates())
    usable = found.history.usable
    counted = sum(
        "momentum" not in p["opt"]
        for p, counts in zip(found.history.candidates(), usable, strict=True) if counts
    )  # fmt: skip
    assert 0 < counted <= without
    assert np.sum(offsets[:, 0] == ax.get_xticks()[0]) == counted


def test_options_keep_the_order_of_the_space(found):
    ax = plots.slice(found, "activation")
    assert [text.get_text() for text in ax.get_xticklabels()] == ["relu", "tanh", "gelu"]


def test_arrays_are_their_statistics():
    space = {"w": jaxhop.float(-1, 1, shape=(1000,)), "x": jaxhop.float(0, 1)}
    result = jaxhop.search(lambda p: (p["w"] ** 2).sum() + p["x"], space, evaluations=60)
    ax = plots.parallel_coordinates(result)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["w mean", "w std", "x"]


def test_importance_finds_what_matters(found):
    ax = plots.importance(found)
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert len(names) == 9
    assert "opt.lr" in names[-2:]  # at the top


def test_importance_of_few_trials_is_refused():
    with pytest.raises(ValueError, match="at least 10 trials must have a value, but 8 have"):
        plots.importance(made(10))


def test_contour_draws_strips_for_options(found):
    ax = plots.contour(found, "opt.lr", "activation")
    assert ax.get_xscale() == "log"
    assert [text.get_text() for text in ax.get_yticklabels()] == ["relu", "tanh", "gelu"]
    assert plots.contour(found, y="layers").get_ylabel() == "layers"


def test_contour_leaves_out_trials_without_the_parameters(found):
    ax = plots.contour(found, "opt.momentum", "layers")
    with_both = sum(
        "momentum" in p["opt"]
        for p, counts in zip(found.history.candidates(), found.history.usable, strict=True)
        if counts
    )
    assert len(ax.collections[-1].get_offsets()) == with_both


def test_edf_counts_failures_as_never_good_enough():
    result = made(failed=0.2)
    share = plots.edf(result).lines[0].get_ydata()
    assert share[-1] == np.mean(result.history.usable)
    share = plots.edf(made(direction="max", failed=0.2)).lines[0].get_ydata()
    assert share[0] == np.mean(result.history.usable)


def test_edf_of_two_directions_is_refused():
    with pytest.raises(ValueError, match="must be results of one direction, but got max, min"):
        plots.edf([made(), made(direction="max")])
    with pytest.raises(ValueError, match="but got no result"):
        plots.edf([])


def test_timeline_has_a_row_a_worker():
    ax = plots.timeline(made(workers=3))
    assert [text.get_text().split()[0] for text in ax.get_yticklabels()] == ["0", "1", "2"]
    labels = ax.get_legend_handles_labels()[1]
    assert [label.split()[0] for label in labels] == ["completed", "pruned", "failed"]


def test_timeline_without_durations_is_refused():
    with pytest.raises(ValueError, match="must be timed one by one"):
        plots.timeline(made(timed=False))


def test_tour_goes_back_to_its_first_point():
    result, points = toured(20)
    line = plots.tour(result, points).lines[0].get_xydata()
    np.testing.assert_array_equal(line[:-1], points[result.best["order"]])
    np.testing.assert_array_equal(line[-1], line[0])
    assert len(plots.tour(result, points, closed=False).lines[0].get_xydata()) == 20


def test_tour_over_other_points_is_refused():
    result, points = toured(20)
    with pytest.raises(ValueError, match="must order the 19 points, but those that do are none"):
        plots.tour(result, points[1:])
    with pytest.raises(ValueError, match=r"must have the shape \(n, 2\), but has \(20,\)"):
        plots.tour(result, points[:, 0])


def test_unknown_parameters_are_refused(found):
    for call in (
        lambda: plots.slice(found, "lr"),
        lambda: plots.contour(found, "lr"),
        lambda: plots.parallel_coordinates(found, ["lr"]),
    ):
        with pytest.raises(ValueError, match="'lr' must be a parameter"):
            call()


def test_nothing_to_draw_is_refused():
    result, _ = toured()
    with pytest.raises(ValueError, match="must be a number or an option of which two values"):
        plots.slice(result)


def test_dollars_are_no_formulas():
    space = {"a$b": jaxhop.choice("$x^$", "y"), "c": jaxhop.float(0, 1)}
    result = jaxhop.search(
        lambda p: p["c"] + (p["a$b"] == "y"), space, evaluations=30, backend="python"
    )
    for plot in (plots.slice, plots.parallel_coordinates, plots.importance, plots.contour):
        plot(result).figure.canvas.draw()


def test_missing_packages_are_named(monkeypatch, found):
    real = builtins.__import__

    def refused(name, *arguments, **named):
        if name.partition(".")[0] in ("matplotlib", "sklearn"):
            raise ImportError(name)
        return real(name, *arguments, **named)

    for name in [
        name for name in sys.modules if name.startswith(("matplotlib.pyplot", "sklearn"))
    ]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(builtins, "__import__", refused)
    with pytest.raises(ImportError, match=r"matplotlib must be installed. .*'jaxhop\[plots\]'"):
        plots.history(found)
    with pytest.raises(ImportError, match=r"sklearn must be installed. .*'jaxhop\[plots\]'"):
        plots.importance(found)


def test_a_result_draws_two_pictures(found):
    above, below = found.plot()
    assert above.get_xlabel() == "evaluation" and len(below.child_axes) == 6
    assert above.get_position().y0 > below.get_position().y0
    assert len(pyplot.get_fignums()) == 1


def test_a_result_without_numbers_draws_one_picture():
    (ax,) = toured()[0].plot()
    assert ax.get_xlabel() == "evaluation"
    assert len(ax.figure.axes) == 1
