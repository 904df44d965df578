"""PyHopper's search, as a `jaxhop.Search` that is run in Python."""

import copy
import math
import sys
from collections.abc import Callable
from typing import Any

import jax

from jaxhop import _interactive
from jaxhop._arguments import parse_direction
from jaxhop.compat.pyhopper._checkpoints import Run, file_at, refuse_foreign, run_at
from jaxhop.compat.pyhopper._objective import Objective
from jaxhop.compat.pyhopper._parameters import converted
from jaxhop.compat.pyhopper.callbacks import Adapter, Callback, History
from jaxhop.space import Parameter, _check

_EXPLORING = "how long it explores follows from the budget"
_MOVING = "how far it moves follows from the budget"
_WORKERS = "worker processes are of one kind; `jaxhop.search` takes a cluster as `executor=`"
_FIXED = {
    "seeding_steps": (_EXPLORING, None),
    "seeding_runtime": (_EXPLORING, None),
    "seeding_ratio": (_EXPLORING, None, 0.25),
    "start_temperature": (_MOVING, 1),
    "end_temperature": (_MOVING, 0.2),
    "mp_backend": (_WORKERS, "auto", "multiprocessing"),
    "pruner": ("what pruners know is in run directories only: `run(..., checkpoint_path=)`", None),
}  # why an argument is not free, and what it may be


class Search:
    """A search; each run continues from the one before.

    Args:
        *args: dicts of parameters and constants.
        **kwargs: parameters and constants by name, which join the dicts.

    Raises:
        ValueError: if two dicts disagree, or a parameter is wrong, or there is none.

    Example:
        >>> import tempfile
        >>> from jaxhop.compat import pyhopper
        >>> search = pyhopper.Search({"n": pyhopper.int(1, 8)})
        >>> search += {"n": 7}  # or search.enqueue({"n": 7})
        >>> search.free_param_count, search.manual_queue_count
        (1, 1)
        >>> search.run(lambda params: -abs(params["n"] - 6), steps=8, quiet=True)
        {'n': 6}
        >>> search.best, search.best_f, search.history[0], search.checkpoint_path
        ({'n': 6}, 0.0, {'n': 7}, None)
        >>> again = pyhopper.Search({"n": pyhopper.int(1, 8)})
        >>> with tempfile.TemporaryDirectory() as place:
        ...     path = search.save(place)
        ...     again.load(path)
        >>> again.best
        {'n': 6}
    """

    def __init__(self, *args: dict[Any, Any], **kwargs: Any) -> None:
        self._search = _interactive.Search(converted(merge_dicts(*args, kwargs)))
        self._history = History()
        self._run: Run | None = None

    def __repr__(self) -> str:
        return f"{self._search!r}"

    def __iadd__(self, candidate: Any) -> "Search":
        """Enqueues a candidate: `search += {"lr": 0.1}`."""
        self.enqueue(candidate)
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        """Freezes a parameter to a value, or replaces it by another parameter.

        Args:
            key: a key of the space.
            value: a value or a parameter.

        Raises:
            KeyError: if there is no such key.
        """
        self._search[key] = converted(value)

    @property
    def best(self) -> Any:
        """The best candidate so far that obeys what is frozen, a copy; None if there is none."""
        return copy.deepcopy(self._search.best)

    @property
    def best_f(self) -> float | None:
        """The value of `best`, or None."""
        value = self._search.best_value
        return None if math.isnan(value) else value

    @property
    def history(self) -> History:
        """The evaluations so far that have a value."""
        return self._history

    @property
    def free_param_count(self) -> int:
        """Number of parameters."""
        leaves = jax.tree.leaves(self._search.space.tree)
        return sum(isinstance(leaf, Parameter) for leaf in leaves)

    @property
    def manual_queue_count(self) -> int:
        """Number of candidates that the next run evaluates first."""
        return len(self._search._queue)

    @property
    def checkpoint_path(self) -> str | None:
        """The run directory of the last run, or None if it had none."""
        return None if self._run is None else self._run.path

    def enqueue(self, candidate: Any) -> None:
        """Has a candidate evaluated at the beginning of the next run.

        Args:
            candidate: a candidate; what it lacks is taken from the best one, or else from the
                initial values.

        Raises:
            ValueError: if it does not fit the space; the message names the place.
            TypeError: if a part of it is of a wrong type.
        """
        self._search.enqueue(candidate)

    def run(
        self,
        objective_function: Callable[..., Any],
        direction: str = "maximize",
        runtime: float | str | None = None,
        steps: int | str | None = None,
        endless_mode: bool = False,
        seeding_steps: int | None = None,
        seeding_runtime: float | str | None = None,
        seeding_ratio: float | None = 0.25,
        pruner: Any = None,
        n_jobs: int | str = 1,
        quiet: bool = False,
        ignore_nans: bool = False,
        mp_backend: str = "auto",
        enable_rejection_cache: bool = True,
        callbacks: Any = None,
        start_temperature: float = 1,
        end_temperature: float = 0.2,
        kwargs: dict[str, Any] | None = None,
        checkpoint_path: Any = None,
        overwrite_checkpoint: bool = False,
        keep_history: bool = True,
    ) -> Any:
        """Searches, or searches on.

        Args:
            objective_function: called with a candidate; returns a number, or is a generator of
                estimates, the last of which counts.
            direction: `"max"` or `"min"`; the same in all runs.
            runtime: how long to search, as for `jaxhop.search`.
            steps: how many evaluations to make. With `runtime` too, what is reached first ends
                the search. With `checkpoint_path` both count for all that the script has run
                there: after a crash the same script makes what is left of them, and none if they
                were made. Each further run of one object makes so many more.
            endless_mode: whether to search until Ctrl-C instead.
            seeding_steps: None; the search decides.
            seeding_runtime: likewise.
            seeding_ratio: likewise; 0.25 is let pass.
            pruner: one of `pyhopper.pruners` or `jaxhop.pruners`.
            n_jobs: worker processes: a number, 0 or less for one on each core, `"per-gpu"` or
                `"2x per-gpu"`.
            quiet: whether to show nothing.
            ignore_nans: whether candidates whose value is NaN are passed over.
            mp_backend: `"auto"`.
            enable_rejection_cache: whether no candidate is evaluated twice; a finite space that
                is used up then ends the search.
            callbacks: a callback, or a list of them: PyHopper's or jaxhop's.
            start_temperature: 1; the search decides.
            end_temperature: 0.2; the search decides.
            kwargs: further arguments of the objective, by name.
            checkpoint_path: a directory in which everything is written down as it goes: one
                that a search has written is gone on with, and one that is not there is made. In
                any other directory, or if the path ends with "/", a new one is made inside, named
                `pyhopper_run_00000` and so on; give its path to go on with it.
            overwrite_checkpoint: whether to delete a search that is there, and start anew.
            keep_history: whether these evaluations join `history`.

        Returns:
            The best candidate of all runs.

        Raises:
            ValueError: if an argument is out of range or has no meaning here; if a value is NaN;
                or if there is no finite one.
            TypeError: if an argument is of a wrong type, or the objective returns no number.
            StorageError: if there is a checkpoint of PyHopper or another search at
                `checkpoint_path`, or nothing can be written there.
            Exception: what the objective raised.
        """
        _refuse_others(
            seeding_steps=seeding_steps,
            seeding_runtime=seeding_runtime,
            seeding_ratio=seeding_ratio,
            start_temperature=start_temperature,
            end_temperature=end_temperature,
            mp_backend=mp_backend,
        )
        sign = -1 if parse_direction(direction) == "max" else 1
        budget = _budget(runtime, steps, endless_mode, sign)
        listeners = _listed(callbacks) + ([self._history] if keep_history else [])
        run = None if checkpoint_path is None else run_at(checkpoint_path, self._run)
        place: dict[str, Any] = {}
        if run is not None:
            run = run._replace(steps=0, seconds=0.0) if overwrite_checkpoint else run
            budget |= run.totals(budget.get("runtime"), budget.get("evaluations"))
            place = {"dir": run.path, "overwrite": overwrite_checkpoint}
        queued, self._run = bool(self.manual_queue_count), run
        result = self._search.run(
            Objective(objective_function, kwargs or {}, ignore_nans),
            direction=direction,
            **budget,
            **place,
            n_jobs=_jobs(n_jobs),
            pruner=pruner,
            duplicates="skip" if enable_rejection_cache else "allow",
            backend="python",
            callbacks=[
                Adapter(each, self, sign, queued) if isinstance(each, Callback) else each
                for each in listeners
            ],
            progress=not quiet,
        )
        if run is not None:
            self._run = run.after(result, budget)
            if keep_history:
                self._recall(sign, queued)  # what was there before joins it
        return self.best

    def save(self, checkpoint_path: Any, pruner: Any = None) -> str:
        """Writes all that the search knows to a file.

        Args:
            checkpoint_path: the file; in a directory it is named `pyhopper_run_00000.ckpt` and so
                on.
            pruner: None; what pruners know is written by `run(..., checkpoint_path=...)` only.

        Returns:
            The path of the file.

        Raises:
            ValueError: if a pruner is given.
            TypeError: if there is an object in a candidate that JSON cannot hold.
            StorageError: if the file cannot be written.
        """
        _refuse_others(pruner=pruner)
        path = file_at(checkpoint_path)
        self._search.save(path)
        return path

    def load(self, checkpoint_path: Any, pruner: Any = None) -> None:
        """Takes in what `save` wrote, in place of what this search knows.

        Args:
            checkpoint_path: the file. Nothing in it is executed.
            pruner: None, as for `save`.

        Raises:
            ValueError: if a pruner is given.
            StorageError: if the file is missing, damaged, of another space, or PyHopper's own.
        """
        _refuse_others(pruner=pruner)
        refuse_foreign(checkpoint_path)
        self._search = _interactive.Search.load(checkpoint_path, self._search._whole)
        self._run = None
        self._recall(self._search._standing.sign, False)

    def _recall(self, sign: int, queued: bool) -> None:
        """Fills the history anew."""
        self._history.clear()
        adapter = Adapter(self._history, self, sign, queued)
        for trial in self._search.history:
            adapter.on_trial(trial)


def merge_dicts(*args: dict[Any, Any]) -> dict[Any, Any]:
    """One dict of several.

    Args:
        *args: dicts, which may share keys if they agree on them.

    Returns:
        A dict.

    Raises:
        ValueError: if two of them disagree.

    Example:
        >>> merge_dicts({"a": 1}, {"a": 1, "b": 2})
        {'a': 1, 'b': 2}
    """
    merged: dict[Any, Any] = {}
    for part in args:
        for key, value in part.items():
            if key in merged and merged[key] is not value and not _check.equal(merged[key], value):
                raise ValueError(
                    f"the key {key!r} is given twice, with different values. Leave one out."
                )
        merged |= part
    return merged


def _refuse_others(**given: Any) -> None:
    """Refuses values of arguments that are not free."""
    for name, value in given.items():
        reason, *allowed = _FIXED[name]
        if value not in allowed:
            raise ValueError(f"`{name}={value!r}`: {reason}. Leave it out.")


def _budget(runtime: Any, steps: Any, endless: bool, sign: int) -> dict[str, Any]:
    """What ends the search, in jaxhop's arguments."""
    if endless == (runtime is not None or steps is not None):
        raise ValueError(
            "`runtime`, `steps`, `endless_mode`: something must end the search. Give one or both"
            " of the first two, or else `endless_mode=True`."
        )
    if endless:
        return {"target": -sign * sys.float_info.max}  # as good as never reached
    return {"runtime": runtime, "evaluations": int(steps) if isinstance(steps, str) else steps}


def _jobs(n_jobs: Any) -> Any:
    if isinstance(n_jobs, str) and n_jobs.strip().removeprefix("-").isdigit():
        n_jobs = int(n_jobs)
    return -1 if isinstance(n_jobs, int) and n_jobs <= 0 else n_jobs


def _listed(callbacks: Any) -> list[Any]:
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
