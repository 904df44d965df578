"""Runs of Weights & Biases, kept on this machine, read back from their file."""

import json
import struct
import time

import pytest
import wandb
from tracked import EVALUATIONS, curve, failing, search, stop_at
from wandb.proto.wandb_internal_pb2 import Record

from jaxhop.callbacks import WandB

pytestmark = pytest.mark.usefixtures("quick_compilation", "offline")


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    yield
    assert wandb.run is None


def records(tmp_path):
    """The records of the only run, when the process that writes them has written all."""
    (path,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = list(parsed(path.read_bytes()))
        if any(record.WhichOneof("record_type") == "exit" for record in found):
            return found
        time.sleep(0.05)
    raise AssertionError("the run has no end")


def parsed(data):
    """The whole records of a file: a log of LevelDB's form, after a head of seven bytes."""
    at, whole = 7, b""
    while at + 7 <= len(data):
        if 2**15 - at % 2**15 < 7:  # no head fits into the rest of a block
            at += 2**15 - at % 2**15
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        if at + 7 + length > len(data):
            return
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            yield Record.FromString(whole)
            whole = b""


def values(items):
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def read(tmp_path):
    config, rows, summary, code = {}, [], {}, None
    for record in records(tmp_path):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            config |= values(record.run.config.update)
        elif kind == "config":
            config |= values(record.config.update)
        elif kind == "history":
            rows.append(values(record.history.item))
        elif kind == "summary":
            summary |= values(record.summary.update)
        elif kind == "exit":
            code = record.exit.exit_code
    return config, rows, summary, code


def test_a_run_holds_the_search(tmp_path):
    result = search(WandB(project="searches", name="first", dir=tmp_path))
    config, rows, summary, code = read(tmp_path)
    assert code == 0
    assert config["direction"] == "max" and config["seed"] == 7
    assert config["space/lr"] == "float(low=0.0001, high=1.0, log=True)"
    assert [(row["evaluation"], row["value"]) for row in rows if "value" in row] == curve(result)
    assert [row["evaluation"] for row in rows] == list(range(EVALUATIONS))
    assert {row["params/kernel.name"] for row in rows} == {"rbf", "linear"}
    assert rows[-1]["best_value"] == result.best_value
    assert rows[-1]["temperature"] == pytest.approx(result.history["temperature"][-1])
    assert summary["stop_reason"] == "evaluations" and summary["best_value"] == result.best_value
    assert summary["best/lr"] == result.best["lr"]
    assert summary["best/kernel.name"] == result.best["kernel"]["name"]


def test_curves_are_drawn_over_evaluations(tmp_path):
    search(WandB(dir=tmp_path), evaluations=3)
    metrics = [r.metric for r in records(tmp_path) if r.WhichOneof("record_type") == "metric"]
    over = {metric.name or metric.glob_name: metric.step_metric for metric in metrics}
    assert over["best_value"] == over["value"] == over["params/*"] == "evaluation"


@pytest.mark.parametrize(
    ("callbacks", "error", "code"),
    [([stop_at(4)], None, 255), ([], ValueError(), 1), ([], KeyboardInterrupt(), 255)],
    ids=["stopped", "error", "interrupt"],
)
def test_a_run_ends_as_the_search_does(callbacks, error, code, tmp_path):
    if error is None:
        search(WandB(dir=tmp_path), *callbacks)
    else:
        with pytest.raises(type(error)):
            search(WandB(dir=tmp_path), fn=failing(error))
    _, rows, _, found = read(tmp_path)
    assert found == code and rows[-1]["evaluation"] == 3


@pytest.mark.parametrize("given", [False, True], ids=["active", "given"])
def test_a_run_that_is_there_is_taken_and_left_open(given, tmp_path):
    with wandb.init(config={"team": "us"}, dir=tmp_path) as run:
        run.log({"mine": 1})
        search(WandB(run=run) if given else WandB(), evaluations=3)
        assert wandb.run is run
        run.log({"mine": 2})
    config, rows, _, code = read(tmp_path)
    assert code == 0 and config["team"] == "us" and config["direction"] == "max"
    assert [row["mine"] for row in rows if "mine" in row] == [1, 2]
    assert sum("params/lr" in row for row in rows) == 3


def test_settings_and_a_run_do_not_go_together(tmp_path):
    with (
        wandb.init(dir=tmp_path) as run,
        pytest.raises(ValueError, match="for a new run"),
    ):
        WandB(run=run, project="searches")
