"""Rivals that call a Python objective over a vector: loops that go on until it ends them."""

import warnings
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from io import StringIO
from itertools import count
from typing import Any

import numpy as np

from benchmarks.extras import require
from benchmarks.instance import Group, Instance
from benchmarks.measure import Meter
from benchmarks.problems import Problem
from benchmarks.record import Recorder, Run, Spent

Search = Callable[..., Any]
"""`search(instance, objective, seed, **settings)` calls the objective until it raises `Spent`."""


def hosted(search: Search, **fixed: Any) -> Callable[..., Run]:
    """Make an adapter of a loop.

    Args:
        search: the loop.
        **fixed: arguments of it.

    Returns:
        What `benchmarks.rivals.Adapter` describes.
    """

    def run(
        problem: Problem,
        seed: int,
        evaluations: int | None = None,
        seconds: float | None = None,
        **settings: Any,
    ) -> Run:
        instance = problem.make(seed)
        if instance.kind == "permutation" and search is not random:
            raise ValueError(
                f"`{problem.name}`: the problem must be a vector of numbers for this algorithm, "
                "but it is a permutation. Leave it out."
            )
        with Meter() as meter:
            objective = Recorder(instance.fn_numpy, evaluations, seconds)
            with suppress(Spent), warnings.catch_warnings(), redirect_stdout(StringIO()):
                warnings.simplefilter("ignore")
                search(instance, objective, seed, **fixed, **settings)
        return objective.run(instance, meter)

    return run


def random(instance: Instance, objective: Recorder, seed: int, **settings: Any) -> None:
    """Independent candidates; there is nothing to set."""
    del settings
    rng = np.random.default_rng(seed)
    while True:
        objective(instance.sample(rng))


def pycma(
    instance: Instance,
    objective: Recorder,
    seed: int,
    *,
    population: int | None = None,
    **options: Any,
) -> None:
    """CMA-ES of pycma at its defaults, started over with twice the population when it ends.

    Args:
        instance: what to search.
        objective: what to call.
        seed: of its random numbers and of the points it starts over at.
        population: candidates a generation; pycma's 4 + 3 ln(dim) if None.
        **options: of pycma, such as `CMA_diagonal`.
    """
    cma, rng = require("cma"), np.random.default_rng(seed)
    size = float(np.max(instance.std))
    given = {"verbose": -9, "bounds": [instance.low, instance.high], **options}
    given["bounds"] = [np.broadcast_to(bound, instance.dim).tolist() for bound in given["bounds"]]
    if np.ndim(instance.std):
        given["CMA_stds"] = np.asarray(instance.std) / size
    if instance.integers:
        given["integer_variables"] = list(range(instance.integers))
    if instance.noisy:
        del given["bounds"]
    start = np.asarray(instance.initial, np.float64)
    for restart in count():
        own = {**given, "seed": 1 + seed + 1000 * restart}
        if population is not None:
            own["popsize"] = population
        search = cma.CMAEvolutionStrategy(start, size, own)
        while not search.stop():
            points = search.ask()
            search.tell(points, [objective(np.asarray(x)) for x in points])
        population = 2 * search.popsize
        start = np.asarray(instance.sample(rng), np.float64)


def cmaes(
    instance: Instance, objective: Recorder, seed: int, *, kind: str, population: int | None = None
) -> None:
    """CMA, SepCMA or CMAwM of the package cmaes, started over with twice the population.

    Args:
        instance: what to search.
        objective: what to call.
        seed: of its random numbers and of the points it starts over at.
        kind: name of the class.
        population: candidates a generation; 4 + 3 ln(dim) if None.
    """
    make, rng = getattr(require("cmaes"), kind), np.random.default_rng(seed)
    low, high = (np.broadcast_to(bound, instance.dim) for bound in (instance.low, instance.high))
    std = np.broadcast_to(instance.std, instance.dim)
    size, own = float(np.max(instance.std)), {}
    if kind == "CMAwM":
        own["steps"] = np.where(np.arange(instance.dim) < instance.integers, 1.0, 0.0)
    if np.ndim(instance.std):
        own["cov"] = np.diag((std / size) ** 2)
    start = np.asarray(instance.initial, np.float64)
    for restart in count():
        search = make(
            mean=start,
            sigma=size,
            bounds=np.stack([low, high], axis=1),
            seed=seed + 1000 * restart,
            population_size=population,
            **own,
        )
        while not search.should_stop():
            told = []
            for _ in range(search.population_size):
                # CMAwM gives the candidate, and the point to tell of it.
                x, tellable = search.ask() if kind == "CMAwM" else (search.ask(),) * 2
                told.append((tellable, objective(x)))
            search.tell(told)
        population = 2 * search.population_size
        start = np.asarray(instance.sample(rng), np.float64)


def nevergrad(instance: Instance, objective: Recorder, seed: int, *, optimizer: str) -> None:
    """An optimizer of nevergrad, told the budget; whole numbers are cast to by nevergrad."""
    ng = require("nevergrad")

    def one(group: Group) -> Any:
        first = np.asarray(instance.initial[group.where], np.float64)
        array = ng.p.Array(init=first, lower=group.low, upper=group.high)
        return array.set_integer_casting() if group.whole else array

    parameters = ng.p.Tuple(*map(one, instance.groups()))
    parameters.random_state.seed(seed)
    budget = int(objective.left) if np.isfinite(objective.left) else None
    search = getattr(ng.optimizers, optimizer)(parameters, budget=budget)
    while True:
        candidate = search.ask()
        search.tell(candidate, objective(np.concatenate(candidate.value)))


def optuna(
    instance: Instance, objective: Recorder, seed: int, *, sampler: str, **settings: Any
) -> None:
    """A sampler of Optuna at its defaults, which for CMA-ES is no restart."""
    own = require("optuna")
    own.logging.set_verbosity(own.logging.ERROR)
    low, high = (np.broadcast_to(bound, instance.dim) for bound in (instance.low, instance.high))
    names = [f"x{i:04}" for i in range(instance.dim)]

    def suggested(trial: Any) -> float:
        return objective(
            np.array(
                [
                    trial.suggest_int(name, int(low[i]), int(high[i]))
                    if i < instance.integers
                    else trial.suggest_float(name, float(low[i]), float(high[i]))
                    for i, name in enumerate(names)
                ],
                np.float64,
            )
        )

    if sampler == "CmaEsSampler" and instance.integers:
        settings["with_margin"] = True
    study = own.create_study(sampler=getattr(own.samplers, sampler)(seed=seed, **settings))
    study.enqueue_trial(dict(zip(names, _plain(instance), strict=True)))
    study.optimize(suggested, n_trials=None)


def _plain(instance: Instance) -> list[float]:
    """The first guess, whole numbers as such."""
    return [int(x) if i < instance.integers else float(x) for i, x in enumerate(instance.initial)]


def hyperopt(instance: Instance, objective: Recorder, seed: int) -> None:
    """TPE of hyperopt at its defaults."""
    own = require("hyperopt")
    low, high = (np.broadcast_to(bound, instance.dim) for bound in (instance.low, instance.high))
    names = [f"x{i:04}" for i in range(instance.dim)]
    space = {
        name: own.hp.uniformint(name, int(low[i]), int(high[i]))
        if i < instance.integers
        else own.hp.uniform(name, float(low[i]), float(high[i]))
        for i, name in enumerate(names)
    }
    own.fmin(
        lambda found: objective(np.array([found[name] for name in names], np.float64)),
        space,
        algo=own.tpe.suggest,
        max_evals=int(objective.left),
        points_to_evaluate=[dict(zip(names, _plain(instance), strict=True))],
        rstate=np.random.default_rng(seed),
        show_progressbar=False,
        verbose=False,
    )
