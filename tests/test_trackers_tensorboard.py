"""Curves for TensorBoard, read back by TensorBoard."""

import os

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata
from tracked import EVALUATIONS, curve, failing, search

from jaxhop.callbacks import TensorBoard

pytestmark = pytest.mark.usefixtures("quick_compilation", "offline")


def read(directory):
    events = EventAccumulator(str(directory), size_guidance={"scalars": 0, "tensors": 0})
    return events.Reload()


def text(events, tag):
    return [e.tensor_proto.string_val[0].decode() for e in events.Tensors(f"{tag}/text_summary")]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "first"
    return directory, search(TensorBoard(directory))


def test_curves_are_those_of_the_search(found):
    directory, result = found
    events = read(directory)
    points = [(point.step, point.value) for point in events.Scalars("value")]
    assert points == [(step, pytest.approx(value)) for step, value in curve(result)]
    assert events.Scalars("best_value")[-1].step == EVALUATIONS - 1
    assert events.Scalars("best_value")[-1].value == pytest.approx(result.best_value)
    assert events.Scalars("temperature")[-1].value == result.history["temperature"][-1]
    assert len(events.Scalars("params/lr")) == EVALUATIONS
    assert {"params/layers", "params/bias", "params/wide.std"} <= set(events.Tags()["scalars"])
    assert "params/kernel.name" not in events.Tags()["scalars"]


def test_texts_say_what_was_searched_and_found(found):
    directory, result = found
    events = read(directory)
    assert "| direction | max |" in text(events, "settings")[0]
    assert "| space/lr | float(low=0.0001, high=1.0, log=True) |" in text(events, "settings")[0]
    assert f"| best/lr | {result.best['lr']} |" in text(events, "result")[0]
    assert "| stop_reason | evaluations |" in text(events, "result")[0]
    assert text(events, "state") == ["finished"]


def test_a_row_of_hparams_compares_the_search_with_others(found):
    directory, result = found
    summary = read(directory / "best").SummaryMetadata(metadata.SESSION_START_INFO_TAG)
    data = metadata.parse_session_start_info_plugin_data(summary.plugin_data.content)
    assert data.hparams["best/lr"].number_value == result.best["lr"]
    assert data.hparams["best/kernel.name"].string_value == result.best["kernel"]["name"]
    assert data.hparams["direction"].string_value == "max"
    (point,) = read(directory / "best").Scalars("best_value")
    assert point.value == pytest.approx(result.best_value)


def test_a_search_that_goes_on_adds_to_its_curves(tmp_path):
    for evaluations in (10, 20):
        search(TensorBoard(tmp_path / "tb"), evaluations=evaluations, dir=tmp_path / "run")
    steps = [point.step for point in read(tmp_path / "tb").Scalars("params/lr")]
    assert steps == list(range(20))


def test_a_search_that_fails_keeps_its_curves(tmp_path):
    with pytest.raises(ValueError):
        search(TensorBoard(tmp_path), fn=failing(ValueError()))
    events = read(tmp_path)
    assert [point.step for point in events.Scalars("params/lr")] == [0, 1, 2, 3]
    assert text(events, "state") == ["failed"]
    assert not (tmp_path / "best").exists()


def test_a_path_of_any_kind_will_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    TensorBoard("runs/a"), TensorBoard(tmp_path / "b")
    assert os.listdir(tmp_path) == []  # nothing is written before a search begins
    with pytest.raises(TypeError, match="a path must be given"):
        TensorBoard(3)  # pyright: ignore[reportArgumentType]
