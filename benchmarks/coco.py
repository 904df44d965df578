"""The functions of COCO, from PyPI's `coco-experiment`; they are C and called from Python."""

from collections.abc import Mapping
from contextlib import chdir
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.extras import require
from benchmarks.instance import STEP, Family, Instance

FUNCTIONS = range(1, 25)
INSTANCES = 15
"""As many as `bbob-mixint` has."""

SUITES = {"bbob": "bbob-largescale", "mixint": "bbob-mixint"}


def family(suite: str, function: int) -> Family:
    """One function of a suite; its instance follows from the seed, 1 for 0, and repeats after 15.

    Args:
        suite: COCO's name for it.
        function: from 1 to 24.

    Returns:
        The family; it has the numbers of coordinates that COCO has.
    """
    return Family(partial(_build, suite, function), default_dim=40, least_dim=2, by_seed=True)


def _build(suite: str, function: int, dim: int, seed: int) -> Instance:
    number = 1 + seed % INSTANCES
    which = f"dimensions:{dim} function_indices:{function} instance_indices:{number}"
    cocoex = require("cocoex")
    try:
        # A suite frees its problems when it goes, so the objective holds it.
        own = cocoex.Suite(suite, "", which)
    except cocoex.exceptions.NoSuchSuiteException as error:
        raise ValueError(
            f"dim={dim}: must be a size that COCO's `{suite}` has. Choose another."
        ) from error
    problem = own[0]
    solution = _solution(problem)
    low, high = np.array(problem.lower_bounds), np.array(problem.upper_bounds)
    integers = int(problem.number_of_integer_variables)

    def value(x: np.ndarray, held: Any = own) -> float:
        return float(problem(np.asarray(x, np.float64)))

    def sample(rng: np.random.Generator) -> np.ndarray:
        x = rng.uniform(low, high)
        x[:integers] = rng.integers(low[:integers], high[:integers], endpoint=True)
        return x

    return Instance(
        fn=None,
        fn_numpy=value,
        kind="box",
        dim=dim,
        low=low if integers else float(low[0]),
        high=high if integers else float(high[0]),
        std=STEP * (high - low) if integers else STEP * float(high[0] - low[0]),
        initial=np.array(problem.initial_solution),
        sample=sample,
        integers=integers,
        optimum=value(solution),
        solution=solution,
    )


def _solution(problem: Any) -> np.ndarray:
    """The point with the best value, which COCO writes to a file and nowhere else."""
    with TemporaryDirectory() as directory, chdir(directory):
        problem._best_parameter("print")
        (file,) = Path().glob("._bbob_problem_best_parameter*")
        return np.loadtxt(file)


COCO: Mapping[str, Family] = {
    f"{short}_f{function:02}": family(suite, function)
    for short, suite in SUITES.items()
    for function in FUNCTIONS
}
"""The functions of both suites, by name."""
