"""A machine that is taken away: SIGTERM ends a search, and the next one goes on from there."""

import os
import signal

import pytest
from processes import SECONDS, finish, start
from searched import assert_same

import jaxhop

PYTHON = """
import sys, time, jaxhop

def loss(params):
    print("call", flush=True)
    time.sleep(0.1)
    return (params["x"] - 0.3) ** 2

SPACE = {"x": jaxhop.float(0, 1)}
SETTINGS = dict(surrogate=False, backend="python", evaluations=40)
"""

COMPILED = """
import sys, time, jax.numpy as jnp, jaxhop

def loss(params):
    return jnp.sum((params["x"] - 0.3) ** 2)

def slowly(report):
    print("call", flush=True)
    time.sleep(0.05)

SPACE = {"x": jaxhop.float(-1, 1, shape=(3,))}
SETTINGS = dict(population=20, evaluations=4000, callbacks=[slowly])
"""

SEARCH = """
import signal
from jaxhop import _loop
_loop._Pace.steps = lambda self, remaining: 1  # visits in the middle of rounds, too
def mine(number, frame):
    raise AssertionError("the search has a handler of its own")
before = {number: signal.signal(number, mine) for number in (signal.SIGTERM, signal.SIGINT)}
result = jaxhop.search(loss, SPACE, dir=sys.argv[1], progress=False, **SETTINGS)
assert all(signal.getsignal(number) is mine for number in before), "put back"
print(result.stop_reason, result.evaluations, flush=True)
sys.exit(7)
"""


def preempted(script, place, number, calls):
    """Ends a search by a signal after so many calls; what it says at last."""
    process = start(script + SEARCH, place)
    try:
        for _ in range(calls):
            assert process.stdout.readline() == "call\n", process.stderr.read()
        process.send_signal(number)
        said, errors = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 7, f"the caller's own: {errors}"
    reason, evaluations = said.split("\n")[-2].split()
    return reason, int(evaluations)


def assert_goes_on(script, place):
    """It goes on to the end, and finds what a search does that was never stopped."""
    names = {}
    exec(script.replace("time.sleep", "float"), names)
    settings = names["SETTINGS"] | {"progress": False, "callbacks": []}
    found = [
        jaxhop.search(names["loss"], names["SPACE"], dir=directory, **settings)
        for directory in (place, None)
    ]
    assert found[0].stop_reason == "evaluations"
    assert_same(*found, but=("params",))


@pytest.mark.parametrize(
    ("script", "signals"),
    [(PYTHON, ["SIGTERM"]), (COMPILED, ["SIGTERM", "SIGINT"])],
    ids=["python", "compiled"],
)
def test_a_request_to_go_and_an_interrupt(tmp_path, script, signals):
    before = 0
    for name in signals:
        reason, evaluations = preempted(script, tmp_path, signal.Signals[name], 4)
        assert reason == {"SIGTERM": "preempted", "SIGINT": "interrupted"}[name]
        assert evaluations >= before + 4
        before = evaluations
        assert f"stopped by {reason}" in (tmp_path / "log").read_text().splitlines()[-1]
        loaded = jaxhop.load(tmp_path)
        assert (loaded.stop_reason, loaded.evaluations) == (reason, before)
    assert_goes_on(script, tmp_path)


def test_without_a_directory_too():
    stopped = []

    def loss(params):
        if not stopped:
            stopped.append(params)
            os.kill(os.getpid(), signal.SIGTERM)
        return params["x"]

    before = signal.getsignal(signal.SIGTERM)
    result = jaxhop.search(
        loss, {"x": jaxhop.float(0, 1)}, evaluations=9, surrogate=False, backend="python"
    )
    assert (result.stop_reason, result.evaluations) == ("preempted", 1)
    assert signal.getsignal(signal.SIGTERM) is before


def test_trials_in_workers_may_end(tmp_path):
    script = """
import os, sys, time, signal, jaxhop

def loss(params):
    time.sleep(0.3)
    return params["x"]

class Ask:
    def on_trial(self, trial):
        if trial.number == 1:
            os.kill(os.getpid(), signal.SIGTERM)

settings = dict(evaluations=20, n_jobs=2, surrogate=False, dir=sys.argv[1], progress=False)
if __name__ == "__main__":
    result = jaxhop.search(loss, {"x": jaxhop.float(0, 1)}, callbacks=[Ask()], **settings)
    assert result.stop_reason == "preempted", result.stop_reason
    assert set(result.history["status"]) == {"completed"}
    assert 2 <= result.evaluations <= 4
    result = jaxhop.search(loss, {"x": jaxhop.float(0, 1)}, **{**settings, "evaluations": 6})
    assert result.evaluations == 6 and len(set(result.history["value"])) == 6
"""
    finish(start(script, tmp_path))
