"""Finds a short tour through 200 random cities in three ways, and draws them as an animation.

`jaxhop.permutation` knows how to move tours. `jaxhop.custom` takes the moves from its user: here
2-opt, written in JAX, which reverses the stretch between a city and one of its neighbours.
`jaxhop.incremental` knows what a move changes, and so tries thousands of moves for each tour
whose length it computes. All three start from the same random tour.

Run it: `python 03_tsp.py --picture tsp.gif`
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np

import jaxhop

FRAMES = 30

parser = argparse.ArgumentParser(description="Finds a short tour through random cities.")
parser.add_argument("--runtime", default="8s", help="of each search; default: 8s")
parser.add_argument("--cities", type=int, default=200, help="how many; default: 200")
parser.add_argument("--seed", type=int, default=0, help="default: 0")
parser.add_argument("--picture", help="GIF file to draw the tours into; default: none")
arguments = parser.parse_args()

n = arguments.cities
rng = np.random.default_rng(arguments.seed)
cities = jnp.asarray(rng.uniform(size=(n, 2)), jnp.float32)
anywhere = rng.permutation(n)
# For each city the ten that are nearest to it.
distances = jnp.linalg.norm(cities[:, None] - cities, axis=2)
nearest = jnp.argsort(distances, axis=1)[:, 1:11]


def distance(a, b):
    return jnp.linalg.norm(cities[a] - cities[b], axis=-1)


def length(tour):
    return jnp.sum(distance(tour, jnp.roll(tour, 1)))


def change(tour, move):
    """How much longer a tour becomes: some pairs follow each other no more, others now do."""
    return jnp.sum(distance(*move.added) - distance(*move.removed))


def sample(key):
    return jax.random.permutation(key, n)


def mutate(key, tour):
    """2-opt: connects a city with one of the nearest, and reverses what was between them."""
    place, neighbour, other = jax.random.split(key, 3)
    first = jax.random.randint(place, (), 0, n)
    city = jax.random.choice(neighbour, nearest[tour[first]])
    stretch = (jnp.argmax(tour == city) - first) % n  # the tour is a ring
    # Where the two are connected already, any stretch will do.
    stretch = jnp.where(stretch > 1, stretch, jax.random.randint(other, (), 2, n - 1))
    step = (jnp.arange(n) - first - 1) % n
    step = jnp.where(step < stretch, stretch - 1 - step, step)
    return tour[(first + 1 + step) % n]


incremental = jaxhop.incremental(length, change, neighbours=nearest)
results = {}
for name, objective, space in (
    ("permutation", length, jaxhop.permutation(n, init=anywhere)),
    ("custom (2-opt)", length, jaxhop.custom(sample, mutate, init=anywhere)),
    ("incremental", incremental, jaxhop.permutation(n, init=anywhere)),
):
    results[name] = jaxhop.search(objective, space, runtime=arguments.runtime, seed=arguments.seed)
    print(
        f"{name:16}{results[name].best_value:9.4f} after {results[name].evaluations:,} evaluations"
    )


def draw(picture):
    """Each frame has the best tours at one time; the times are closer together at first."""
    import matplotlib.pyplot as plt
    from matplotlib.animation import FuncAnimation, PillowWriter

    figure, panels = plt.subplots(1, 3, figsize=(7.5, 2.9), layout="constrained")
    lines = [ax.plot([], [], linewidth=1)[0] for ax in panels]
    for ax in panels:
        ax.scatter(*cities.T, s=3, color="black")
        ax.set(xticks=[], yticks=[], aspect="equal")
    end = max(result.seconds for result in results.values())

    def show(frame):
        second = end * (frame / FRAMES) ** 2
        for line, (name, result) in zip(lines, results.items(), strict=True):
            history = result.history
            known = np.intersect1d(history.improvements, history.stored)
            row = known[history["seconds"][known] <= second].max(initial=known[0])
            tour = np.append(history.params(row), history.params(row)[0])
            line.set_data(*cities[tour].T)
            line.axes.set_title(f"{name}: {history['value'][row]:.2f}", fontsize=10)
        figure.suptitle(f"after {second:.1f} s", fontsize=10)
        return lines

    # The end stands for a second, before it all begins again.
    film = FuncAnimation(figure, show, [*range(FRAMES + 1), *[FRAMES] * 10])
    film.save(picture, PillowWriter(fps=10), dpi=80)


if arguments.picture:
    draw(arguments.picture)
