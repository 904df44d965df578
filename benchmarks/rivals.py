"""Adapters that run jaxhop and its rivals on a problem, all with one signature."""

from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from functools import partial
from io import StringIO
from typing import Any, Protocol

import jax
import numpy as np

from benchmarks.evosax_rivals import STRATEGIES, run_evosax
from benchmarks.extras import require
from benchmarks.host_rivals import (
    cmaes,
    hosted,
    hyperopt,
    nevergrad,
    optuna,
    pycma,
    random,
)
from benchmarks.instance import Group, Instance
from benchmarks.measure import Meter
from benchmarks.problems import Problem
from benchmarks.record import Recorder, Run, Spent, thin


class Adapter(Protocol):
    """Runs one algorithm; exactly one of `evaluations` and `seconds` is given."""

    def __call__(
        self,
        problem: Problem,
        seed: int,
        evaluations: int | None = None,
        seconds: float | None = None,
        **settings: Any,
    ) -> Run:
        """Search the instance of `problem` with this seed within the budget."""
        ...


@dataclass(frozen=True)
class Rival:
    """An adapter, and the distribution whose version belongs beside its numbers.

    Attributes:
        run: the adapter.
        package: name of the distribution on PyPI.
    """

    run: Adapter
    package: str


def run_jaxhop(
    problem: Problem,
    seed: int,
    evaluations: int | None = None,
    seconds: float | None = None,
    *,
    name: str | None = None,
    rounds: bool = False,
    **settings: Any,
) -> Run:
    """Run `jaxhop.search`.

    Args:
        problem: what to search.
        seed: which instance, and the search's seed.
        evaluations: the budget.
        seconds: the budget in time.
        name: an algorithm at its defaults; "auto" if None.
        rounds: whether a function that only Python can call gets whole populations.
        **settings: further arguments of `jaxhop.search`.

    Returns:
        The run.
    """
    jaxhop = require("jaxhop")
    if name is not None:
        settings["algorithm"] = getattr(jaxhop.algorithms, name)()
    instance = problem.make(seed)
    fn, judge = instance.fn, instance.judge
    if fn is None:
        fn = partial(_stacked if rounds else _one, instance)
        settings["vectorized"] = rounds or None
    with Meter() as meter:
        result = jaxhop.search(
            fn,
            instance.space(),
            evaluations=evaluations,
            runtime=seconds,
            seed=seed,
            progress=False,
            **settings,
        )
    value = np.asarray(result.history["value"], np.float64)
    best = np.fmin.accumulate(value)
    rows = np.flatnonzero(np.diff(best, prepend=np.inf) < 0)
    evaluation, clock = result.history["evaluation"], result.history["seconds"]
    return Run(
        curve=thin([(int(evaluation[i]) + 1, float(clock[i]), float(best[i])) for i in rows]),
        best=judge([instance.flat(result.best)]) if judge else float(result.best_value),
        evaluations=int(result.evaluations),
        seconds=meter.seconds - result.compile_seconds,
        cpu_seconds=meter.cpu_seconds,
        peak_mb=meter.peak_mb,
        compile_seconds=float(result.compile_seconds),
        extra=instance.extra(result.best),
    )


def _one(instance: Instance, candidate: Any) -> float:
    return instance.fn_numpy(instance.flat(candidate))


def _stacked(instance: Instance, candidates: Any) -> np.ndarray:
    """The values of a population, which comes stacked along a leading axis."""
    leaves = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(candidates)]
    points = np.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1)
    return np.array([instance.fn_numpy(x) for x in points])


def run_pyhopper(
    problem: Problem,
    seed: int,
    evaluations: int | None = None,
    seconds: float | None = None,
    population: int | None = None,
    *,
    scalars: bool = False,
    **settings: Any,
) -> Run:
    """Run PyHopper at its defaults.

    PyHopper draws from the operating system's entropy: the seed chooses the instance only, and
    a second run with the same seed ends elsewhere. A step that draws a duplicate is spent
    without an evaluation, so the count of evaluations can stay below the budget.

    Args:
        problem: what to search.
        seed: which instance.
        evaluations: PyHopper's `steps`.
        seconds: PyHopper's `runtime`.
        population: unused, PyHopper takes one candidate at a time.
        scalars: one float a coordinate instead of one array, which is the other way to write
            such a space in PyHopper (and moves a share of the coordinates instead of all).
        **settings: further arguments of `pyhopper.Search.run`.

    Returns:
        The run.
    """
    del population
    pyhopper, instance = require("pyhopper"), problem.make(seed)
    if instance.kind == "permutation":
        # The operator of PyHopper's travelling salesman recipe, as a true 2-opt reversal.
        rng = np.random.default_rng(seed)
        order = pyhopper.custom(lambda: instance.sample(rng), partial(_reverse, rng))
        space = {"x0": order}
    elif scalars:
        space = {
            f"x{i}": pyhopper.float(instance.low, instance.high, init=float(instance.initial[i]))
            for i in range(instance.dim)
        }
    else:
        space = {f"x{i}": _array(instance, own) for i, own in enumerate(instance.groups())}

    def point(candidate: dict[str, Any]) -> np.ndarray:
        return np.concatenate([np.atleast_1d(part) for part in candidate.values()])

    # `quiet` does not silence the summary.
    with redirect_stdout(StringIO()), suppress(Spent), Meter() as meter:
        objective = Recorder(instance.fn_numpy, evaluations)
        pyhopper.Search(space).run(
            lambda candidate: objective(point(candidate)),
            direction="min",
            steps=evaluations,
            runtime=seconds,
            quiet=True,
            **settings,
        )
    return objective.run(instance, meter)


def _array(instance: Instance, group: Group) -> Any:
    pyhopper, initial = require("pyhopper"), instance.initial[group.where]
    if not group.whole:
        return pyhopper.float(group.low, group.high, init=initial, shape=(group.size,))
    low, high = int(group.low), int(group.high)
    return pyhopper.int(low, high, init=initial.astype(int), shape=(group.size,))


def _reverse(rng: np.random.Generator, tour: np.ndarray) -> np.ndarray:
    """Reverse one stretch of a tour."""
    start, end = np.sort(rng.choice(len(tour) + 1, 2, replace=False))
    return np.concatenate([tour[:start], tour[start:end][::-1], tour[end:]])


RIVALS: Mapping[str, Rival] = {
    "jaxhop": Rival(run_jaxhop, "jaxhop"),
    "annealed_mcmc": Rival(partial(run_jaxhop, name="annealed_mcmc"), "jaxhop"),
    "search_gradient": Rival(partial(run_jaxhop, name="search_gradient"), "jaxhop"),
    "jaxhop (rounds)": Rival(partial(run_jaxhop, rounds=True), "jaxhop"),
    "random": Rival(hosted(random), "numpy"),
    "pyhopper": Rival(run_pyhopper, "pyhopper"),
    "pyhopper-scalars": Rival(partial(run_pyhopper, scalars=True), "pyhopper"),
    "pycma": Rival(hosted(pycma), "cma"),
    "pycma sep": Rival(hosted(pycma, CMA_diagonal=True), "cma"),
    "cmaes": Rival(hosted(cmaes, kind="CMA"), "cmaes"),
    "cmaes sep": Rival(hosted(cmaes, kind="SepCMA"), "cmaes"),
    "cmaes margin": Rival(hosted(cmaes, kind="CMAwM"), "cmaes"),
    "nevergrad 1+1": Rival(hosted(nevergrad, optimizer="OnePlusOne"), "nevergrad"),
    "nevergrad discrete 1+1": Rival(
        hosted(nevergrad, optimizer="DiscreteOnePlusOne"), "nevergrad"
    ),
    "nevergrad NGOpt": Rival(hosted(nevergrad, optimizer="NGOpt"), "nevergrad"),
    "optuna TPE": Rival(hosted(optuna, sampler="TPESampler"), "optuna"),
    "optuna CMA": Rival(hosted(optuna, sampler="CmaEsSampler"), "optuna"),
    "hyperopt TPE": Rival(hosted(hyperopt), "hyperopt"),
    **{name: Rival(partial(run_evosax, strategy=name), "evosax") for name in STRATEGIES},
}
"""What can be run, by name. A new rival is one function and one line here."""
