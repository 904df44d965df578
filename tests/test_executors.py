"""Trials on executors of the user's: threads, processes, a local Dask, a local Ray."""

import concurrent.futures
import multiprocessing
import os
import sys
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import cloudpickle
import pytest

from jaxhop import executors
from jaxhop.evaluators import Executors, Inline

SECONDS = 120.0  # far more than any of this takes


def payload(fn):
    """A call whose value is that of a function."""

    def call(candidate):
        return "completed", fn(candidate), ()

    return cloudpickle.dumps(call)


def objective():
    """A function that does what its candidate says; by value, since clusters lack this file."""

    def fn(candidate):
        if candidate == "raise":
            raise KeyError("lr")
        if candidate == "exit":
            os._exit(1)
        return candidate * 2.0

    return fn


def collect(evaluator, count):
    """So many outcomes, by number."""
    outcomes = []
    while len(outcomes) < count:
        found = evaluator.wait(SECONDS)
        assert found, "nothing came back"
        outcomes += found
    return sorted(outcomes)


def check_good_and_bad_trials(executor):
    """What every executor must do; returns its evaluator."""
    evaluator = Executors(payload(objective()), executor)
    assert evaluator.slots == 2
    evaluator.submit(0, 1.5)
    evaluator.submit(1, "raise")
    good, bad = collect(evaluator, 2)
    assert good[:3] == (0, "completed", 3.0)
    assert bad.status == "failed"
    assert type(bad.error) is KeyError and bad.error.args == ("lr",)
    assert 'raise KeyError("lr")' in str(bad.error.__cause__)
    return evaluator


class Manual(Executor):
    """Tasks end when the test says so."""

    def __init__(self):
        self.tasks = []
        self.broken = False

    def submit(self, fn, /, *args, **kwargs):
        if self.broken:
            raise concurrent.futures.BrokenExecutor("the pool is gone")
        future = Future()
        future.set_running_or_notify_cancel()
        self.tasks.append((future, lambda: future.set_result(fn(*args, **kwargs))))
        return future

    def die(self, task):
        """Ends a task as the death of its process does."""
        self.tasks[task][0].set_exception(OSError("the worker is gone"))


def test_threads_share_the_objective_with_this_process():
    seen = []

    def call(candidate):
        seen.append(candidate)
        return "completed", 0.0, ()

    with ThreadPoolExecutor(2) as threads:
        evaluator = Executors(cloudpickle.dumps(call), threads, call=call)
        evaluator.submit(0, "a")
        collect(evaluator, 1)
        assert seen == ["a"]
        evaluator.close()
        evaluator.close()
        assert threads.submit(abs, -1).result() == 1  # it is the user's, and still open


def test_processes_evaluate():
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        check_good_and_bad_trials(pool).close()


def test_a_broken_pool_is_an_error():
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        evaluator = Executors(payload(objective()), pool)
        evaluator.submit(0, "exit")
        with pytest.raises(RuntimeError, match=r"takes no trials.*BrokenProcessPool"):
            evaluator.wait(SECONDS)


def test_an_objective_is_loaded_once_in_a_process(tmp_path):
    loads = tmp_path / "loads"

    class Load:
        def __reduce__(self):
            return os.system, (f"printf . >> '{loads}'",)

    load = Load()
    with ThreadPoolExecutor(1) as threads:
        evaluator = Executors(payload(lambda x: x + load), threads)
        for number in range(3):
            evaluator.submit(number, 1.0)
            assert collect(evaluator, 1)[0].value == 1.0
    assert loads.read_text() == "."


def test_an_objective_that_cannot_be_loaded_is_an_error():
    with ThreadPoolExecutor(1) as threads:
        evaluator = Executors(b"nonsense", threads)
        evaluator.submit(0, 1.0)
        with pytest.raises(RuntimeError, match="cannot be loaded by the executor") as caught:
            evaluator.wait(SECONDS)
        assert "UnpicklingError" in type(caught.value.__cause__).__name__


def test_a_task_that_dies_is_tried_once_more():
    manual = Manual()
    evaluator = Executors(payload(objective()), manual, slots=1)
    evaluator.submit(0, 1.0)
    manual.die(0)
    assert evaluator.wait(0.0) == []
    manual.tasks[1][1]()
    assert evaluator.wait(0.0)[0][:3] == (0, "completed", 2.0)

    evaluator.submit(1, 1.0)
    manual.die(2)
    assert evaluator.wait(0.0) == []
    manual.tasks[3][0].set_exception(concurrent.futures.CancelledError())
    assert evaluator.wait(0.0)[0][:2] == (1, "lost")


def test_too_many_deaths_in_a_row_are_an_error():
    manual = Manual()
    evaluator = Executors(payload(objective()), manual, slots=1, deaths=3)
    for number in range(2):
        evaluator.submit(number, 1.0)
        manual.die(-1)
        evaluator.wait(0.0)
        manual.die(-1)
        if number == 0:
            assert evaluator.wait(0.0)[0].status == "lost"
    with pytest.raises(RuntimeError, match=r"4 tasks .* OSError: the worker is gone") as caught:
        evaluator.wait(0.0)
    assert isinstance(caught.value.__cause__, OSError)


def test_an_executor_that_takes_nothing_is_an_error():
    manual = Manual()
    manual.broken = True
    with pytest.raises(RuntimeError, match="BrokenExecutor: the pool is gone"):
        Executors(payload(objective()), manual, slots=1).submit(0, 1.0)


def test_a_trial_over_time_is_given_up_and_keeps_its_slot():
    manual = Manual()
    evaluator = Executors(payload(objective()), manual, slots=1, timeout=0.05)
    evaluator.submit(0, 1.0)
    (outcome,) = evaluator.wait(SECONDS)
    assert outcome[:2] == (0, "timeout")
    assert 0.05 <= outcome.seconds < 10

    evaluator.submit(1, 2.0)  # waits for the slot, and its time does not start
    assert evaluator.wait(0.1) == []
    assert len(manual.tasks) == 1
    manual.tasks[0][1]()
    assert evaluator.wait(0.0) == []  # what came late is ignored
    manual.tasks[1][1]()
    assert evaluator.wait(0.0)[0][:3] == (1, "completed", 4.0)


def test_a_trial_over_time_frees_its_slot_where_it_can_be_ended():
    class Ending(Manual):
        ends_cancelled_tasks = True

        def submit(self, fn, /, *args, **kwargs):
            self.tasks.append((Future(), None))
            return self.tasks[-1][0]

    ending = Ending()
    evaluator = Executors(payload(objective()), ending, slots=1, timeout=0.05)
    for number in range(2):
        evaluator.submit(number, 1.0)
        assert evaluator.wait(SECONDS)[0][:2] == (number, "timeout")
    assert [future.cancelled() for future, _ in ending.tasks] == [True, True]


def test_stopping_waits_no_longer_than_it_may():
    manual = Manual()
    evaluator = Executors(payload(objective()), manual, slots=2)
    evaluator.submit(0, 1.0)
    evaluator.submit(1, 2.0)
    manual.tasks[1][1]()
    begin = time.monotonic()
    assert [outcome.number for outcome in evaluator.stop(0.1)] == [1]
    assert 0.1 <= time.monotonic() - begin < 10
    assert evaluator.stop(SECONDS) == []


def test_in_this_process_an_error_is_an_outcome_and_an_interrupt_is_not():
    def call(candidate):
        if isinstance(candidate, type):
            raise candidate
        return "pruned", candidate, (1.0, candidate)

    evaluator = Inline(call)
    assert evaluator.wait(0.0) == []
    evaluator.submit(4, 0.5)
    (outcome,) = evaluator.wait(0.0)
    assert outcome[:4] == (4, "pruned", 0.5, (1.0, 0.5)) and outcome.seconds >= 0
    evaluator.submit(5, KeyError)
    assert type(evaluator.wait(0.0)[0].error) is KeyError
    evaluator.submit(6, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        evaluator.wait(0.0)
    assert evaluator.wait(0.0) == []
    evaluator.submit(7, 1.0)
    assert evaluator.stop(SECONDS) == []


@pytest.mark.filterwarnings("ignore")  # Dask's own, which differ from one release to the next
def test_a_dask_cluster_evaluates_and_survives_the_death_of_its_workers():
    distributed = pytest.importorskip("distributed")
    import dask

    settings = {"distributed.scheduler.allowed-failures": 0}  # Dask's own tries: here none
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        evaluator = check_good_and_bad_trials(client.get_executor())
        evaluator.submit(2, "exit")
        evaluator.submit(3, 2.0)
        assert [o.status for o in collect(evaluator, 2)] == ["lost", "completed"]
        evaluator.submit(4, 5.0)
        assert collect(evaluator, 1)[0].value == 10.0
        evaluator.close()
        assert client.submit(abs, -1).result() == 1


@pytest.mark.filterwarnings("ignore")  # Ray's own, which differ from one release to the next
def test_a_ray_cluster_evaluates_and_survives_the_death_of_its_workers(tmp_path):
    ray = pytest.importorskip("ray")
    with executors.ray(slots=2) as executor:
        evaluator = check_good_and_bad_trials(executor)
        evaluator.submit(2, "exit")
        evaluator.submit(3, 2.0)
        assert [o.status for o in collect(evaluator, 2)] == ["lost", "completed"]
        evaluator.close()

        with pytest.raises(ValueError, match=r"no trial has room.*Ask for less"):
            executors.ray(num_cpus=1e6)

        with executors.ray(slots=1) as other:
            check_cancelling_kills(other, tmp_path / "pid")
        assert ray.is_initialized()  # it was another one that started it
    assert not ray.is_initialized()
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(abs, -1)


def check_cancelling_kills(executor, file):
    """What other executors cannot do."""

    def fn():
        file.write_text(str(os.getpid()))
        time.sleep(SECONDS)

    future = executor.submit(fn)
    until = time.monotonic() + SECONDS
    while not file.exists() or not file.read_text():
        time.sleep(0.02)
    assert future.cancel()
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < until:
            os.kill(int(file.read_text()), 0)
            time.sleep(0.02)


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r'pip install "jaxhop\[ray\]"'):
        executors.ray()
