"""The suites: which problems, how many evaluations, who searches them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from benchmarks.coco import COCO
from benchmarks.policies import POLICIES
from benchmarks.problems import Problem

CLASSIC = (
    "sphere",
    "ellipsoid",
    "rotated_ellipsoid",
    "rosenbrock",
    "rastrigin",
    "ackley",
)


class Task(NamedTuple):
    """What a rival is given.

    Attributes:
        problem: a key of `benchmarks.problems.PROBLEMS`.
        dim: number of coordinates.
        budget: how many evaluations.
    """

    problem: str
    dim: int
    budget: int


@dataclass(frozen=True)
class Suite:
    """A set of tasks.

    Attributes:
        problems: names.
        budgets: pairs of a number of coordinates (None: the problem's own) and of evaluations.
        rivals: who takes part: a name of `benchmarks.rivals.RIVALS`, and the largest number of
            coordinates at which a run keeps to ten minutes of a core (None: any).
        seeds: how many seeds, unless the command says.
        slow: rivals that need minutes for a run: they get the first seed alone, so that the suite
            fits into three hours of two cores.
    """

    problems: tuple[str, ...]
    budgets: tuple[tuple[int | None, int], ...]
    rivals: Mapping[str, int | None] = field(default_factory=dict)
    seeds: int = 7
    slow: tuple[str, ...] = ()

    def tasks(self) -> Iterator[Task]:
        """List the tasks, from few coordinates to many."""
        for dim, evaluations in self.budgets:
            for name in self.problems:
                yield Task(name, Problem.of(name, dim).dim, evaluations)

    def rivals_at(self, dim: int) -> list[str]:
        """Who takes part at a number of coordinates."""
        return [name for name, most in self.rivals.items() if most is None or dim <= most]


EVOSAX: dict[str, Any] = {
    "Open_ES": None,
    "SNES": None,
    "Sep_CMA_ES": None,
    "CMA_ES": 200,
    "CR_FM_NES": None,
    "LM_MA_ES": None,
    "DifferentialEvolution": None,
    "SimulatedAnnealing": None,
}

VECTOR: dict[str, Any] = {
    "pyhopper": None,
    "pycma": 1000,
    "pycma sep": None,
    "cmaes": 200,
    "cmaes sep": 1000,
    "nevergrad 1+1": 1000,
    **EVOSAX,
    "random": None,
}

SUITES: Mapping[str, Suite] = {
    "classic": Suite(
        CLASSIC,
        ((10, 5_000), (100, 20_000), (1000, 50_000), (10_000, 50_000)),
        {"jaxhop": None, **VECTOR, "optuna CMA": 10, "optuna TPE": 10, "hyperopt TPE": 10},
        seeds=5,
        slow=("optuna TPE", "hyperopt TPE"),
    ),
    "bbob": Suite(
        tuple(name for name in COCO if name.startswith("bbob")),
        ((40, 10_000), (160, 10_000), (640, 10_000)),
        {"jaxhop": None, **VECTOR},
        seeds=5,
    ),
    "mixint": Suite(
        tuple(name for name in COCO if name.startswith("mixint")),
        ((10, 10_000), (40, 10_000)),
        {
            "jaxhop": None,
            "pyhopper": None,
            "nevergrad discrete 1+1": None,
            "nevergrad 1+1": None,
            "pycma": None,
            "cmaes margin": None,
            "SNES": None,
            "CR_FM_NES": None,
            "DifferentialEvolution": None,
            "random": None,
        },
        seeds=5,
    ),
    "policies": Suite(
        tuple(POLICIES),
        ((None, 12_800), (None, 25_600)),
        {"jaxhop": None, "pyhopper": None, **EVOSAX, "random": None},
    ),
}
"""By name. `hpo` and `network` are commands of their own; `benchmarks.suite` calls them."""
