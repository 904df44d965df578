"""Ranks, tests and pictures of the suites, on runs made by hand."""

import math

import numpy as np
import pytest

from benchmarks import compare, pictures, tables
from benchmarks.compare import ranks, reached, targets, value_after, value_at, verdict

MACHINE = {"cpu": "a", "cores": 2, "memory_gb": 1.0, "devices": []}


def line(rival, seed, curve, problem="sphere", **more):
    return {
        "suite": "classic",
        "commit": "a",
        "machine": MACHINE,
        "versions": {},
        "date": "2026-01-01",
        "problem": problem,
        "dim": 10,
        "budget": 100,
        "rival": rival,
        "seed": seed,
        "optimum": 0.0,
        "best": curve[-1][2],
        "curve": curve,
        "seconds": 1.0,
        "compile_seconds": 0.0,
        "stopped": False,
        **more,
    }


def test_ranks_share_places():
    assert ranks({"a": {0: 1.0}, "b": {0: 1.0}, "c": {0: 3.0}}) == {"a": 1.5, "b": 1.5, "c": 3.0}
    assert ranks({"a": {0: 1.0, 1: 9.0}, "b": {0: 2.0, 2: 0.0}}) == {"a": 1.0, "b": 2.0}
    assert ranks({"a": {0: math.inf}, "b": {0: 1.0}}) == {"a": 2.0, "b": 1.0}


def test_a_verdict_needs_four_runs_and_a_difference():
    low, high = [1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]
    assert (verdict(low, high), verdict(high, low), verdict(low, low)) == ("win", "loss", "tie")
    assert verdict(low[:3], high[:3]) == "tie"
    assert verdict([1.0] * 5, [1.0] * 5) == "tie"
    assert verdict(low, [math.inf] * 4) == "win"


def test_values_at_a_time_count_compilation():
    own = line("a", 0, [[1, 0.1, 5.0], [10, 0.5, 2.0], [50, 2.0, 1.0]])
    assert value_at(own, 0.6, 0.0) == 2.0
    assert value_at(own, 0.6, 0.2) == 5.0
    assert value_at(own, 0.05, 0.0) == math.inf
    assert value_after(own, 49) == 2.0 and value_after(own, 0.5) == 5.0


def test_targets_go_from_the_first_value_to_the_best():
    lines = [line("a", 0, [[1, 0, 100.0], [20, 1, 1.0]]), line("b", 0, [[1, 0, 100.0]])]
    aims = targets(lines)
    assert len(aims) == compare.TARGETS and aims[0] < 100 and aims[-1] == pytest.approx(1.0)
    assert set(reached(lines[0], aims)) == {20.0}
    assert set(reached(lines[1], aims)) == {math.inf}


def made():
    """Four seeds of three rivals on two problems; one rival was stopped after its first."""
    found = []
    for problem in ("sphere", "ackley"):
        for seed in range(4):
            far = 1.0 + seed
            found.append(line("jaxhop", seed, [[1, 0.0, 50.0], [90, 0.9, far]], problem))
            slow = [[1, 0.0, 60.0], [50, 3.0, far / 100]]
            found.append(line("SNES", seed, slow, problem, seconds=4.0))
        found.append(line("pycma", 0, [[1, 0.0, 70.0]], problem, stopped=True))
    return found


def test_tables_show_losses_and_what_was_stopped():
    (stage,) = tables.stages(made())
    assert stage.whole == ["jaxhop", "SNES"]
    assert tables.mean_ranks(stage) == {"SNES": 1.0, "jaxhop": 2.0}
    assert tables.verdicts(stage, "SNES") == {"loss": 2}
    assert tables.verdicts(stage, "SNES", in_time=True) == {"win": 2}
    text = tables.render(made())
    assert "### D = 10, 100 evaluations, 4 seeds" in text
    assert "| SNES | 1.00 | 0 | 0 | 2 | 2 | 0 | 0 |" in text
    assert "| **jaxhop** | 2.00 |" in text
    assert "| **jaxhop** | 2.5 (1.8 to 3.2) | 2.5 (1.8 to 3.2) |" in text
    assert "70 (70 to 70) stopped" in text


def test_the_newest_of_equal_runs_counts():
    old, new = (
        line("a", 0, [[1, 0, value]], date=date)
        for value, date in ((1.0, "2026-01-01"), (2.0, "2026-01-02"))
    )
    assert [each["best"] for each in tables.newest([new, old])] == [2.0]


def test_pictures_are_small_files(tmp_path):
    pytest.importorskip("matplotlib")
    files = list(pictures.draw("classic", list(tables.stages(made())), tmp_path))
    assert [path.name for path in files] == ["classic_d10_curves.png", "classic_profiles.png"]
    returns = [{**each, "optimum": None, "suite": "policies"} for each in made()]
    files += pictures.draw("policies", list(tables.stages(returns)), tmp_path)
    assert files[-1].name == "policies_returns.png"
    for path in files:
        assert 1_000 < path.stat().st_size < 150_000
        assert path.read_bytes().startswith(b"\x89PNG")


def test_labels_keep_apart():
    pytest.importorskip("matplotlib")
    _, axes = pictures._figure(1, 1, 3, 3)
    ends = {"jaxhop": 1.0, "SNES": 1.0, "pycma": 1.01}
    axes[0, 0].set_ylim(0.5, 2.0)
    pictures._label(axes[0, 0], ends, {name: {"color": "red"} for name in ends}, log=True)
    heights = sorted(text.xy[1] for text in axes[0, 0].texts)
    assert np.all(np.diff(heights) > 0.05) and heights[-1] <= 1.0
