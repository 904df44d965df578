"""Runs of MLflow, in a store of this machine, read back by its client."""

import mlflow
import pytest
from tracked import EVALUATIONS, curve, failing, search, stop_at

import jaxhop
from jaxhop.callbacks import MLflow
from jaxhop.callbacks._mlflow import _named

pytestmark = pytest.mark.usefixtures("quick_compilation", "offline")


@pytest.fixture(scope="module", autouse=True)
def store(tmp_path_factory):
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db")
    yield
    mlflow.set_tracking_uri(before)


def last():
    return mlflow.MlflowClient().get_run(mlflow.last_active_run().info.run_id)  # pyright: ignore[reportOptionalMemberAccess]


def points(run, name):
    found = mlflow.MlflowClient().get_metric_history(run.info.run_id, name)
    return [(metric.step, metric.value) for metric in found]


def test_a_run_holds_the_search():
    result = search(MLflow(run_name="first", tags={"team": "us"}))
    run = last()
    assert run.info.run_name == "first" and run.data.tags["team"] == "us"
    assert run.info.status == "FINISHED" and mlflow.active_run() is None
    assert run.data.params["direction"] == "max" and run.data.params["seed"] == "7"
    assert run.data.params["space/lr"] == "float(low=0.0001, high=1.0, log=True)"
    assert run.data.params["space/kernel.gamma _log_"] == "float(low=0.0, high=1.0)"
    assert points(run, "value") == curve(result)
    assert [step for step, _ in points(run, "params/lr")] == list(range(EVALUATIONS))
    assert run.data.metrics["best_value"] == result.best_value
    assert run.data.metrics["temperature"] == result.history["temperature"][-1]
    assert run.data.metrics["best/lr"] == result.best["lr"]
    assert run.data.tags["best/kernel.name"] == result.best["kernel"]["name"]
    assert run.data.tags["stop_reason"] == "evaluations"


@pytest.mark.parametrize(
    ("callbacks", "error", "status"),
    [
        ([stop_at(4)], None, "KILLED"),
        ([], ValueError(), "FAILED"),
        ([], KeyboardInterrupt(), "KILLED"),
    ],
    ids=["stopped", "error", "interrupt"],
)
def test_a_run_ends_as_the_search_does(callbacks, error, status):
    if error is None:
        search(MLflow(), *callbacks)
    else:
        with pytest.raises(type(error)):
            search(MLflow(), fn=failing(error))
    run = last()
    assert run.info.status == status and mlflow.active_run() is None
    assert [step for step, _ in points(run, "params/lr")][-1] == 3


def test_an_active_run_is_taken_and_left_active():
    with mlflow.start_run(run_name="mine") as mine:
        mlflow.log_param("seed", 42)
        search(MLflow())
        active = mlflow.active_run()
        assert active is not None and active.info.run_id == mine.info.run_id
        assert mlflow.MlflowClient().get_run(mine.info.run_id).info.status == "RUNNING"
    run = mlflow.MlflowClient().get_run(mine.info.run_id)
    assert run.data.params["seed"] == "42" and run.data.params["direction"] == "max"
    assert len(points(run, "params/lr")) == EVALUATIONS


def test_an_active_run_is_left_to_its_owner_when_the_search_fails():
    with mlflow.start_run() as mine, pytest.raises(ValueError):
        search(MLflow(), fn=failing(ValueError()))
    assert mlflow.MlflowClient().get_run(mine.info.run_id).info.status == "FINISHED"


def test_a_run_may_be_nested_in_an_active_one():
    with mlflow.start_run() as mine:
        search(MLflow(nested=True), evaluations=3)
        active = mlflow.active_run()
        assert active is not None and active.info.run_id == mine.info.run_id
    assert mlflow.MlflowClient().get_run(mine.info.run_id).data.params == {}


def test_a_search_that_goes_on_can_go_on_in_its_run(tmp_path):
    search(MLflow(), evaluations=10, dir=tmp_path)
    run_id = last().info.run_id
    search(MLflow(run_id=run_id), evaluations=20, dir=tmp_path)
    run = mlflow.MlflowClient().get_run(run_id)
    assert [step for step, _ in points(run, "params/lr")] == list(range(20))
    assert run.data.metrics["evaluations"] == 20 and run.info.status == "FINISHED"


def test_an_objective_logs_to_the_run():
    def fn(params):
        mlflow.log_metric("inside", 1.0)
        return params["x"]

    search(MLflow(), fn=fn, space={"x": jaxhop.float(0, 1)}, evaluations=3)
    assert len(points(last(), "inside")) == 3


def test_a_run_that_an_objective_leaves_open_is_not_taken_for_the_own():
    opened = []

    def fn(params):
        opened.append(mlflow.start_run(nested=True).info.run_id)
        return params["x"]

    search(MLflow(run_name="outer"), fn=fn, space={"x": jaxhop.float(0, 1)}, evaluations=1)
    client = mlflow.MlflowClient()
    assert client.get_run(opened[0]).info.status == "RUNNING"
    (own,) = client.search_runs(["0"], "tags.mlflow.runName = 'outer'")
    assert own.info.status == "FINISHED"
    while mlflow.active_run() is not None:
        mlflow.end_run()


def test_a_thousand_points_fit_into_requests():
    space = {f"x{number}": jaxhop.float(0, 1) for number in range(120)}
    search(MLflow(), fn=lambda params: params["x0"], space=space, evaluations=30)
    run = last()
    assert len(run.data.params) > 100 and len(points(run, "params/x50")) == 30


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("params/lr", "params/lr"),
        ("params/lr (log), ü", "params/lr _log__ _"),
        ("params/..", "params_.."),
        ("params//a", "params__a"),
    ],
)
def test_names_are_those_that_mlflow_takes(name, clean):
    assert _named(name) == clean
