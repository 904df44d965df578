"""Checkpoints: the newest states of a search, written beside it while it goes on."""

import contextlib
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxhop import _hosts
from jaxhop.storage import _orbax
from jaxhop.storage._orbax import PREFIX, Damaged

_FIRST_SECONDS = 1.0  # a search that is over sooner has nothing worth writing on its way
_WHOLE = re.compile(rf"{PREFIX}_(\d{{1,18}})")
_UNFINISHED = re.compile(rf"{PREFIX}_(\d{{1,18}})\.orbax-checkpoint-tmp.*")


class Restored(NamedTuple):
    """A state that was read.

    Attributes:
        step: its number.
        leaves: its arrays, in the order of the leaves of the pytree that was asked for.
        facts: what was saved with it.
        skipped: a sentence for each newer checkpoint that is not whole.
    """

    step: int
    leaves: list[np.ndarray]
    facts: dict[str, Any]
    skipped: tuple[str, ...]


class Checkpoints:
    """The newest states of a search, in a directory.

    What is saved is copied before `save` returns and written by a thread, so arrays may be donated
    or changed right after. Of several processes only the first one writes.

    Args:
        directory: where; made when something is written.
        keep: how many are kept.
        share: of the run's time that may be spent on checkpoints. What one costs is the time
            that the search waits for it and the CPU time of the process while it is written, at
            most as long as that takes; of a search that computes on the CPU meanwhile that is
            more than the checkpoint's own.
        every: seconds between two checkpoints, instead of `share`.
        clock: seconds.

    Attributes:
        skipped: a sentence for each checkpoint that the last `newest` passed over.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     checkpoints = Checkpoints(directory)
        ...     checkpoints.save(7, {"x": np.arange(3)}, {"evaluations": 21})
        ...     checkpoints.wait()
        ...     restored = checkpoints.newest({"x": np.zeros(3, int)})
        ...     checkpoints.close()
        >>> restored.step, restored.leaves, restored.facts
        (7, [array([0, 1, 2])], {'evaluations': 21})
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        keep: int = 2,
        share: float = 0.01,
        every: float | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.skipped: tuple[str, ...] = ()
        self._directory = Path(directory).absolute()
        self._keep = keep
        self._share = share
        self._every = every
        self._clock = clock
        self._writes = _hosts.is_first()
        first = _FIRST_SECONDS if every is None else every
        self._due = clock() + first if self._writes else float("inf")
        self._thread: threading.Thread | None = None
        self._error: OSError | None = None
        self._manager: Any = None
        self._damaged: set[str] = set()

    def offer(
        self, step: int, state: Callable[[], Any], facts: Callable[[], dict[str, Any]]
    ) -> bool:
        """Saves if a checkpoint is due and none is being written; never waits for one.

        Args:
            step: the number of the state.
            state: gives the state; called only if it is saved.
            facts: gives what is saved with it.

        Returns:
            Whether it was saved.

        Raises:
            OSError: if an earlier one could not be written.
        """
        if self._error is not None:
            self._raise()
        if self._clock() < self._due:  # infinite while one is being written
            return False
        self.save(step, state(), facts())
        return True

    def save(self, step: int, state: Any, facts: dict[str, Any]) -> None:
        """Saves, whether or not a checkpoint is due. A step that is there already stays as it is.

        Args:
            step: the number of the state.
            state: a pytree of JAX's and NumPy's arrays.
            facts: what JSON can hold.

        Raises:
            OSError: if an earlier one could not be written.
        """
        self.wait()
        if not self._writes:
            return
        began = self._clock()
        facts = json.loads(json.dumps(facts))
        packed = _orbax.pack(state)
        self._due = float("inf")
        blocked = self._clock() - began
        self._thread = threading.Thread(
            target=self._write_in_thread,
            args=(step, packed, facts, began, blocked),
            name="jaxhop-checkpoint",
        )
        self._thread.start()

    def wait(self) -> None:
        """Returns when everything that was saved is on disk.

        Raises:
            OSError: if it could not be written.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._raise()

    def newest(self, like: Any) -> Restored | None:
        """Reads the newest checkpoint that is whole. Changes nothing in the directory.

        Args:
            like: a pytree of what has a shape and a dtype, built as the state that was saved.

        Returns:
            What was read; None if no checkpoint is whole.

        Raises:
            ValueError: if that checkpoint has other arrays than `like`.
        """
        sentences: list[str] = []
        try:
            for name, step in self._newest_first():
                try:
                    if step is None:
                        raise Damaged("its writing was cut off, or still goes on")
                    leaves, facts = _orbax.read(self._directory / name, like)
                except Damaged as damaged:
                    # A search that goes on removes old checkpoints while they are read here.
                    if (self._directory / name).exists():
                        sentences.append(f"`{self._directory / name}` is not whole: {damaged}.")
                        self._damaged.add(name)
                else:
                    return Restored(step, leaves, facts, tuple(sentences))
        finally:
            self.skipped = tuple(sentences)
        return None

    def close(self) -> None:
        """Waits as `wait` does and lets go of the directory. More than once is fine.

        Raises:
            OSError: if what was saved could not be written.
        """
        try:
            self.wait()
        finally:
            self._forget()

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _newest_first(self) -> Iterator[tuple[str, int | None]]:
        """Names of checkpoints with their steps, None for those that are not finished.

        The directory is looked at again each time, for another process may write to it.
        """
        seen: set[str] = set()
        while True:
            found: list[tuple[int, bool, str]] = []
            for name in _names(self._directory):
                if match := _WHOLE.fullmatch(name) or _UNFINISHED.fullmatch(name):
                    found.append((int(match[1]), match.re is _WHOLE, name))
            found = [each for each in found if each[2] not in seen]
            if not found:
                return
            step, whole, name = max(found)
            seen.add(name)
            yield name, step if whole else None

    def _write_in_thread(
        self,
        step: int,
        packed: _orbax.Packed,
        facts: dict[str, Any],
        began: float,
        blocked: float,
    ) -> None:
        with _orbax.quiet():  # imports orbax, which is no part of what the next one will cost
            writing, cpu = self._clock(), time.process_time()
            try:
                self._write(step, packed, facts)
            except Exception as error:
                self._error = _as_os_error(error, self._directory / f"{PREFIX}_{step}")
                with contextlib.suppress(Exception):
                    self._forget()  # its list of what is there may be wrong now
                    self._remove_unfinished()  # the disk may be full of it
            cost = blocked + min(self._clock() - writing, time.process_time() - cpu)
        self._due = began + (cost / self._share if self._every is None else self._every)

    def _write(self, step: int, packed: _orbax.Packed, facts: dict[str, Any]) -> None:
        if self._manager is None or self._damaged:
            self._forget()
            self._clear()
            self._manager = _orbax.manager(self._directory, self._keep)
        if step not in self._manager.all_steps():
            _orbax.write(self._manager, step, packed, facts)

    def _clear(self) -> None:
        """Makes the directory ready: orbax would count and overwrite whatever has such a name."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._remove_unfinished()
        for name in _names(self._directory):
            path = self._directory / name
            if _WHOLE.fullmatch(name) and (name in self._damaged or not _orbax.is_one(path)):
                path.rename(_free(path.with_name(f"{name}.damaged")))
        self._damaged = set()

    def _remove_unfinished(self) -> None:
        for name in _names(self._directory):
            if _UNFINISHED.fullmatch(name):
                shutil.rmtree(self._directory / name)

    def _forget(self) -> None:
        manager, self._manager = self._manager, None
        if manager is not None:
            manager.close()


def _names(directory: Path) -> list[str]:
    return os.listdir(directory) if directory.is_dir() else []


def _free(path: Path) -> Path:
    """A path like this one that nothing has yet."""
    number, free = 1, path
    while free.exists():
        number, free = number + 1, path.with_name(f"{path.name}.{number}")
    return free


def _as_os_error(error: Exception, path: Path) -> OSError:
    """An error of a write as one of the system, with its number where that can be told."""
    number: int | None = None
    cause: BaseException | None = error
    while cause is not None and number is None:
        if isinstance(cause, OSError):
            number = cause.errno
        elif found := re.search(r"os_error_code='(\d+)'", str(cause)):  # how tensorstore says it
            number = int(found[1])
        cause = cause.__cause__ or cause.__context__
    what = os.strerror(number) if number else f"{type(error).__name__}: {error}"
    told = OSError(number or 0, f"The checkpoint `{path}` could not be written: {what}")
    told.__cause__ = error
    return told
