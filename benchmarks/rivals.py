"""Adapters that run jaxhop and its rivals on a problem, all with one signature."""

import math
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from typing import Any, Protocol

import numpy as np

from benchmarks.evosax_rivals import STRATEGIES, run_evosax
from benchmarks.extras import require
from benchmarks.measure import Meter
from benchmarks.problems import Problem
from benchmarks.record import Recorder, Run, thin


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
    **settings: Any,
) -> Run:
    """Run `jaxhop.search`; `settings` are its arguments, `name` an algorithm at its defaults."""
    jaxhop = require("jaxhop")
    if name is not None:
        settings["algorithm"] = getattr(jaxhop.algorithms, name)()
    instance = problem.make(seed)
    with Meter() as meter:
        result = jaxhop.search(
            instance.fn,
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
        best=float(result.best_value),
        evaluations=int(result.evaluations),
        seconds=meter.seconds - result.compile_seconds,
        cpu_seconds=meter.cpu_seconds,
        peak_mb=meter.peak_mb,
        compile_seconds=float(result.compile_seconds),
        extra=instance.extra(result.best),
    )


def run_random(
    problem: Problem,
    seed: int,
    evaluations: int | None = None,
    seconds: float | None = None,
    **settings: Any,
) -> Run:
    """Draw independent candidates with NumPy, one at a time; there is nothing to set."""
    del settings
    instance, rng = problem.make(seed), np.random.default_rng(seed)
    limit, end = evaluations or math.inf, seconds or math.inf
    with Meter() as meter:
        objective = Recorder(instance.fn_numpy)
        while objective.evaluations < limit and objective.seconds < end:
            objective(instance.sample(rng))
    return objective.run(instance, meter)


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
        space = {"x": order}
    elif scalars:
        space = {
            f"x{i}": pyhopper.float(instance.low, instance.high, init=float(instance.initial[i]))
            for i in range(instance.dim)
        }
    else:
        array = pyhopper.float(
            instance.low, instance.high, init=instance.initial, shape=(instance.dim,)
        )
        space = {"x": array}

    def point(candidate: dict[str, Any]) -> np.ndarray:
        if "x" in candidate:
            return candidate["x"]
        return np.fromiter(candidate.values(), np.float64, instance.dim)

    # `quiet` does not silence the summary.
    with redirect_stdout(StringIO()), Meter() as meter:
        objective = Recorder(instance.fn_numpy)
        pyhopper.Search(space).run(
            lambda candidate: objective(point(candidate)),
            direction="min",
            steps=evaluations,
            runtime=seconds,
            quiet=True,
            **settings,
        )
    return objective.run(instance, meter)


def _reverse(rng: np.random.Generator, tour: np.ndarray) -> np.ndarray:
    """Reverse one stretch of a tour."""
    start, end = np.sort(rng.choice(len(tour) + 1, 2, replace=False))
    return np.concatenate([tour[:start], tour[start:end][::-1], tour[end:]])


RIVALS: Mapping[str, Rival] = {
    "jaxhop": Rival(run_jaxhop, "jaxhop"),
    "annealed_mcmc": Rival(partial(run_jaxhop, name="annealed_mcmc"), "jaxhop"),
    "search_gradient": Rival(partial(run_jaxhop, name="search_gradient"), "jaxhop"),
    "random": Rival(run_random, "numpy"),
    "pyhopper": Rival(run_pyhopper, "pyhopper"),
    "pyhopper-scalars": Rival(partial(run_pyhopper, scalars=True), "pyhopper"),
    **{name: Rival(partial(run_evosax, strategy=name), "evosax") for name in STRATEGIES},
}
"""What can be run, by name. A new rival is one function and one line here."""
