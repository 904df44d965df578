"""From what the user wants to the session that does it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from jaxhop import _noise
from jaxhop._averaged import averaged
from jaxhop._budget import Budget
from jaxhop._in_rounds import InRounds
from jaxhop._jax_rungs import Rungs
from jaxhop._jax_search import jax_session
from jaxhop._objective import Objective, trace
from jaxhop._python_search import Memory, PythonOptions, make_evaluator, python_session
from jaxhop._session import Session
from jaxhop.algorithms import Algorithm
from jaxhop.space import Space
from jaxhop.storage import Directory


class Plan(NamedTuple):
    """What the user wants, whatever the objective is.

    Attributes:
        fn: the objective.
        space: the space.
        budget: what ends the search.
        direction: `"min"` or `"max"`.
        seed: of everything random.
        width: candidates a round, where there are rounds.
        algorithm: what makes the candidates of a round; None where they come one by one.
        average: keys for each candidate of a random objective, or None.
        observed: known results, candidates with values in the user's direction.
        directory: where the search is written down, or None.
    """

    fn: Callable[..., Any]
    space: Space
    budget: Budget
    direction: str
    seed: int
    width: int
    algorithm: Algorithm | None
    average: int | None
    observed: list[tuple[Any, float]]
    directory: Directory | None

    @property
    def sign(self) -> int:
        """1 to minimise, -1 to maximise."""
        return -1 if self.direction == "max" else 1

    def best_observed(self, given: int) -> list[tuple[Any, float]]:
        """The best that is known, as much as a round has room for.

        Args:
            given: candidates that need room beside these.
        """
        ranked = sorted(self.observed, key=lambda pair: self.sign * pair[1])
        return ranked[: self.width - given]


def compiled_session(
    plan: Plan,
    objective: Objective,
    beginning: list[Any],
    devices: Sequence[Any],
    max_memory: int | None,
) -> Session:
    """A search that is one compiled program.

    Args:
        plan: what the user wants; with an algorithm.
        objective: the objective, traced.
        beginning: the candidates to begin with; None stands for the space's own.
        devices: where to evaluate.
        max_memory: bytes that a device may hold, or None.

    Returns:
        The session.

    Raises:
        ValueError: if the program does not fit in `max_memory`.
    """
    population, observed = plan.width, plan.best_observed(0)
    assert plan.algorithm is not None
    return jax_session(
        objective,
        plan.algorithm,
        plan.space,
        first=_points(plan.space, [each for each, _ in observed] or beginning),
        budget=plan.budget,
        population=population,
        sign=plan.sign,
        seed=plan.seed,
        devices=devices,
        max_memory=max_memory,
        known=[plan.sign * value for _, value in observed],
        directory=plan.directory,
    )


def called_session(
    plan: Plan,
    traced: bool,
    beginning: list[Any],
    options: PythonOptions,
    memory: Memory,
    notes: tuple[str, ...],
) -> Session:
    """A search whose candidates are handed out and come back.

    Args:
        plan: what the user wants.
        traced: whether the objective is evaluated by JAX; with a fidelity only.
        beginning: the candidates to begin with; None stands for the space's own.
        options: what the user said about a Python objective.
        memory: what was found before.
        notes: what the user should know beforehand.

    Returns:
        The session.
    """
    space, budget, seed = plan.space, plan.budget, plan.seed
    population = plan.width
    if plan.algorithm is not None:
        best = [candidate for candidate, _ in plan.best_observed(len(beginning))]
        points = _points(space, [*best, *beginning])
        kept = None if plan.directory is None else plan.directory.states()
        asker = InRounds(plan.algorithm, space, population, seed, points, options.duplicates, kept)
    else:
        asker = memory.asker(space, seed, budget.evaluations, options.duplicates, traced)
    if traced:
        key = _noise.seeded(seed)
        evaluator = partial(Rungs, partial(_at, plan), population, plan.sign, key)
    else:
        evaluator = partial(make_evaluator, plan.fn, population, options)
    return python_session(
        evaluator,
        space,
        asker=asker,
        beginning=beginning,
        observed=plan.observed,
        budget=budget,
        sign=plan.sign,
        options=options,
        memory=memory,
        notes=notes,
        directory=plan.directory,
    )


def _at(plan: Plan, level: float) -> Objective:
    """The objective at a fidelity."""
    assert plan.space.fidelity is not None
    level = int(level) if plan.space.fidelity.whole else level
    return trace(averaged(plan.fn, plan.average), plan.space, plan.direction, level)


def _points(space: Space, candidates: Sequence[Any]) -> list[Any]:
    """Points of the candidates to begin with; None stands for the space's own."""
    return [space.initial() if each is None else space.encode(each) for each in candidates]
