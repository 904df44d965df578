"""Finds a short tour through random cities with moves written in plain Python.

A tour is a list of cities. `sample` makes one up, and `mutate` changes one by 2-opt: it takes out
two connections and reverses the stretch between them. With `python=True` both get a NumPy
generator, and a value may be anything that can be pickled. Prints the length of the tour that
the search begins with, of the tour that always goes on to the nearest city, and of the tour
found.
"""

import argparse
import math

import numpy as np

import jaxhop


def main() -> None:
    parser = argparse.ArgumentParser(description="Finds a short tour, in plain Python.")
    parser.add_argument("--runtime", default="10s", help="default: 10s")
    parser.add_argument("--cities", type=int, default=60, help="how many; default: 60")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    arguments = parser.parse_args()

    cities = np.random.default_rng(arguments.seed).uniform(size=(arguments.cities, 2)).tolist()

    def length(tour: list[int]) -> float:
        stops = [cities[city] for city in tour]
        return sum(math.dist(a, b) for a, b in zip(stops, stops[1:] + stops[:1], strict=True))

    def sample(rng: np.random.Generator) -> list[int]:
        return rng.permutation(len(cities)).tolist()

    def mutate(rng: np.random.Generator, tour: list[int]) -> list[int]:
        start = int(rng.integers(len(tour)))
        tour = tour[start:] + tour[:start]  # the tour is a ring
        end = int(rng.integers(2, len(tour) - 1))
        return tour[:end][::-1] + tour[end:]

    result = jaxhop.search(
        length,
        jaxhop.custom(sample, mutate, python=True),
        runtime=arguments.runtime,
        seed=arguments.seed,
        backend="python",
    )
    print(result)
    for name, tour in (
        ("at first", sample(np.random.default_rng(0))),
        ("nearest neighbour", nearest_neighbour(cities)),
        ("found", result.best),
    ):
        print(f"{name:18}{length(tour):8.4f}")


def nearest_neighbour(cities: list[list[float]]) -> list[int]:
    """The tour that always goes on to the nearest city that is left."""
    tour, left = [0], set(range(1, len(cities)))
    while left:
        tour.append(min(left, key=lambda city: math.dist(cities[city], cities[tour[-1]])))
        left.remove(tour[-1])
    return tour


if __name__ == "__main__":
    main()
