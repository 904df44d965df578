"""Runs of Aim, in a repository of this machine, read back from it."""

import sys

import pytest
from tracked import EVALUATIONS, curve, failing, search, stop_at

if sys.version_info >= (3, 13):
    pytest.skip("Aim has no packages for Python 3.13", allow_module_level=True)

import aim
from aim.sdk.index_manager import RepoIndexManager

from jaxhop.callbacks import Aim

pytestmark = pytest.mark.usefixtures("quick_compilation", "offline")
QUIET = {"capture_terminal_logs": False, "system_tracking_interval": None}


@pytest.fixture
def repo(tmp_path):
    found = aim.Repo(str(tmp_path), init=True)
    yield found
    found.close()


def read(repo):
    """The only run, as `aim up` shows it, which makes an index of it first."""
    (run_hash,) = repo.list_all_runs()
    assert RepoIndexManager.get_index_manager(repo).index(run_hash)
    return repo.get_run(run_hash)


def points(run, name):
    (metric,) = (metric for metric in run.metrics() if metric.name == name)
    table = metric.dataframe(include_name=False, include_context=False, include_run=False)
    return sorted(zip(table["step"].tolist(), table["value"].tolist(), strict=True))


def test_a_run_holds_the_search(repo):
    result = search(Aim(repo=repo, experiment="first", **QUIET))
    run = read(repo)
    assert run.experiment == "first" and run.end_time is not None
    assert run["search"]["direction"] == "max" and run["search"]["seed"] == 7
    assert run["search"]["space/lr"] == "float(low=0.0001, high=1.0, log=True)"
    assert points(run, "value") == curve(result)
    assert [step for step, _ in points(run, "params/lr")] == list(range(EVALUATIONS))
    assert points(run, "best_value")[-1] == (EVALUATIONS - 1, result.best_value)
    assert points(run, "temperature")[-1][1] == result.history["temperature"][-1]
    assert run["best"]["lr"] == result.best["lr"]
    assert run["best"]["kernel.name"] == result.best["kernel"]["name"]
    assert run["result"]["stop_reason"] == "evaluations" and run["state"] == "finished"


@pytest.mark.parametrize(
    ("callbacks", "error", "state"),
    [
        ([stop_at(4)], None, "killed"),
        ([], ValueError(), "failed"),
        ([], KeyboardInterrupt(), "killed"),
    ],
    ids=["stopped", "error", "interrupt"],
)
def test_a_run_ends_as_the_search_does(callbacks, error, state, repo):
    callback = Aim(repo=repo, **QUIET)
    if error is None:
        search(callback, *callbacks)
    else:
        with pytest.raises(type(error)):
            search(callback, fn=failing(error))
    run = read(repo)
    assert run["state"] == state and run.end_time is not None
    assert points(run, "params/lr")[-1][0] == 3


def test_a_given_run_is_left_open(repo):
    mine = aim.Run(repo=repo, **QUIET)
    mine["team"] = "us"
    search(Aim(run=mine), evaluations=3)
    mine.track(1.0, name="mine", step=0)
    mine.close()
    run = read(repo)
    assert run["team"] == "us" and run["state"] == "finished"
    assert points(run, "mine") == [(0, 1.0)] and len(points(run, "params/lr")) == 3


def test_a_search_that_goes_on_can_go_on_in_its_run(repo, tmp_path):
    search(Aim(repo=repo, **QUIET), evaluations=10, dir=tmp_path / "run")
    (run_hash,) = repo.list_all_runs()
    callback = Aim(repo=repo, run_hash=run_hash, **QUIET)
    search(callback, evaluations=20, dir=tmp_path / "run")
    run = read(repo)
    assert [step for step, _ in points(run, "params/lr")] == list(range(20))
    assert run["result"]["evaluations"] == 20


def test_settings_and_a_run_do_not_go_together(repo):
    run = aim.Run(repo=repo, **QUIET)
    with pytest.raises(ValueError, match="for a new run"):
        Aim(run=run, experiment="first")
    run.close()
