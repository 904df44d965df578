"""Solvers of the travelling salesman problem, all with one signature."""

import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxhop
from benchmarks.extras import require

NEIGHBOURS = 7


@dataclass(frozen=True)
class Cities:
    """An instance.

    Attributes:
        points: float64[n, 2], where the cities are.
        rounded: whether distances are rounded to whole numbers, as TSPLIB's EUC_2D are.
    """

    points: np.ndarray
    rounded: bool

    def distances(self) -> np.ndarray:
        """All distances, float64[n, n]."""
        exact = np.linalg.norm(self.points[:, None] - self.points, axis=2)
        return np.floor(exact + 0.5) if self.rounded else exact

    def length(self, tour: np.ndarray) -> float:
        """Length of a closed tour."""
        return float(np.sum(self.distances()[tour, np.roll(tour, -1)]))


@dataclass(frozen=True)
class Tour:
    """What a solver found: the tour, evaluations of whole tours (0: not known), and seconds."""

    order: np.ndarray
    evaluations: int
    seconds: float


Solver = Callable[..., Tour]


def nearest_neighbour(distances: np.ndarray) -> np.ndarray:
    """The tour that always goes on to the nearest city that is left."""
    tour, left = [0], np.arange(1, len(distances))
    while len(left):
        place = int(np.argmin(distances[tour[-1], left]))
        tour.append(int(left[place]))
        left = np.delete(left, place)
    return np.array(tour)


def run_jaxhop(
    cities: Cities, seconds: float, seed: int, *, incremental: bool, algorithm: str = "auto"
) -> Tour:
    """Run `jaxhop.search`.

    Args:
        cities: what to solve.
        seconds: wall time without compilation.
        seed: of everything random.
        incremental: whether the search knows what a move changes, with near neighbours and the
            nearest-neighbour tour to start from; else it gets the plain length alone.
        algorithm: a factory of `jaxhop.algorithms`, or "auto".

    Returns:
        What it found.
    """
    distances = cities.distances()
    costs = jnp.asarray(distances, jnp.float32)

    def length(tour: jax.Array) -> jax.Array:
        return jnp.sum(costs[tour, jnp.roll(tour, -1)])

    def change(tour: jax.Array, move: Any) -> jax.Array:
        del tour
        return jnp.sum(costs[*move.added] - costs[*move.removed])

    fn, start = length, None
    if incremental:
        near = np.argsort(distances, axis=1)[:, 1 : NEIGHBOURS + 1]
        fn = jaxhop.incremental(length, change, neighbours=near)
        start = nearest_neighbour(distances)
    chosen = algorithm if algorithm == "auto" else getattr(jaxhop.algorithms, algorithm)()
    result = jaxhop.search(
        fn,
        jaxhop.permutation(len(distances), init=start),
        runtime=seconds,
        seed=seed,
        algorithm=chosen,
        progress=False,
    )
    return Tour(np.asarray(result.best), result.evaluations, result.seconds)


def run_pyhopper(cities: Cities, seconds: float, seed: int, *, two_opt: bool) -> Tour:
    """Run PyHopper from a random tour.

    Args:
        cities: what to solve.
        seconds: wall time.
        seed: of the tours and moves; PyHopper itself cannot be seeded.
        two_opt: whether a mutation reverses a stretch. Else it is that of PyHopper's own example,
            which swaps two cities.

    Returns:
        What it found.
    """
    pyhopper, rng = require("pyhopper"), np.random.default_rng(seed)
    distances, n = cities.distances(), len(cities.points)
    evaluations = 0

    def length(candidate: Any) -> float:
        nonlocal evaluations
        evaluations += 1
        tour = candidate["tour"]
        return float(np.sum(distances[tour, np.roll(tour, -1)]))

    def mutate(tour: np.ndarray) -> np.ndarray:
        i, j = np.sort(rng.choice(n, 2, replace=False))
        tour = tour.copy()
        if two_opt:
            tour[i : j + 1] = tour[i : j + 1][::-1]
        else:
            tour[[i, j]] = tour[[j, i]]
        return tour

    search = pyhopper.Search({"tour": pyhopper.custom(lambda: rng.permutation(n), mutate)})
    start = time.perf_counter()
    with redirect_stdout(StringIO()):
        best = search.run(length, direction="min", runtime=seconds, quiet=True)
    return Tour(best["tour"], evaluations, time.perf_counter() - start)


def run_ortools(cities: Cities, seconds: float, seed: int) -> Tour:
    """Run OR-tools' routing solver with guided local search from its cheapest-arc tour."""
    del seed  # it takes none
    enums = require("ortools.constraint_solver.routing_enums_pb2")
    wrapper = require("ortools.constraint_solver.pywrapcp")
    n, scale = len(cities.points), 1 if cities.rounded else 10**6
    costs = np.rint(cities.distances() * scale).astype(int).tolist()
    start = time.perf_counter()
    manager = wrapper.RoutingIndexManager(n, 1, 0)
    routing = wrapper.RoutingModel(manager)
    routing.SetArcCostEvaluatorOfAllVehicles(routing.RegisterTransitMatrix(costs))
    settings = wrapper.DefaultRoutingSearchParameters()
    settings.first_solution_strategy = enums.FirstSolutionStrategy.PATH_CHEAPEST_ARC
    settings.local_search_metaheuristic = enums.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    settings.time_limit.FromMilliseconds(round(1000 * seconds))
    solution = routing.SolveWithParameters(settings)
    place, tour = routing.Start(0), []
    while not routing.IsEnd(place):
        tour.append(manager.IndexToNode(place))
        place = solution.Value(routing.NextVar(place))
    return Tour(np.array(tour), 0, time.perf_counter() - start)


def run_elkai(cities: Cities, seconds: float, seed: int) -> Tour:
    """Run LKH-3 as elkai has it, for one run: it takes the time that it takes, and no seed."""
    del seconds, seed
    elkai, scale = require("elkai"), 1 if cities.rounded else 10**6
    costs = np.rint(cities.distances() * scale).astype(int).tolist()
    start = time.perf_counter()
    tour = elkai.DistanceMatrix(costs).solve_tsp(runs=1)
    return Tour(np.array(tour[:-1]), 0, time.perf_counter() - start)


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        run: the solver.
        package: the distribution whose version belongs to it.
        seeded: whether another seed gives another tour.
        timed: whether it searches as long as it is told to.
    """

    run: Solver
    package: str
    seeded: bool = True
    timed: bool = True


ROWS: Mapping[str, Row] = {
    "jaxhop": Row(partial(run_jaxhop, incremental=False), "jaxhop"),
    "jaxhop incremental": Row(partial(run_jaxhop, incremental=True), "jaxhop"),
    "pyhopper": Row(partial(run_pyhopper, two_opt=False), "pyhopper"),
    "pyhopper 2-opt": Row(partial(run_pyhopper, two_opt=True), "pyhopper"),
    "ortools": Row(run_ortools, "ortools", seeded=False),
    "elkai": Row(run_elkai, "elkai", seeded=False, timed=False),
}
"""What can be run, by name."""
