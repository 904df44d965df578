"""Evaluation by an executor of the user's: a cluster, a pool of processes or threads."""

import functools
import math
import os
import pickle
import platform
import queue
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

from jaxhop.evaluators._messages import message, outcome, unpacked
from jaxhop.evaluators._outcome import Outcome, ended
from jaxhop.evaluators._worker import answer, packed

_TRIES = 2
_KEPT = 4  # objectives that a process keeps, for searches that take turns on one cluster
_here: dict[bytes, Callable[[Any], Any]] = {}  # those of this process need no copy


def evaluate(payload: bytes, candidate: bytes) -> tuple[str, tuple[Any, ...]]:
    """What runs on the executor.

    Args:
        payload: the call, pickled.
        candidate: the candidate, pickled.

    Returns:
        Where it ran, and what `_worker.answer` gave; or `"unusable"` and the packed error.
    """
    where = f"{platform.node()}:{os.getpid()}"
    try:
        call = _here[payload] if payload in _here else _load(payload)
    except BaseException as error:
        return where, ("unusable", packed(error))
    return where, answer(call, candidate)


@functools.lru_cache(maxsize=_KEPT)
def _load(payload: bytes) -> Callable[[Any], Any]:
    return pickle.loads(payload)


@dataclass(slots=True)
class _Task:
    """A trial, and how it fares.

    Attributes:
        number: the trial's number.
        message: the candidate, pickled.
        begin: when the executor got it.
        tries: how often.
        over: whether its time is over, so that nobody waits for it any more.
    """

    number: int
    message: bytes
    begin: float = math.nan
    tries: int = 0
    over: bool = False


class Executors:
    """Trials as tasks of a `concurrent.futures.Executor`, which stays the user's own.

    The objective goes along with each task and is unpickled once in each process. A task that
    ends with an error other than the objective's, such as the death of a process, is submitted
    once more; the second time the trial is lost.

    The time of a trial starts when the executor gets it. Executors cannot stop a task that runs,
    but for `jaxhop.executors.ray`: a trial whose time is over is given up, what it returns later
    is ignored, and its slot stays taken until then. Trials that never end so take up one slot
    after another.

    Args:
        payload: `call(candidate) -> (status, value, curve)`, pickled by cloudpickle.
        executor: the executor; it is never shut down.
        slots: trials at once. Default: as many as the executor has workers.
        timeout: seconds after which a trial is given up.
        deaths: more tasks in a row than these that end with the executor's errors are an error.
        call: what was pickled, for executors that run in this process.

    Example:
        >>> import cloudpickle
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> payload = cloudpickle.dumps(lambda params: ("completed", params["x"] ** 2, ()))
        >>> with ThreadPoolExecutor(2) as threads:
        ...     evaluator = Executors(payload, threads)
        ...     evaluator.submit(0, {"x": 3.0})
        ...     print([outcome.value for outcome in evaluator.wait(60.0)])
        ...     evaluator.close()
        [9.0]
    """

    def __init__(
        self,
        payload: bytes,
        executor: Executor,
        slots: int | None = None,
        timeout: float | None = None,
        deaths: int = 10,
        call: Callable[[Any], Any] | None = None,
    ) -> None:
        self.slots = slots_of(executor) if slots is None else slots
        self._payload, self._executor, self._timeout = payload, executor, timeout
        self._allowed, self._deaths = deaths, 0
        self._waiting: deque[_Task] = deque()
        self._running: dict[Future[Any], _Task] = {}
        self._done: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._places: dict[str, int] = {}
        if call is not None:
            _here[payload] = call

    def submit(self, number: int, candidate: Any) -> None:
        """Hands a trial to the executor; see `Evaluator`."""
        self._waiting.append(_Task(number, message(candidate)))
        self._begin()

    def wait(self, seconds: float) -> list[Outcome]:
        """Waits until trials end; see `Evaluator`.

        Raises:
            RuntimeError: if the objective cannot be loaded, or the executor does not work.
        """
        until = time.monotonic() + seconds
        outcomes: list[Outcome] = []
        while not outcomes and self._pending():
            future = self._next(until)
            while future is not None:
                outcomes += self._receive(future)
                future = self._next(-math.inf)
            outcomes += self._overdue()
            if time.monotonic() >= until:
                break
        return outcomes

    def stop(self, grace: float) -> list[Outcome]:
        """Lets running trials end, and forgets those that do not; see `Evaluator`."""
        outcomes = ended(self.wait, self._pending, grace)
        self.close()
        return outcomes

    def close(self) -> None:
        """Cancels what does not run yet; see `Evaluator`."""
        self._waiting.clear()
        running, self._running = self._running, {}
        for future in running:
            future.cancel()
        _here.pop(self._payload, None)

    def _pending(self) -> bool:
        return bool(self._waiting) or any(not task.over for task in self._running.values())

    def _begin(self) -> None:
        """Submits what waits, as far as there is room beside the trials that were given up."""
        while self._waiting and len(self._running) < self.slots:
            task = self._waiting.popleft()
            task.begin, task.tries = time.monotonic(), task.tries + 1
            try:
                future = self._executor.submit(evaluate, self._payload, task.message)
            except Exception as error:
                raise RuntimeError(
                    f"The executor takes no trials (any more): {type(error).__name__}: {error}."
                    " Give one that works; if its processes died, see whether memory ran out."
                ) from error
            self._running[future] = task
            future.add_done_callback(self._done.put)

    def _next(self, until: float) -> Future[Any] | None:
        """The next future that ended, if one does in time."""
        if self._timeout is not None:
            begins = [task.begin for task in self._running.values() if not task.over]
            until = min(until, min(begins, default=math.inf) + self._timeout)
        left = until - time.monotonic()
        try:
            if left <= 0:
                return self._done.get_nowait()
            return self._done.get(timeout=None if left == math.inf else left)
        except queue.Empty:
            return None

    def _receive(self, future: Future[Any]) -> list[Outcome]:
        task = self._running.pop(future, None)
        if task is None:  # forgotten by `close`
            return []
        try:
            where, reply = future.result()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            return self._bury(task, error)
        if reply[0] == "unusable":
            raise RuntimeError(
                f"The objective cannot be loaded by the executor: {reply[1][1]}. Define it, and"
                " what it refers to, where the executor's processes can import it."
            ) from unpacked(reply[1])
        self._deaths = 0
        worker = self._places.setdefault(where, len(self._places))
        self._begin()
        return [] if task.over else [outcome(task.number, worker, reply)]

    def _bury(self, task: _Task, error: BaseException) -> list[Outcome]:
        self._deaths += 1
        if self._deaths > self._allowed:
            raise RuntimeError(
                f"{self._deaths} tasks of the executor failed without one trial that ended in"
                f" between; the last with {type(error).__name__}: {error}."
            ) from error
        if task.over or task.tries < _TRIES:
            if not task.over:
                self._waiting.appendleft(task)
            self._begin()
            return []
        self._begin()
        seconds = time.monotonic() - task.begin
        return [Outcome(task.number, "lost", math.nan, (), seconds, 0, None)]

    def _overdue(self) -> list[Outcome]:
        if self._timeout is None:
            return []
        now, outcomes = time.monotonic(), []
        for future, task in list(self._running.items()):
            if task.over or future.done() or now - task.begin < self._timeout:
                continue
            # Others may say that a task is cancelled while it goes on, and its slot is taken.
            if getattr(self._executor, "ends_cancelled_tasks", False) and future.cancel():
                del self._running[future]
            task.over = True
            seconds = now - task.begin
            outcomes.append(Outcome(task.number, "timeout", math.nan, (), seconds, 0, None))
        self._begin()
        return outcomes


def slots_of(executor: Executor) -> int:
    """How many tasks an executor runs at once, as far as it says so.

    Args:
        executor: the executor.

    Returns:
        Its number of workers; of Dask's its threads; else the number of cores here.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> slots_of(ThreadPoolExecutor(3))
        3
    """
    for name in ("_max_workers", "num_workers"):  # the standard library and loky; mpi4py
        found = getattr(executor, name, None)
        if isinstance(found, int) and found > 0:
            return found
    ncores = getattr(getattr(executor, "_client", None), "ncores", None)
    if ncores is not None:
        return max(1, sum(ncores().values()))
    return os.cpu_count() or 1
