"""What the command line shows of a run directory, and writes of it."""

import csv
import io
import json
import math

import pytest
from commands import call, found, mistake

import jaxhop


@pytest.fixture
def loaded(monkeypatch):
    """A function that says what `jaxhop.load` returns."""

    def put(result):
        monkeypatch.setattr(jaxhop, "load", lambda directory: result, raising=False)

    return put


def test_show_fits_a_terminal_and_is_nothing_but_text(tmp_path, monkeypatch, loaded):
    monkeypatch.chdir(tmp_path)
    loaded(found(values=range(30, 0, -1), stop_reason="unfinished"))
    log = "".join(f"line {number}\n" for number in range(2000)) + "\x1b]0;title\x07" + "long " * 99
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "log").write_text(log)
    output = call("show", "run")
    lines = output.splitlines()
    assert all(line.isprintable() and len(line) <= 80 for line in lines)
    assert lines[:2] == ["run", "30 evaluations in 1 min 05 s, unfinished, or still going"]
    assert "best value 1.0 (min)" in lines and "  x    0.25" in lines
    assert "  w    float32[2, 3]" in lines and r"  act  \x1b[31mred" in lines
    table = lines[lines.index("top 10") + 1 :][:11]
    assert table[0].split() == ["value", "x", "w", "act", "n"]
    assert [row.split()[:2] for row in table[1:3]] == [["1", "7.25"], ["2", "7"]]
    assert lines[-5:-1] == [f"line {number}" for number in range(1996, 2000)]
    assert r"\x1b]0;title\x07long" in lines[-1]


def test_show_does_without_a_best_and_a_log(loaded):
    loaded(found(values=(), best=None, best_value=math.nan, stop_reason="unfinished"))
    assert call("show", "run").splitlines()[-1] == "no evaluation has a finite value yet"
    assert "no evaluation has a finite value yet" in mistake("best", "run")


def test_many_wide_parameters_are_cut(loaded):
    names = {f"a.very.long.name.of.a.parameter.number.{n}": "v" * 99 for n in range(50)}
    loaded(found(flat=lambda best: names))
    lines = call("show", "run").splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert "  and 30 more" in lines and "and 46 more columns" in lines
    assert "...eter.number.3" in lines[lines.index("top 10") + 1]


def test_best_is_json_alone(loaded):
    loaded(found())
    text = call("best", "run")
    expected = {"x": 0.25, "w": [[1.0] * 3] * 2, "opt": {"act": "\x1b[31mred", "n": 3}}
    assert json.loads(text) == expected and text.isascii() and "\x1b" not in text
    loaded(found(best_value=0.1 + 0.2))
    assert float(call("best", "run", "--value")) == 0.1 + 0.2


def test_export_as_csv(tmp_path, monkeypatch, loaded):
    monkeypatch.chdir(tmp_path)
    loaded(found())
    rows = list(csv.DictReader(io.StringIO(call("export", "run", "--csv"))))
    assert [row["value"] for row in rows] == ["2.0", "1.0", "nan"]
    assert [row["params.x"] for row in rows] == ["0.0", "0.25", "0.5"]
    assert call("export", "run", "--csv", "out.csv") == ""
    with open("out.csv", newline="") as file:
        assert list(csv.DictReader(file)) == rows


def test_export_as_json(tmp_path, monkeypatch, loaded):
    monkeypatch.chdir(tmp_path)
    loaded(found())
    whole = json.loads(call("export", "run", "--json"))
    assert whole["best_value"] == 1.0 and whole["best"]["x"] == 0.25
    assert whole["direction"] == "min" and whole["stop_reason"] == "evaluations"
    assert whole["evaluations"] == 3 and whole["seconds"] == 65.0
    assert [row["value"] for row in whole["history"]] == [2.0, 1.0, None]
    assert whole["history"][1]["params.w"] == [[1.0] * 3] * 2
    assert call("export", "run", "--json", "out.json") == ""
    with open("out.json") as file:
        assert json.load(file) == whole
    assert "No such file" in mistake("export", "run", "--json", "none/out.json")
    loaded(found(values=(), best=None, best_value=math.nan))
    whole = json.loads(call("export", "run", "--json"))
    assert whole["best"] is None and whole["history"] == []
