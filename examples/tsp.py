"""Finds a short tour through 200 random cities, with two kinds of parameters.

`jaxhop.permutation` knows how to move tours. `jaxhop.custom` takes the moves from its user: here
2-opt, written in JAX, which reverses the stretch between a city and one of its neighbours. Both
searches start from a random tour; a third one starts the permutation from the tour that always
goes on to the nearest city. The last one knows what a move changes, and so tries thousands of
moves for each tour whose length it computes. Prints the lengths of all tours.
"""

import argparse
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxhop

NEIGHBOURS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description="Finds a short tour through random cities.")
    parser.add_argument("--runtime", default="20s", help="of each search; default: 20s")
    parser.add_argument("--cities", type=int, default=200, help="how many; default: 200")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    arguments = parser.parse_args()

    rng = np.random.default_rng(arguments.seed)
    cities = rng.uniform(size=(arguments.cities, 2)).astype(np.float32)
    anywhere = rng.permutation(arguments.cities)
    greedy = nearest_neighbour(cities)

    def length(tour: jax.Array) -> jax.Array:
        stops = jnp.asarray(cities)[tour]
        return jnp.sum(jnp.linalg.norm(stops - jnp.roll(stops, 1, axis=0), axis=1))

    def distance(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.linalg.norm(jnp.asarray(cities)[a] - jnp.asarray(cities)[b], axis=-1)

    def change(tour: jax.Array, move: jaxhop.algorithms.Exchange) -> jax.Array:
        return jnp.sum(distance(*move.added) - distance(*move.removed))

    incremental = jaxhop.incremental(length, change, neighbours=nearest_cities(cities))
    print(f"{'random tour':34}{float(length(jnp.asarray(anywhere))):8.4f}")
    print(f"{'nearest neighbour':34}{float(length(jnp.asarray(greedy))):8.4f}")
    for name, fn, tour in (
        ("permutation", length, jaxhop.permutation(arguments.cities, init=anywhere)),
        ("custom (2-opt)", length, two_opt(cities, anywhere)),
        ("permutation, from the nearest", length, jaxhop.permutation(len(greedy), init=greedy)),
        ("incremental", incremental, jaxhop.permutation(arguments.cities, init=anywhere)),
    ):
        result = jaxhop.search(fn, tour, runtime=arguments.runtime, seed=arguments.seed)
        print(f"{name:34}{result.best_value:8.4f}  ({result.evaluations:,} evaluations)")


def two_opt(cities: np.ndarray, start: np.ndarray) -> Any:
    """Tours that are moved by connecting a city with one of its nearest neighbours."""
    n, nearest = len(cities), jnp.asarray(nearest_cities(cities))

    def sample(key: jax.Array) -> jax.Array:
        return jax.random.permutation(key, n)

    def mutate(key: jax.Array, tour: jax.Array) -> jax.Array:
        place, neighbour, other = jax.random.split(key, 3)
        first = jax.random.randint(place, (), 0, n)
        city = jax.random.choice(neighbour, nearest[tour[first]])
        # The stretch from the next city to the neighbour is reversed; the tour is a ring.
        length = (jnp.argmax(tour == city) - first) % n
        # Where the two are connected already, any stretch will do.
        length = jnp.where(length > 1, length, jax.random.randint(other, (), 2, n - 1))
        step = (jnp.arange(n) - first - 1) % n
        step = jnp.where(step < length, length - 1 - step, step)
        return tour[(first + 1 + step) % n]

    return jaxhop.custom(sample, mutate, init=start)


def nearest_cities(cities: np.ndarray) -> np.ndarray:
    """For each city those that are nearest to it."""
    distances = np.linalg.norm(cities[:, None] - cities, axis=2)
    return np.argsort(distances, axis=1)[:, 1 : NEIGHBOURS + 1]


def nearest_neighbour(cities: np.ndarray) -> np.ndarray:
    """The tour that always goes on to the nearest city that is left."""
    tour, left = [0], np.arange(1, len(cities))
    while len(left):
        distances = np.linalg.norm(cities[left] - cities[tour[-1]], axis=1)
        tour.append(left[np.argmin(distances)])
        left = np.delete(left, np.argmin(distances))
    return np.array(tour)


if __name__ == "__main__":
    main()
