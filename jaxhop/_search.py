"""The door: checks what it is given, puts the parts together, and returns what was found."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from datetime import timedelta
from typing import Any

from jaxhop._arguments import (
    make_algorithm,
    parse_backend,
    parse_devices,
    parse_direction,
    parse_options,
    parse_population,
    refuse_jax_only,
    refuse_python_only,
    refuse_python_parameters,
    whole,
)
from jaxhop._asking import LISTED, keep_to_cpu
from jaxhop._backend import choose
from jaxhop._beginning import first_candidates, parse_observed, refuse_two_beginnings
from jaxhop._budget import Budget
from jaxhop._extension import extend
from jaxhop._incremental import Incremental, Searched
from jaxhop._interrupt import GRACE_SECONDS
from jaxhop._memory import parse_memory
from jaxhop._place import parse_place
from jaxhop._plan import Plan, called_session, compiled_session
from jaxhop._python_search import Continued, Memory
from jaxhop._result import Result
from jaxhop._session import follow
from jaxhop.algorithms import FACTORIES, Algorithm, Recipe, name_for
from jaxhop.callbacks import Callbacks
from jaxhop.space import Space, known
from jaxhop.storage import describe, signature

_LONG = 1000  # evaluations of a Python function from which it gets a population at a time


def search(
    fn: Callable[..., Any],
    space: Any,
    *,
    direction: str = "min",
    runtime: float | timedelta | str | None = None,
    evaluations: int | None = None,
    target: float | None = None,
    cost: float | None = None,
    patience: int | None = None,
    dir: str | os.PathLike[str] | None = None,
    resume: bool | str = True,
    overwrite: bool = False,
    checkpoint_every: float | timedelta | str | None = None,
    seed: int = 0,
    population: int | None = None,
    algorithm: str | Recipe | Algorithm = "auto",
    init: Sequence[Any] | None = None,
    observed: Sequence[tuple[Any, float]] | Result | None = None,
    average: int | None = None,
    backend: str = "auto",
    devices: Sequence[Any] | None = None,
    max_memory: int | str | None = None,
    vectorized: bool | None = None,
    n_jobs: int | str | None = None,
    executor: Executor | None = None,
    timeout: float | timedelta | str | None = None,
    on_error: str | float | None = None,
    pruner: Any = None,
    duplicates: str = "skip",
    surrogate: str | bool = "auto",
    evaluations_per_process: int | None = None,
    count_in_flight: bool = True,
    grace: float | timedelta | str = GRACE_SECONDS,
    callbacks: Iterable[Any] = (),
    progress: bool | None = None,
) -> Result:
    """Searches a space for the candidate with the best value of a function.

    A JAX function is traced once and compiled together with the algorithm into one program, which
    evaluates the population on every device. Any other function is called once a candidate: in
    this process, in several (`n_jobs`), or wherever an `executor` runs it.

    A function is traced if it is jitted or refers to jax, flax or equinox, and none of the
    arguments is given that only concern Python (`vectorized`, `n_jobs`, `executor`, `timeout`,
    `on_error`, `pruner`). One that cannot be traced runs in Python, and a line says why.

    Needed is at least one of `runtime`, `evaluations`, `target`, `cost` and `patience`; what is
    reached first ends the search. Equal calls with the same seed, population and `evaluations`
    give the same candidates: JAX functions on any number of devices, Python functions with one job
    (and with `surrogate` given, where there are more than 300 evaluations).

    Args:
        fn: the objective, a function of the parameters, which come in the structure of `space`.
            A JAX function gets a traced value in place of each parameter, and returns a number, or
            `(number, aux)`. If it has a second parameter it is random and gets a key: one a
            round, so that the candidates of a round meet the same luck; the best one is then
            chosen by its mean over fresh keys.
            A Python function gets Python scalars, NumPy arrays and the options themselves. It
            returns a number, or is a generator that yields estimates, the last of which counts.
            What `jaxhop.incremental` returns also says what a move of an order changes.
        space: a pytree of parameters (`jaxhop.float` and so on); any other leaf is a constant.
        direction: `"min"` or `"max"`; `"minimize"` and `"maximize"` mean the same.
        runtime: how long to search: seconds, a `timedelta`, or text such as `"30min"`,
            `"1h 30min"`, `"1:30:00"`. The clock starts when the program is compiled.
        evaluations: how many evaluations to make, exactly.
        target: a value that is good enough.
        cost: what all trials together may cost, in the unit in which the objective says it: it
            returns `{"value": value, "cost": cost}`. For Python functions.
        patience: how many evaluations may follow one that was the best.
        dir: a directory in which everything is written down that was evaluated. The same call
            goes on with what is there: it returns at once if `evaluations`, `runtime` or whatever
            else ends it are used up, and runs the difference if they are more than before. A
            Python function can be searched by several processes at once that share a directory
            and so the budget. Default: none.
        resume: True to go on with the search in `dir`, False to refuse if there is one, "extend"
            to go on in a space that has more parameters than it had, which stand at their initial
            values in what was evaluated before.
        overwrite: whether to delete the search in `dir` and start anew. Only what a search wrote
            is deleted.
        checkpoint_every: seconds, or text as for `runtime`, between two states of a JAX function's
            search, or of one in rounds, that are written to `dir`. Default: so many that this
            takes about 1 % of the time. A killed search makes again what came after the last one.
        seed: of everything random, at least 0.
        population: candidates a round; of covariance adaptation the most that one can have.
            Default: what suits the algorithm, `jaxhop.algorithms.population_for`; without
            `evaluations`, 1024 on an accelerator.
        algorithm: `"auto"` (see `jaxhop.algorithms.name_for`), what a factory in
            `jaxhop.algorithms` returns, or an `Algorithm` of your own, made for this space and
            population.
        init: candidates to evaluate first, after the space's own initial values. Parts of
            candidates will do: what a dict lacks is taken from the initial values.
        observed: known results, pairs of a candidate (or a part of one) and its value, or the
            result of another search, such as `jaxhop.load(dir)`. They are not evaluated again,
            and count as found if nothing better is. Searches in rounds, JAX functions among
            them, take the best of these, up to the population, in place of their first round.
        average: so many keys for each candidate of a random JAX function, whose value is then the
            mean over them. Default: one.
        backend: `"jax"` to trace the function in any case, `"python"` to call it in Python, or
            `"auto"` to choose by what it refers to.
        devices: where to evaluate a JAX function. Default: all devices, those of other hosts
            included if `jax.distributed` was initialized.
        max_memory: bound on what the search holds on each device, such as `"8GB"`. Default: chunks
            of candidates that fit in a CPU's cache or in 1 GiB of an accelerator.
        vectorized: whether a Python function takes the whole population, stacked along a leading
            axis as NumPy arrays, and returns an array of values. Default: it takes one candidate.
        n_jobs: worker processes: a number, -1 for every core that this process may use,
            `"per-gpu"`, or `"2x per-gpu"`; a worker then sees one GPU. Default: none, trials run
            in this process.
        executor: a `concurrent.futures.Executor` to run trials on, such as Dask's
            `client.get_executor()` or `jaxhop.executors.ray()`.
        timeout: seconds, or text as for `runtime`, that a trial may take; then its process is
            killed. Default: no limit.
        on_error: what an exception of the function means: `"raise"` ends the search with it,
            `"skip"` goes on without a value, a number goes on with that value. Default: `"raise"`.
        pruner: what ends trials early by their estimates; see `jaxhop.pruners`.
        duplicates: `"skip"` evaluates no candidate twice, and ends the search when a finite space
            is used up; `"allow"` is for Python functions whose values vary. JAX functions are not
            asked.
        surrogate: whether a model of a Python function screens candidates before they are
            evaluated. `"auto"`: in searches of up to 300 evaluations always, in longer ones while
            that costs at most a tenth of a trial.
        evaluations_per_process: how many trials this process may begin, where several share
            `dir`.
        count_in_flight: whether trials that run in other processes count as evaluations: then the
            last process waits for them, and takes them over if those die. Otherwise there may be
            more evaluations than asked for, by what was under way. Default: True.
        grace: seconds, or text as for `runtime`, that running trials have when the process is
            asked to go by SIGTERM. Default: 10.
        callbacks: functions `(report) -> bool | None`, or objects with any of `on_start`,
            `on_trial`, `on_improvement`, `on_round`, `on_end`; see `jaxhop.callbacks`.
        progress: whether to show a live line and a table at the end. Default: if standard error
            is a terminal. False silences everything.

    Returns:
        The result: `best`, `best_value`, `history`, `stop_reason` and more.

    Raises:
        ValueError: if an argument is out of range or a parameter is wrong; or if every value was
            NaN or infinite.
        TypeError: if an argument is of a wrong type, or the objective returns no number.
        TraceError: if it cannot be traced, with `backend="jax"`.
        Exception: what a Python function raised, with `on_error="raise"`.
        RuntimeError: if worker processes die one after the other.
        StorageError: if `dir` holds another search, is damaged, or cannot be written to.

    Example:
        >>> import jax.numpy as jnp, jaxhop
        >>> def loss(params):
        ...     return jnp.sum((params["w"] - 0.5) ** 2) + (params["n"] - 3) ** 2
        >>> space = {"w": jaxhop.float(-1, 1, shape=(4,)), "n": jaxhop.int(1, 8)}
        >>> result = jaxhop.search(loss, space, evaluations=4000, seed=0)
        >>> result.best["n"], bool(result.best_value < 0.01)
        (3, True)
    """
    listeners = Callbacks(callbacks)
    direction = parse_direction(direction)
    budget = Budget.of(runtime, evaluations, target, cost, patience)
    seed = whole("seed", seed, 0, 2**64 - 1, "seed=0")
    bound = None if max_memory is None else parse_memory(max_memory)
    if progress is not None and not isinstance(progress, bool):
        raise TypeError(f"`progress={progress!r}`: it must be True, False or None.")
    given = {
        "vectorized": vectorized,
        "n_jobs": n_jobs,
        "executor": executor,
        "timeout": timeout,
        "on_error": on_error,
        "pruner": pruner,
    }
    options = parse_options(
        **given,
        duplicates=duplicates,
        surrogate=surrogate,
        evaluations_per_process=evaluations_per_process,
        count_in_flight=count_in_flight,
        grace=grace,
    )
    place = parse_place(
        dir, resume, overwrite, checkpoint_every, evaluations_per_process, count_in_flight
    )
    backend = parse_backend(backend, [name for name, value in given.items() if value is not None])
    if options.jobs is not None and options.jobs.gpus:
        keep_to_cpu()
    used = parse_devices(devices)
    platform = used[0].platform
    space, memory, initial = (
        space if isinstance(space, Continued) else (known(space), Memory(), True)
    )
    beginning = first_candidates(space, init, memory.best, initial and memory.fresh)
    known_values = parse_observed(space, observed, direction)
    if isinstance(fn, Incremental):
        asked = Searched(backend, algorithm, population)
        backend, algorithm, population = fn.settle(
            space, direction, asked, len(beginning), platform
        )
    objective, notes = choose(fn, space, direction, backend, average)
    compiled = objective is not None and space.fidelity is None
    noisy = compiled and objective is not None and objective.noisy
    rounds = compiled or (objective is None and options.vectorized)
    rounds |= objective is None and (population is not None or algorithm != "auto")
    described = None if place is None else describe(space)
    chosen = None
    if isinstance(algorithm, str) and algorithm == "auto":
        # A search that goes on keeps to its algorithm, whatever its budget is now.
        before = {} if place is None else place.before(described)
        suited = name_for(space, population, budget.evaluations, noisy)
        chosen = before.get("algorithm", suited)
        chosen = chosen if chosen in FACTORIES else suited
        at_once = before.get("rounds", _long(space, budget.evaluations, chosen))
        rounds |= objective is None and at_once
        algorithm = FACTORIES[chosen]()
    width = parse_population(
        population, chosen, space, budget, platform if compiled else "cpu", len(beginning)
    )
    # All that can be wrong is refused before anything is written, or deleted.
    if compiled:
        refuse_python_only(cost=cost, evaluations_per_process=evaluations_per_process)
        refuse_two_beginnings(init, known_values)
    else:
        refuse_jax_only(objective is not None, devices=devices, max_memory=max_memory)
    if objective is None:
        refuse_jax_only(False, average=average)
    if rounds:
        refuse_python_parameters(space)
        make_algorithm(algorithm, space, width, noisy)
    directory = None
    if place is not None:
        settings = {
            "space": described,
            "direction": direction,
            "objective": signature(fn),
            "seed": seed,
            "backend": "python" if objective is None else "jax",
            "rounds": rounds,
        }
        settings |= {} if population is None else {"population": width}
        defaults = {"population": width, "rows": not compiled}
        defaults |= {} if chosen is None else {"algorithm": chosen}
        directory = place.open(settings, defaults)
        if directory.extended is not None:
            extend(directory, space)
        notes = (*notes, *directory.notes)
        # The default of another budget would be another search.
        width = max(directory.settings["population"], len(beginning))
    plan = Plan(
        fn=fn,
        space=space,
        budget=budget,
        direction=direction,
        seed=seed,
        width=width,
        algorithm=make_algorithm(algorithm, space, width, noisy) if rounds else None,
        average=average,
        observed=known_values,
        directory=directory,
    )
    if compiled:
        assert objective is not None
        session = compiled_session(plan, objective, beginning, used, bound)
    else:
        session = called_session(plan, objective is not None, beginning, options, memory, notes)
    return follow(
        session,
        space=space,
        budget=budget,
        direction=direction,
        seed=seed,
        listeners=listeners,
        progress=progress,
        directory=directory,
        grace=options.grace,
    )


def _long(space: Space, evaluations: int | None, algorithm: str) -> bool:
    """Whether a Python function gets a population at a time where nobody asked for that."""
    if algorithm == "search_gradient":
        return True
    # A time may be short: calls are as long as they are.
    many = evaluations is not None and evaluations >= _LONG
    if algorithm != "covariance_adaptation" or not many or space.python:
        return False
    # Few candidates may be used up, and to the last one they are only one by one.
    return space.cardinality is None or space.cardinality > LISTED
