"""Worker processes: what they are told, and what they survive."""

import os
import signal
import subprocess
import sys
import time

import cloudpickle
import pytest
from pids import alive, gone

from jaxhop.evaluators import Jobs, Workers

SECONDS = 60.0  # far more than any of this takes


def payload(fn):
    """A call whose value is that of a function."""

    def call(candidate):
        return "completed", fn(candidate), ()

    return cloudpickle.dumps(call)


@pytest.fixture
def start():
    """Starts workers for a function, and ends them."""
    pools = []

    def start(fn, count=1, call=None, jobs=None, **settings):
        pools.append(Workers(call or payload(fn), jobs or Jobs(count), **settings))
        return pools[-1]

    yield start
    for pool in pools:
        pool.close()


def run(workers, *candidates):
    """Outcomes of candidates, in their order."""
    outcomes = []
    for number, candidate in enumerate(candidates):
        workers.submit(number, candidate)
        if number - len(outcomes) + 1 == workers.slots:
            outcomes += workers.wait(SECONDS)
    while len(outcomes) < len(candidates):
        found = workers.wait(SECONDS)
        assert found, "nothing came back"
        outcomes += found
    return sorted(outcomes)


def test_closures_and_lambdas_are_evaluated(start):
    shift = 3.0
    outcomes = run(start(lambda x: x + shift, count=2), *range(20))
    assert [outcome.value for outcome in outcomes] == [x + 3.0 for x in range(20)]
    assert {outcome.status for outcome in outcomes} == {"completed"}
    assert all(0 <= outcome.seconds < SECONDS for outcome in outcomes)
    assert {outcome.worker for outcome in outcomes} <= {0, 1}


def test_status_and_estimates_come_back(start):
    call = cloudpickle.dumps(lambda x: ("pruned", x, (1.0, x)))
    assert run(start(None, call=call), 0.5)[0][:4] == (0, "pruned", 0.5, (1.0, 0.5))


def test_a_slow_trial_holds_nobody_up(start, tmp_path):
    flag = tmp_path / "go"

    def fn(candidate):
        while candidate == "slow" and not flag.exists():
            time.sleep(0.01)
        return 0.0

    workers = start(fn, count=2)
    workers.submit(0, "slow")
    for number in range(1, 20):
        workers.submit(number, "fast")
        assert [outcome.number for outcome in workers.wait(SECONDS)] == [number]
    begin = time.monotonic()
    assert workers.wait(0.05) == []
    assert time.monotonic() - begin < 10
    flag.touch()
    assert [outcome.number for outcome in workers.wait(SECONDS)] == [0]


def test_workers_know_their_share_before_anything_is_imported(start, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "17")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    jobs = Jobs(count=2, gpus=("GPU-a", "GPU-b"))
    loaded = "jax" in sys.modules
    assert loaded

    class Load:
        """Looks about while the objective is loaded."""

        def __reduce__(self):
            return eval, (
                "dict(__import__('os').environ, jax='jax' in __import__('sys').modules)",
            )

    seen = Load()

    def call(candidate):
        text = (
            f"{seen['CUDA_VISIBLE_DEVICES']} {seen['OMP_NUM_THREADS']}"
            f" {seen['MKL_NUM_THREADS']} {seen['jax']}"
        )
        return "completed", 0.0, (text,)

    workers = start(None, call=cloudpickle.dumps(call), jobs=jobs)
    workers.submit(0, None)
    workers.submit(1, None)
    seen_by = {}
    while len(seen_by) < 2:
        seen_by |= {outcome.worker: outcome.curve[0] for outcome in workers.wait(SECONDS)}
    threads = jobs.environment(0)["MKL_NUM_THREADS"]
    assert seen_by == {0: f"GPU-a 17 {threads} False", 1: f"GPU-b 17 {threads} False"}


def test_modules_are_found_where_they_are_found_here(start, tmp_path, monkeypatch):
    (tmp_path / "objective_of_mine.py").write_text("def fn(x):\n    return x * 2.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    import objective_of_mine

    workers = start(lambda x: objective_of_mine.fn(x) + float(os.getcwd() == str(tmp_path)))
    assert run(workers, 4)[0].value == 9.0


def test_an_objective_that_cannot_be_loaded_is_an_error_at_once(start, tmp_path, monkeypatch):
    (tmp_path / "objective_elsewhere.py").write_text("def fn(x):\n    return 0.0\n")
    with monkeypatch.context() as context:
        context.syspath_prepend(tmp_path)
        import objective_elsewhere

        call = payload(objective_elsewhere.fn)
    workers = start(None, call=call)
    workers.submit(0, 1)
    with pytest.raises(RuntimeError, match=r"cannot be loaded.*objective_elsewhere") as caught:
        workers.wait(SECONDS)
    cause = caught.value.__cause__
    assert isinstance(cause, ModuleNotFoundError)
    assert "_worker.py" in str(cause.__cause__)


def test_errors_come_back_as_they_are(start):
    def fn(candidate):
        raise KeyError("lr", candidate)

    (outcome,) = run(start(fn), 0.1)
    assert outcome.status == "failed"
    assert type(outcome.error) is KeyError and outcome.error.args == ("lr", 0.1)
    assert 'raise KeyError("lr", candidate)' in str(outcome.error.__cause__)


def test_errors_that_cannot_be_sent_are_described(start):
    class Stubborn(Exception):
        def __reduce__(self):
            raise TypeError("never")

    class Demanding(Exception):
        def __init__(self, one, two):
            super().__init__(f"{one} and {two}")

    def fn(candidate):
        raise Stubborn("stays") if candidate else Demanding("one", "two")

    stubborn, demanding = run(start(fn), True, False)
    for outcome, text in ((stubborn, "Stubborn: stays"), (demanding, "Demanding: one and two")):
        assert type(outcome.error) is RuntimeError
        assert text in str(outcome.error)
        assert "raise Stubborn" in str(outcome.error.__cause__)


def test_an_objective_that_exits_does_not_end_its_worker(start):
    workers = start(lambda x: sys.exit(3) if x else 1.0)
    before = workers.pids
    failed, completed = run(workers, True, False)
    assert isinstance(failed.error, SystemExit) and failed.error.code == 3
    assert completed.value == 1.0
    assert workers.pids == before


def test_what_is_printed_appears_with_the_outcome(start, capfd):
    run(start(lambda x: float(print("learning rate", x) is None)), 0.25)
    assert "learning rate 0.25" in capfd.readouterr().out


def test_a_trial_is_tried_once_more_when_its_worker_is_killed(start, tmp_path):
    tries = tmp_path / "tries"

    def fn(candidate):
        with tries.open("a") as file:
            file.write(".")
        if len(tries.read_text()) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return 5.0

    workers = start(fn)
    before = workers.pids
    assert run(workers, None)[0][1:3] == ("completed", 5.0)
    assert len(tries.read_text()) == 2
    assert workers.pids != before


def test_a_trial_that_kills_two_workers_is_lost_and_others_go_on(start, tmp_path):
    pids = tmp_path / "pids"

    def fn(candidate):
        if candidate == "bad":
            child = os.fork()  # holds all that a fork inherits, and outlives its parent
            if child == 0:
                time.sleep(SECONDS)
            with pids.open("a") as file:
                file.write(f"{child} ")
            os._exit(7)
        return 1.0

    outcomes = run(start(fn, count=2), "good", "bad", "good", "good")
    assert [outcome.status for outcome in outcomes] == ["completed", "lost"] + ["completed"] * 2
    children = [int(pid) for pid in pids.read_text().split()]
    assert len(children) == 2
    assert gone(children)


def test_too_many_deaths_in_a_row_are_an_error(start):
    workers = start(lambda x: os._exit(7), deaths=3)
    workers.submit(0, None)
    assert workers.wait(SECONDS)[0].status == "lost"
    workers.submit(1, None)
    with pytest.raises(RuntimeError, match=r"4 worker processes died.*exited with status 7"):
        workers.wait(SECONDS)


def test_a_trial_in_between_forgives_deaths(start):
    workers = start(lambda x: os._exit(7) if x else 1.0, deaths=2)
    for number in range(6):
        workers.submit(number, number % 2 == 0)
        assert workers.wait(SECONDS)[0].status == ("lost", "completed")[number % 2]


def test_workers_that_die_while_they_start_are_an_error(start):
    class Deadly:
        def __reduce__(self):
            return eval, ("__import__('os').kill(__import__('os').getpid(), 9)",)

    deadly = Deadly()
    workers = start(lambda x: float(deadly is None), deaths=2)
    workers.submit(0, None)
    with pytest.raises(RuntimeError, match=r"3 worker processes died.*was ended by SIGKILL"):
        workers.wait(SECONDS)


def test_a_trial_that_hangs_is_ended_with_all_that_it_started(start, tmp_path):
    pids = tmp_path / "pids"

    def fn(candidate):
        if candidate == "hang":
            child = subprocess.Popen(["sleep", "60"])
            pids.write_text(f"{os.getpid()} {child.pid}")
            child.wait()
        return 1.0

    workers = start(fn, timeout=0.5)
    run(workers, "warm up")
    begin = time.monotonic()
    (outcome,) = run(workers, "hang")
    assert time.monotonic() - begin < 10  # 0.51 on a quiet machine
    assert outcome.status == "timeout"
    assert 0.5 <= outcome.seconds < 10
    assert gone(map(int, pids.read_text().split()))
    assert run(workers, "go on")[0].value == 1.0


def test_the_time_of_a_trial_starts_when_its_worker_is_ready(start):
    class Slow:
        def __reduce__(self):
            return eval, ("__import__('time').sleep(0.6)",)

    slow = Slow()
    assert run(start(lambda x: float(slow is None), timeout=0.5), None)[0].value == 1.0


def test_only_processes_of_its_own_are_signalled(start):
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        fn = {"exit": lambda: os._exit(1), "hang": lambda: time.sleep(60)}
        workers = start(lambda x: fn[x](), timeout=0.3, count=2)
        assert [o.status for o in run(workers, "exit", "hang")] == ["lost", "timeout"]
        workers.submit(2, "hang")
        workers.stop(0.0)
        workers.close()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_sigint_ends_neither_worker_nor_trial(start, tmp_path):
    flag = tmp_path / "busy"

    def fn(candidate):
        flag.touch()
        while flag.exists():
            time.sleep(0.01)
        # What the objective starts can be interrupted as ever.
        return float(subprocess.run(["sh", "-c", "kill -INT $$"]).returncode)

    workers = start(fn)
    before = workers.pids
    workers.submit(0, None)
    while not flag.exists():
        workers.wait(0.02)
    os.kill(before[0], signal.SIGINT)
    assert workers.wait(0.1) == []
    flag.unlink()
    assert workers.wait(SECONDS)[0][1:3] == ("completed", -signal.SIGINT)
    assert workers.pids == before


def test_stopping_waits_for_those_that_end_in_time(start):
    workers = start(lambda x: time.sleep(x) or x, count=2)
    run(workers, 0.0, 0.0)
    workers.submit(0, 0.2)
    workers.submit(1, 60.0)
    begin = time.monotonic()
    assert [outcome.number for outcome in workers.stop(1.0)] == [0]
    assert 0.9 < time.monotonic() - begin < 20  # rather than 60
    assert sum(map(alive, workers.pids)) == 1


def test_closing_leaves_nothing_and_lets_exit_handlers_run(start, tmp_path):
    file = tmp_path / "said"

    def fn(candidate):
        import atexit

        atexit.register(file.write_text, "goodbye")
        return 0.0

    workers = start(fn, count=2)
    run(workers, None)
    pids = workers.pids
    workers.close()
    assert gone(pids, 0.0)
    assert file.read_text() == "goodbye"
    workers.close()


def test_candidates_of_any_kind_are_sent(start):
    big = b"x" * 5_000_000
    outcomes = run(start(lambda x: float(len(x() if callable(x) else x))), big, lambda: [1, 2])
    assert [outcome.value for outcome in outcomes] == [5_000_000, 2]
