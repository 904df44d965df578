"""The object form of a search: run it, look, add to it, freeze a parameter, run it again."""

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxhop import _saved
from jaxhop._budget import Budget
from jaxhop._merging import allows, merged, over
from jaxhop._pruning import number
from jaxhop._python_search import Continued, Memory
from jaxhop._result import Result
from jaxhop._row import Row
from jaxhop._search import search
from jaxhop._standing import Collect, Standing
from jaxhop._trials import PHASES, Trial
from jaxhop.space import Fidelity, Parameter, Space, known
from jaxhop.storage import describe, from_plain, read_settings, to_plain

_GIVEN = PHASES.index("initial")
_ALWAYS = 300  # so many candidates are thought about, one by one


class Search:
    """A search that goes on: each run continues from the one before.

    With `run(..., dir="runs/lr")` all is written down as it goes; `save` and `Search.load` do it
    by hand.

    Args:
        *spaces: the space, any pytree; or several dicts, whose keys must differ.
        seed: of everything random. Default 0.
        **named: parameters and constants by name, which join the dicts.

    Attributes:
        best: the best candidate so far that obeys what is frozen; None as long as there is none.
        best_value: its value; NaN as long as there is none.
        history: the evaluations so far, a tuple of `Trial`; of JAX objectives those whose
            parameters came to the host.
        results: what the runs returned.

    Raises:
        ValueError: if two dicts have a key in common, or a parameter is wrong.
        TypeError: if several spaces are given that are no dicts.

    Example:
        >>> import jaxhop
        >>> search = Search(x=jaxhop.float(-1, 1), kind=jaxhop.choice("a", "b"))
        >>> search.enqueue({"x": 0.0})  # evaluated first; the rest is filled in
        >>> def loss(params):
        ...     return (params["x"] - 0.5) ** 2 + (params["kind"] == "a")
        >>> result = search.run(loss, direction="min", evaluations=20, backend="python")
        >>> search["kind"] = "a"  # from here on only this one
        >>> search.space.size
        1
        >>> result = search.run(loss, direction="min", evaluations=10, backend="python")
        >>> search.best["kind"], len(search.history), search.best_value >= 1
        ('a', 30, True)
    """

    def __init__(self, *spaces: Any, seed: int = 0, **named: Any) -> None:
        self._whole = self._tree = merged(spaces, named)  # with nothing frozen, and as it is
        self._frozen: dict[Any, Any] = {}
        self._changed: list[Any] = []  # keys under which candidates may have what is not allowed
        self._seed = seed
        self._space = known(self._tree)
        self._queue: list[Any] = []
        self._memory = Memory()
        self._asked: dict[bytes, Row] = {}
        self._standing = Standing(self._obeys)
        self._runs = 0  # before it was saved
        self._home: tuple[str, list[Any]] | None = None  # the directory, and what it began with
        self.results: list[Result] = []

    def __repr__(self) -> str:
        return f"Search({self._tree!r}, {len(self._standing.trials)} evaluations)"

    @property
    def space(self) -> Space:
        """The space that the next run searches: what is frozen is a constant of it."""
        return self._space

    @property
    def history(self) -> tuple[Trial, ...]:
        """The evaluations so far, in the order in which they ended."""
        return tuple(self._standing.trials)

    @property
    def best(self) -> Any:
        """The best candidate so far that obeys what is frozen, or None."""
        leader = self._standing.leader
        return None if leader is None else copy.deepcopy(leader.params)

    @property
    def best_value(self) -> float:
        """The value of `best`, or NaN."""
        return self._standing.best_value

    def __getitem__(self, name: Any) -> Any:
        """A parameter or constant of the space by its key; the value of what is frozen."""
        return self._node(name)[name]

    def __setitem__(self, name: Any, value: Any) -> None:
        """Freezes a parameter to a value, or replaces it by another parameter.

        Args:
            name: a key of the space.
            value: the value, which need not be one that the parameter allows; or a parameter.

        Raises:
            KeyError: if the space has no such key.
        """
        self._node(name)
        tree = {**self._tree, name: value}
        space = known(tree)
        self._tree, self._space = tree, space
        self._changed += [] if name in self._changed else [name]
        if any(isinstance(leaf, Parameter | Fidelity) for leaf in jax.tree.leaves(value)):
            self._whole = {**self._whole, name: value}
            self._frozen.pop(name, None)
        else:
            self._frozen[name] = value
        self._memory = Memory()
        self._asked = {}
        self._standing.restart(self._standing.trials)

    def __iadd__(self, candidate: Any) -> "Search":
        """Enqueues a candidate: `search += {"lr": 0.1}`."""
        self.enqueue(candidate)
        return self

    def enqueue(self, candidate: Any) -> None:
        """Has a candidate evaluated at the beginning of the next run.

        Candidates that are enqueued before the first run stand for the space's initial values.

        Args:
            candidate: a whole one, or a part: what a dict lacks is taken from the best candidate
                so far, or else from the initial values.

        Raises:
            ValueError: if it does not fit the space; the message names the place.
            TypeError: if a part of it is of a wrong type.
        """
        self._queue.append(self._filled(candidate))

    def run(self, fn: Callable[..., Any], *, direction: str, **settings: Any) -> Result:
        """Searches on.

        Args:
            fn: the objective, as for `jaxhop.search`.
            direction: `"min"` or `"max"`; the same in all runs.
            **settings: all others of `jaxhop.search`: at least one of `runtime`, `evaluations`
                and `target`, which count for this run alone. With `dir` they count for all that
                is in the directory, which then is all that the search knows; another run with
                the same directory goes on with it.

        Returns:
            The result of this run.

        Raises:
            ValueError: if the direction is not that of the run before; or if a directory is given
                to a search that knows of evaluations which are not in it.
            Exception: as `jaxhop.search` does.
        """
        if isinstance(settings.get("dir"), str | os.PathLike):
            return self._run_in(fn, direction, settings)
        direction, self._home = self._standing.turn(direction), None
        queue, self._queue = self._queue, []
        given = [*queue, *(settings.pop("init", None) or ())]
        callbacks = [Collect(self._standing), *settings.pop("callbacks", ())]
        seed = settings.pop("seed", self._seed + self._runs + len(self.results))
        self._memory.best, self._memory.best_value = self.best, self.best_value
        result = search(
            fn,
            Continued(self._space, self._memory, initial=not queue),
            direction=direction,
            seed=seed,
            init=given,
            callbacks=callbacks,
            **settings,
        )
        self.results.append(result)
        return result

    def ask(self, n: int = 1) -> list[Any]:
        """Candidates to evaluate in a loop of your own; tell their values when you have them.

        Args:
            n: how many, at least 1.

        Returns:
            Up to n candidates that were not asked for before; fewer if the space is used up.

        Raises:
            ValueError: if n is less than 1.

        Example:
            >>> import jaxhop
            >>> search = Search(x=jaxhop.float(-1, 1))
            >>> for _ in range(3):
            ...     candidates = search.ask(2)
            ...     search.tell(candidates, [abs(each["x"] - 0.5) for each in candidates])
            >>> len(search.history), search.best_value <= 0.5
            (6, True)
        """
        if n < 1:
            raise ValueError(f"`ask({n!r})`: `n >= 1` must hold. Say `ask(1)`.")
        self._home = None
        asker = self._memory.asker(self._space, self._seed, None)
        start = [] if self._standing.trials or self._asked or self._queue else [None]
        rows, self._queue = asker.first([*start, *self._queue[:n]]), self._queue[n:]
        told = len(self._standing.trials)
        # Nobody knows how long the loop will be.
        progress = Budget(target=0.0).progress(told, 0.0)
        while len(rows) < n and (more := asker.more(progress, n - len(rows), told < _ALWAYS)):
            rows += more
        self._asked |= {row.key: row for row in rows}
        return [row.candidate for row in rows]

    def tell(
        self, candidates: Sequence[Any], values: Sequence[float], *, direction: str | None = None
    ) -> None:
        """Takes in values of candidates, be they asked for or not.

        Args:
            candidates: whole candidates.
            values: one number each; NaN where there is none.
            direction: `"min"` or `"max"`; the same every time. Default: that of before, or
                `"min"`.

        Raises:
            ValueError: if there is not one value for each, a candidate does not fit the space, or
                the direction is not that of before.
            TypeError: if a value is no number.

        Example:
            >>> import jaxhop
            >>> search = Search(x=jaxhop.float(-1, 1))
            >>> search.tell([{"x": 0.25}, {"x": -0.5}], [3.0, 7.0], direction="max")
            >>> search.best, search.best_value
            ({'x': -0.5}, 7.0)
        """
        if len(candidates) != len(values):
            raise ValueError(
                f"`tell`: {len(candidates)} candidates need as many values, but got"
                f" {len(values)}. Give one for each."
            )
        self._standing.turn(direction or self._standing.direction or "min")
        self._home = None
        asker = self._memory.asker(self._space, self._seed, None)
        rows = []
        for candidate in candidates:
            row = asker.row(candidate, _GIVEN)
            asker.tried.new(row.key)
            rows.append(self._asked.pop(row.key, row))
        given = np.array([number(value, "tell") for value in values])
        asker.tell(rows, np.where(np.isfinite(given), self._standing.sign * given, np.inf))
        for candidate, value, row in zip(candidates, given.tolist(), rows, strict=True):
            improved = self._standing.better(value)
            self._standing.add(
                Trial(
                    number=len(self._standing.trials),
                    params=copy.deepcopy(candidate),  # whoever tells may change it later
                    value=value,
                    status="completed",
                    phase=PHASES[row.phase],
                    seconds=float("nan"),
                    duration=float("nan"),
                    worker=0,
                    improved=improved,
                    best_value=value if improved else self.best_value,
                )
            )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes all that the search knows to a file of JSON.

        Args:
            path: the file; one that is there is replaced.

        Raises:
            TypeError: if there is an object in a candidate that JSON cannot hold.
            StorageError: if the file cannot be written.

        Example:
            >>> import tempfile, jaxhop
            >>> search = Search(x=jaxhop.float(-1, 1))
            >>> asked = search.ask(2)
            >>> with tempfile.TemporaryDirectory() as place:
            ...     search.save(f"{place}/search.json")
            ...     loaded = Search.load(f"{place}/search.json")
            >>> loaded.tell(asked, [0.5, 0.2])
            >>> loaded.best == asked[1]
            True
        """
        place, tree, asker = Path(os.fspath(path)), self._whole, self._memory._asker
        try:
            plain = {
                "space": describe(known(tree)),
                "seed": self._seed,
                "direction": self._standing.direction,
                "runs": self._runs + len(self.results),
                "frozen": [[to_plain(key), to_plain(x)] for key, x in self._frozen.items()],
                "changed": [to_plain(key) for key in self._changed],
                "queue": [_saved.plain_candidate(tree, each) for each in self._queue],
                "trials": [_saved.plain_trial(tree, trial) for trial in self._standing.trials],
                "asker": None if asker is None else _saved.plain_asker(asker, self._asked),
            }
        except TypeError as error:
            raise TypeError(
                f"`save({str(place)!r})`: {error} Or let candidates have names of objects, and"
                " look these up in the objective."
            ) from None
        _saved.write(place, plain)

    @classmethod
    def load(cls, path: str | os.PathLike[str], /, *spaces: Any, **named: Any) -> "Search":
        """A search that `save` wrote; it goes on as if it had never stopped.

        Nothing in the file is executed.

        Args:
            path: the file.
            *spaces: the space, as it was given to `Search`. Default: it is made from the file,
                which cannot hold functions and objects.
            **named: likewise.

        Returns:
            The search; its `results` are empty.

        Raises:
            StorageError: if the file is missing, damaged or of another space, or if the space
                cannot be made from it.
            ValueError: as `Search` does.

        Example:
            >>> import tempfile, jaxhop
            >>> search = Search(x=jaxhop.float(-1, 1))
            >>> search.tell([{"x": 0.25}], [3.0])
            >>> with tempfile.TemporaryDirectory() as place:
            ...     search.save(f"{place}/search.json")
            ...     Search.load(f"{place}/search.json").best
            {'x': 0.25}
        """
        place = Path(os.fspath(path))
        plain = _saved.read(place)
        with _saved.sentences(place):
            description, seed = plain["space"], int(plain["seed"])
        given = merged(spaces, named) if spaces or named else None
        search = cls(_saved.tree_of(place, description, given), seed=seed)
        with _saved.sentences(place):
            search._restore(plain)
        return search

    def _restore(self, plain: dict[str, Any]) -> None:
        """Takes in what `save` wrote; the search is new."""
        tree = self._whole
        if plain["direction"] is not None:
            self._standing.turn(plain["direction"])
        self._runs = int(plain["runs"])
        for key, value in plain["frozen"]:
            self[from_plain(key)] = from_plain(value)
        self._changed = [from_plain(key) for key in plain["changed"]]
        self._standing.restart(
            _saved.read_trial(tree, at, each) for at, each in enumerate(plain["trials"])
        )
        self._queue = [_saved.read_candidate(tree, each) for each in plain["queue"]]
        if plain["asker"] is not None:
            self._asked = _saved.read_asker(self._memory, self._space, plain["asker"])

    def _run_in(self, fn: Callable[..., Any], direction: str, settings: dict[str, Any]) -> Result:
        """Searches on in a directory, which tells what is known."""
        place, memory = os.path.realpath(settings["dir"]), Memory()
        begun, added = self._beginning(place)
        given = [*begun, *added, *(settings.pop("init", None) or ())]
        result = search(
            fn,
            Continued(self._space, memory, initial=not begun),
            direction=self._standing.turn(direction),
            init=given,
            **{"seed": self._seed, **settings},
        )
        self._queue, self._home = [], (place, begun)
        self._memory, self._asked = memory, {}
        self._standing.restart(_saved.recorded(result.history))
        self.results.append(result)
        return result

    def _beginning(self, place: str) -> tuple[list[Any], list[Any]]:
        """What a directory began with, and what was enqueued since."""
        if self._home is not None and self._home[0] == place:
            settings, history = read_settings(Path(place)), self.results[-1].history
            rungs = self._space.fidelity is not None
            rounds = not settings["rows"] or (history["step"].any() and not rungs)
            if self._queue and rounds:
                raise ValueError(
                    f"`dir={place!r}`: a search in rounds takes candidates at its beginning only."
                    " Enqueue them before the first run, or run without `dir`."
                )
            return self._home[1], self._queue
        if self._standing.trials or self._asked or self.results:
            raise ValueError(
                f"`dir={place!r}`: this search knows of evaluations that are not in the"
                " directory. Say `dir` from the first run on, or write the search down with"
                " `search.save(path)`."
            )
        return self._queue, []

    def _obeys(self, params: Any) -> bool:
        """Whether a candidate is one that what is frozen allows."""
        return all(allows(self._tree[key], params[key]) for key in self._changed)

    def _filled(self, candidate: Any) -> Any:
        """A whole candidate from a part of one."""
        best = self.best
        whole = self._space.complete(candidate if best is None else over(best, candidate))
        self._space.validate(whole)
        return whole

    def _node(self, name: Any) -> Mapping[Any, Any]:
        if not isinstance(self._tree, Mapping) or name not in self._tree:
            keys = list(self._tree) if isinstance(self._tree, Mapping) else []
            raise KeyError(f"`search[{name!r}]`: the space has no such key. Its keys are {keys}.")
        return self._tree
