"""Evaluation in worker processes of this machine."""

import math
import os
import pickle
import selectors
import sys
import tempfile
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

from jaxhop.evaluators._jobs import Jobs
from jaxhop.evaluators._messages import message, outcome, unpacked
from jaxhop.evaluators._outcome import Outcome, ended
from jaxhop.evaluators._process import Process, describe

_TRIES = 2
_GRACE_SECONDS = 1.0


@dataclass(slots=True)
class _Task:
    """A trial, and how it fares.

    Attributes:
        number: the trial's number.
        message: the candidate, pickled.
        begin: when a worker got it, or None as long as it waits for one to start up.
        tries: how many workers got it.
    """

    number: int
    message: bytes
    begin: float | None = None
    tries: int = 0


@dataclass(slots=True)
class _Worker:
    """A place for a process, which changes when one dies.

    Attributes:
        number: of the worker.
        process: the process.
        ready: whether it has loaded the objective.
        task: what it works on.
    """

    number: int
    process: Process
    ready: bool = False
    task: _Task | None = None


class Workers:
    """Processes that are started once, get the call once, and then one candidate after another.

    A worker that dies is replaced, with all that it had started gone, and its trial tried once
    more; the second time it is lost. Nothing is left behind when this object is closed, is no
    longer referred to, or its process ends in whatever way.

    Args:
        payload: `call(candidate) -> (status, value, curve)`, pickled by cloudpickle.
        jobs: how many workers there are, and what each may use.
        timeout: seconds that a trial may take; its worker is killed and replaced then.
        deaths: more deaths than these, none of a trial in between, are an error.

    Raises:
        OSError: if processes cannot be started.
        NotImplementedError: on Windows.

    Example:
        >>> import cloudpickle
        >>> payload = cloudpickle.dumps(lambda params: ("completed", params["x"] ** 2, ()))
        >>> workers = Workers(payload, Jobs(count=1))
        >>> workers.submit(0, {"x": 3.0})
        >>> [outcome.value for outcome in workers.wait(60.0)]
        [9.0]
        >>> workers.close()
    """

    def __init__(
        self, payload: bytes, jobs: Jobs, timeout: float | None = None, deaths: int = 10
    ) -> None:
        if os.name != "posix":
            raise NotImplementedError(
                "Worker processes need Linux or macOS. Leave `n_jobs` and `timeout` out, or give"
                " an `executor`."
            )
        self.slots = jobs.count
        self._jobs, self._timeout, self._allowed = jobs, timeout, deaths
        self._deaths = 0
        self._payload = tempfile.TemporaryFile()
        self._selector = selectors.DefaultSelector()
        self._workers: list[_Worker] = []
        self._finalizer = weakref.finalize(
            self, _end, self._workers, self._selector, self._payload, os.getpid()
        )
        self._payload.write(pickle.dumps((sys.path, sys.argv)))
        self._payload.write(payload)
        self._payload.flush()
        for number in range(jobs.count):
            self._workers.append(_Worker(number, self._start(number)))
            self._watch(self._workers[-1])
        # The last one that became free is next: it is the least likely to be starting up.
        self._free = self._workers[::-1]

    @property
    def pids(self) -> list[int]:
        """The numbers of the processes, by worker."""
        return [worker.process.pid for worker in self._workers]

    def submit(self, number: int, candidate: Any) -> None:
        """Hands a trial to a free worker; see `Evaluator`."""
        worker = self._free.pop()
        worker.task = _Task(number, message(candidate))
        if worker.ready:
            self._begin(worker)

    def wait(self, seconds: float) -> list[Outcome]:
        """Waits until trials end; see `Evaluator`.

        Raises:
            RuntimeError: if the objective cannot be loaded in a worker, or too many workers died.
        """
        until = time.monotonic() + seconds
        outcomes: list[Outcome] = []
        while not outcomes and self._pending():
            for key, _ in self._selector.select(self._patience(until)):
                outcomes += self._receive(key.data)
            if self._timeout is not None:
                outcomes += self._overdue()
            if time.monotonic() >= until:
                break
        return outcomes

    def stop(self, grace: float) -> list[Outcome]:
        """Lets running trials end, and kills those that do not; see `Evaluator`."""
        outcomes = ended(self.wait, self._pending, grace)
        for worker in self._workers:
            if worker.task is not None:
                worker.process.kill()
        return outcomes

    def close(self) -> None:
        """Ends all workers; see `Evaluator`."""
        self._finalizer()

    def _pending(self) -> bool:
        return len(self._free) < self.slots

    def _start(self, number: int) -> Process:
        return Process(self._payload.fileno(), self._jobs.environment(number))

    def _watch(self, worker: _Worker) -> None:
        self._selector.register(worker.process.connection, selectors.EVENT_READ, worker)

    def _begin(self, worker: _Worker) -> None:
        task = worker.task
        assert task is not None
        task.begin, task.tries = time.monotonic(), task.tries + 1
        worker.process.send(task.message)

    def _finish(self, worker: _Worker) -> _Task:
        task, worker.task = worker.task, None
        assert task is not None
        self._free.append(worker)
        return task

    def _patience(self, until: float) -> float | None:
        """How long nothing needs to be done unless somebody says something."""
        if self._timeout is not None:
            begins = [worker.task.begin for worker in self._workers if worker.task is not None]
            begun = [begin for begin in begins if begin is not None]
            until = min(until, min(begun, default=math.inf) + self._timeout)
        return None if until == math.inf else max(until - time.monotonic(), 0.0)

    def _receive(self, worker: _Worker) -> Sequence[Outcome]:
        try:
            reply = worker.process.receive()
        except EOFError:
            return self._bury(worker)
        if reply[0] == "unusable":
            error = unpacked(reply[1])
            raise RuntimeError(
                f"The objective cannot be loaded in a worker process: {reply[1][1]}. Define it,"
                " and what it refers to, where workers can import it or in the main script."
            ) from error
        if reply[0] == "ready":
            worker.ready = True
            if worker.task is not None:
                self._begin(worker)
            return ()
        self._deaths = 0
        return (outcome(self._finish(worker).number, worker.number, reply),)

    def _overdue(self) -> list[Outcome]:
        assert self._timeout is not None
        now, outcomes = time.monotonic(), []
        for worker in self._workers:
            task = worker.task
            if task is None or task.begin is None or now - task.begin < self._timeout:
                continue
            # It may have ended at the last moment.
            if worker.process.connection.poll():
                continue
            self._replace(worker)
            self._finish(worker)
            seconds = now - task.begin
            outcomes.append(
                Outcome(task.number, "timeout", math.nan, (), seconds, worker.number, None)
            )
        return outcomes

    def _bury(self, worker: _Worker) -> Sequence[Outcome]:
        status = self._replace(worker)
        self._deaths += 1
        if self._deaths > self._allowed:
            raise RuntimeError(
                f"{self._deaths} worker processes died without one trial that ended in between;"
                f" the last {describe(status)}. Try the objective without `n_jobs` and `timeout`"
                " to see why, or use fewer workers if memory runs out."
            )
        task = worker.task
        if task is None or task.tries < _TRIES:
            if task is not None:
                task.begin = None
            return ()
        self._finish(worker)
        seconds = math.nan if task.begin is None else time.monotonic() - task.begin
        return (Outcome(task.number, "lost", math.nan, (), seconds, worker.number, None),)

    def _replace(self, worker: _Worker) -> int:
        worker.ready = False
        self._selector.unregister(worker.process.connection)
        status = worker.process.kill()
        worker.process = self._start(worker.number)
        self._watch(worker)
        return status


def _end(
    workers: Sequence[_Worker], selector: selectors.BaseSelector, payload: IO[bytes], owner: int
) -> None:
    """Ends all processes: those that are idle by themselves, so that exit handlers run."""
    if os.getpid() != owner:  # a fork of the process that they belong to
        return
    idle = [worker.process for worker in workers if worker.ready and worker.task is None]
    for process in idle:
        process.send(b"")
    until = time.monotonic() + _GRACE_SECONDS
    try:
        for worker in workers:
            if worker.process in idle:
                # It is at its end, and so readable, when the process is.
                worker.process.connection.poll(max(until - time.monotonic(), 0.0))
            worker.process.kill()
    finally:
        for worker in workers:
            worker.process.kill()
        selector.close()
        payload.close()
