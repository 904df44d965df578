"""The result: tables, files, the best few and the summary."""

import csv
import json
import sys

import numpy as np
import pytest
from reports import make_report

from jaxhop._history import History
from jaxhop._phases import Phase, PhaseTable, format_phases
from jaxhop._result import Result, format_rate

OPTION = ["an", "option that", "has no hash"]


def flat(candidate):
    return {"opt.lr": candidate["opt"]["lr"], "w": candidate["w"], "layer": candidate["layer"]}


def to_python(point):
    # Rounded, so that two points can be one candidate.
    return {"opt": {"lr": round(float(point[0]), 2)}, "w": point[1], "layer": OPTION}


def make_result(direction="min", values=(3.0, np.nan, 1.0, 2.0, 1.0, np.inf), **fields):
    n = len(values)
    x = np.array([0.3, 0.2, 0.1, 0.2, 0.1001, 0.4])[:n]
    w = np.arange(2, dtype=np.float32) * np.ones((n, 1), np.float32)
    kept = np.array([0, 2, 3, 4, 5])[: n - 1]
    report = make_report(
        values,
        phase=np.array([0, 1, 1, 1, 2, 2], np.int8)[:n],
        seconds=np.array([0.1, 0.2, 0.3, 0.4, 0.5, 1.0])[:n],
        temperature=np.full(n, 0.3, np.float32),
        kept=kept,
        points=(x[kept], w[kept]),
    )
    history, table = History(direction, to_python), PhaseTable(direction)
    history.append(report)
    table.add(report)
    settings = {
        "best": to_python((0.1, w[0])),
        "best_value": 1.0,
        "history": history,
        "stop_reason": "evaluations",
        "evaluations": n,
        "seconds": 1.0,
        "compile_seconds": 0.25,
        "nan_share": table.nan_share,
        "phases": table.phases(),
        "direction": direction,
        "seed": 0,
        "flat": flat,
    }
    return Result(**settings | fields)


def test_best_params_is_best():
    result = make_result()
    assert result.best_params is result.best
    assert result.best["opt"]["lr"] == 0.1
    assert result.aux is None


def test_to_pandas():
    frame = make_result().to_pandas()
    assert list(frame) == [
        "evaluation", "value", "phase", "step", "seconds", "temperature", "accepted", "status",
        "duration", "worker", "cost", "params.opt.lr", "params.w", "params.layer",
    ]  # fmt: skip
    assert len(frame) == 6
    assert frame["params.opt.lr"].dtype == np.float64
    np.testing.assert_array_equal(frame["params.opt.lr"], [0.3, np.nan, 0.1, 0.2, 0.1, 0.4])
    np.testing.assert_array_equal(frame["params.w"][0], [0, 1])
    assert frame["params.w"][1] is None
    assert frame["params.layer"][0] == OPTION
    assert frame["phase"].tolist() == ["initial"] + 3 * ["explore"] + 2 * ["anneal"]
    assert frame.sort_values("value")["evaluation"].iloc[0] == 2


def test_to_pandas_without_any_params():
    history = History("min", to_python)
    history.append(make_report([1.0]))
    assert list(make_result(history=history).to_pandas()) == list(history.columns)


def test_to_pandas_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        make_result().to_pandas()


def test_to_csv_reads_back(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("what was there before")
    result = make_result(values=(0.1 + 0.2, np.nan, 1e-300, -2.0, np.inf, -np.inf))
    result.to_csv(path)
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(result.to_pandas())
    for name in ("evaluation", "value", "step", "seconds"):
        column = result.history[name]
        read = np.array([row[name] for row in rows]).astype(column.dtype)
        np.testing.assert_array_equal(read, column)
    assert [row["temperature"] for row in rows] == 6 * ["0.3"]
    assert [row["accepted"] for row in rows] == 6 * ["True"]
    assert [row["phase"] for row in rows] == result.history["phase"].tolist()
    assert [row["params.opt.lr"] for row in rows] == ["0.3", "", "0.1", "0.2", "0.1", "0.4"]
    assert json.loads(rows[0]["params.w"]) == [0.0, 1.0]
    assert rows[1]["params.w"] == ""


def test_to_csv_needs_no_pandas(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    make_result().to_csv(str(tmp_path / "history.csv"))
    assert (tmp_path / "history.csv").read_text().count("\n") == 7


def test_top_is_distinct_finite_and_best_first():
    result = make_result()
    assert [(value, best["opt"]["lr"]) for value, best in result.top(10)] == [
        (1.0, 0.1), (2.0, 0.2), (3.0, 0.3),
    ]  # fmt: skip
    assert len(result.top(2)) == 2
    result = make_result("max")
    assert [value for value, _ in result.top(2)] == [3.0, 2.0]


def test_top_decodes_no_more_than_it_must():
    calls = []

    def decode(point):
        calls.append(point)
        return {"x": int(point[0])}

    n = 1000
    history = History("min", decode)
    history.append(
        make_report(np.linspace(1, 0, n), kept=np.arange(n), points=(np.arange(n) // 100,))
    )
    result = make_result(history=history, flat=dict)
    assert [best["x"] for _, best in result.top(3)] == [9, 8, 7]
    assert len(calls) == 3


def test_top_refuses_none():
    with pytest.raises(ValueError, match="k >= 1"):
        make_result().top(0)


def test_phase_table_is_exact_over_reports():
    table = PhaseTable("max")
    table.add(make_report([]))
    assert table.phases() == ()
    assert table.nan_share == 0
    table.add(
        make_report(
            [1.0, np.nan, 3.0],
            phase=np.array([0, 1, 1], np.int8),
            seconds=np.array([0.5, 1.0, 1.0]),
        )
    )
    table.add(
        make_report(
            [2.0, np.inf, np.nan],
            first=3,
            phase=np.array([1, 2, 3], np.int8),
            seconds=np.array([1.5, 3.0, 4.0]),
        )
    )
    initial, explore, anneal, confirm = table.phases()
    assert initial == Phase("initial", 1, 1.0, 0.5)
    assert explore == Phase("explore", 3, 3.0, 1.0)
    assert (anneal.evaluations, anneal.seconds) == (1, 1.5)
    assert np.isnan(anneal.best_value) and np.isnan(confirm.best_value)
    assert table.nan_share == 0.5


def test_repr_is_a_short_summary():
    text = repr(make_result(evaluations=1_234_567, seconds=30.0))
    assert "best value 1 (min), stopped by evaluations" in text
    assert "opt.lr=0.1, w=float32[2]" in text
    assert "1,234,567 evaluations in 30 s (41.2k/s), compiled in 250 ms" in text
    assert "33.33% of the values were NaN or infinite" in text
    assert "explore" in text
    assert len(text.splitlines()) == 8
    assert max(map(len, text.splitlines())) <= 100


def test_repr_prints_no_large_array_and_no_long_list():
    best = {"opt": {"lr": 0.1}, "w": np.zeros(1_000_000), "layer": "x" * 1000}
    text = repr(make_result(best=best))
    assert "float64[1000000]" in text
    assert len(text) < 1000
    many = {f"x{i}": 0.5 for i in range(1000)}
    assert "x5=0.5, and 994 more" in repr(make_result(best=many, flat=dict))


def test_format_phases_has_a_line_a_phase():
    lines = format_phases([Phase("initial", 1, np.nan, 0.0), Phase("anneal", 10**9, -1.5, 65.0)])
    heading, initial, anneal = lines.splitlines()
    assert heading.split() == ["phase", "evaluations", "best", "value", "time"]
    assert initial.split() == ["initial", "1", "nan", "0", "ms"]
    assert anneal.split() == ["anneal", "1,000,000,000", "-1.5", "1", "min", "05", "s"]
    assert {len(heading), len(initial), len(anneal)} == {50}


@pytest.mark.parametrize(
    ("evaluations", "seconds", "text"),
    [
        (0, 0, "0/s"),
        (5, 10, "0.5/s"),
        (999.6, 1, "1k/s"),
        (95_100, 1, "95.1k/s"),
        (2.5e6, 1, "2.5M/s"),
        (5e9, 1, "5G/s"),
    ],
)
def test_format_rate(evaluations, seconds, text):
    assert format_rate(evaluations, seconds) == text
