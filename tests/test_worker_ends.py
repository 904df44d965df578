"""Worker processes and the scripts that start them: none is left behind."""

import gc
import os
import signal
import sys
import time

import cloudpickle
import processes
import pytest
from pids import alive, gone

from jaxhop.evaluators import Jobs, Workers


def test_workers_that_nobody_refers_to_end():
    workers = Workers(cloudpickle.dumps(lambda x: time.sleep(60)), Jobs(2))
    workers.submit(0, None)
    pids = workers.pids
    del workers
    gc.collect()
    assert gone(pids)


PARENT = """
import os, subprocess, sys, time, cloudpickle
from jaxhop.evaluators import Jobs, Workers

def call(candidate):
    child = subprocess.Popen(["sleep", "60"])
    print(os.getpid(), child.pid, flush=True)
    if candidate == "busy":
        sum(range(10**12))  # lets no other thread of its process run
    child.wait()

workers = Workers(cloudpickle.dumps(call), Jobs(1))
workers.submit(0, sys.argv[1])
if sys.argv[2] == "forks":
    child = os.fork()
    if child == 0:
        time.sleep(60)
    print(child, flush=True)
workers.wait(1.0 if sys.argv[2] == "raises" else 60.0)
raise ValueError("of the user")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a busy objective ends first")
def test_a_busy_worker_dies_with_its_parent():
    parent = processes.start(PARENT, "busy", "waits")
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2 and all(map(alive, pids))
    parent.kill()
    parent.communicate()
    assert gone(pids)


def test_workers_die_with_a_parent_whose_fork_lives_on():
    parent = processes.start(PARENT, "waits", "forks")
    lines = sorted((parent.stdout.readline().split() for _ in range(2)), key=len)
    (fork,), pids = [[int(pid) for pid in line] for line in lines]
    try:
        assert all(map(alive, pids))
        parent.kill()
        parent.wait()
        assert gone(pids)
        assert alive(fork)
    finally:
        os.kill(fork, signal.SIGKILL)
        parent.communicate()


def test_an_error_in_the_parent_leaves_nothing():
    parent = processes.start(PARENT, "busy", "raises")
    written, error = parent.communicate(timeout=processes.SECONDS)
    assert "of the user" in error
    assert gone(map(int, written.split()), 0.0)


MAIN = """
import cloudpickle, pickle
from typing import NamedTuple
from jaxhop.evaluators import Jobs, Workers

class Pair(NamedTuple):
    x: float
    y: float

class Bad(Exception):
    pass

def fn(pair):
    if not isinstance(pair, Pair):
        raise TypeError(type(pair))
    if pair.x < 0:
        raise Bad(pair)
    return pair.x + pair.y

def call(pair):
    return "completed", fn(pair), ()

workers = Workers(cloudpickle.dumps(call), Jobs(1))
for x in (1.0, -1.0):
    workers.submit(0, Pair(x, 2.0))
    (outcome,) = workers.wait(60.0)
    print(outcome.value, type(outcome.error) is Bad, getattr(outcome.error, "args", None))
"""


def test_a_script_needs_no_guard_and_its_classes_are_the_same_in_workers():
    assert processes.run(MAIN).splitlines() == [
        "3.0 False None",
        "nan True (Pair(x=-1.0, y=2.0),)",
    ]
