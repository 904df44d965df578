"""Draws the pictures of the guide and of how it works: `python docs/draw.py [NAME ...]`.

Run it by hand; it takes a minute or two on one core. Every search has a seed and a number of
evaluations, so that equal versions draw equal pictures.
"""

import argparse
import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

import jaxhop

FOLDER = Path(__file__).parent / "pictures"
BLUE, ORANGE, RED, GREY = "#0072B2", "#E69F00", "#D55E00", "#999999"

# The plane that some searches are shown in, and its best point.
PLANE = {"x": jaxhop.float(-4, 4), "y": jaxhop.float(-4, 4)}
BEST = (1.4, -0.8)


def bumps(params: dict[str, Any]) -> Any:
    """A bowl with dents, of which one is the deepest."""
    x, y = params["x"] - BEST[0], params["y"] - BEST[1]
    return 0.12 * (x**2 + y**2) + 2 - jnp.cos(2.5 * x) - jnp.cos(2.5 * y)


def valley(params: dict[str, Any]) -> Any:
    """A bowl that is ten times as long as wide, across both axes."""
    x, y = params["x"] - BEST[0], params["y"] - BEST[1]
    return ((x + y) ** 2 + 100 * (x - y) ** 2) / 2


def landscape(ax: Axes, fn: Callable[[dict[str, Any]], Any], levels: Any) -> None:
    """Draws a function of the plane as contour lines, and its best point as a star."""
    side = np.linspace(-4, 4, 161)
    x, y = np.meshgrid(side, side)
    values = np.asarray(fn({"x": x, "y": y}))
    ax.contour(x, y, values, levels=levels, colors=GREY, linewidths=0.6, alpha=0.8)
    ax.plot(*BEST, "*", color=RED, markersize=9, markeredgewidth=0, zorder=1.5)
    ax.set(xlim=(-4, 4), ylim=(-4, 4), aspect="equal", xticks=[], yticks=[])


def row_of(number: int, width: float) -> tuple[Figure, list[Axes]]:
    """Square pictures in a row."""
    size = (width * number, width + 0.25)
    figure, row = pyplot.subplots(1, number, figsize=size, layout="constrained")
    return figure, list(row)


def phases() -> Figure:
    """Values, phases and temperature of an annealed search."""
    scales = 10 ** jnp.linspace(0, 3, 20)
    result = jaxhop.search(
        lambda params: jnp.mean(scales * (params["w"] - 1.4) ** 2),
        {"w": jaxhop.float(-4, 4, shape=(20,))},
        evaluations=4000,
        algorithm=jaxhop.algorithms.annealed_mcmc(),
        progress=False,
    )
    figure, ax = pyplot.subplots(figsize=(8, 3.8), layout="constrained")
    jaxhop.plots.history(result, ax=ax)
    return figure


def moves() -> Figure:
    """Accepted and rejected moves of an annealed search, early to late."""
    result = jaxhop.search(
        bumps,
        PLANE,
        evaluations=320,
        population=4,
        seed=13,
        algorithm=jaxhop.algorithms.annealed_mcmc(),
        progress=False,
    )
    history = result.history
    places = np.array([[point["x"], point["y"]] for point in history.candidates()])
    figure, row = row_of(3, 2.5)
    ends = (0, 32, 96, 320)
    for ax, (first, end) in zip(row, itertools.pairwise(ends), strict=True):
        landscape(ax, bumps, np.arange(0.4, 9, 0.8))
        accepted = history["accepted"][first:end]
        for taken, colour, size in ((False, GREY, 10), (True, BLUE, 20)):
            label = "went on from here" if taken else "did not"
            there = places[first:end][accepted == taken]
            ax.scatter(*there.T, s=size, color=colour, linewidths=0, zorder=3, label=label)
        ax.set_title(f"{history['phase'][end - 1]}, evaluations {first + 1} to {end}", fontsize=9)
    row[0].legend(loc="upper left", fontsize=7, framealpha=0.9)
    return figure


def adaptation() -> Figure:
    """The normal distribution of covariance adaptation as it learns a narrow valley."""
    space, population, rounds = jaxhop.Space(PLANE), 16, (1, 4, 7, 10)
    algorithm = jaxhop.algorithms.covariance_adaptation(probes=False)(space, population)
    assert algorithm.width is not None

    @jax.jit
    def one(state: Any, key: Any, progress: Any) -> Any:
        def drawn(index: Any) -> Any:
            return space.decode(algorithm.ask(jax.random.key_data(key), index, state, progress))

        def value(point: Any) -> Any:
            return valley(space.decode(point))

        after = jaxhop.algorithms.step(algorithm, value, population, key, state, progress)
        return jax.vmap(drawn)(jnp.arange(population)), after

    figure, row = row_of(len(rounds), 1.9)
    state, axes = algorithm.init(jax.random.key(2)), iter(row)
    turn = np.linspace(0, 2 * np.pi, 100)
    for number in range(max(rounds) + 1):
        before, progress = state, number / 40
        width = int(algorithm.width(state, progress))
        drawn, state = one(state, jax.random.key(100 + number), progress)
        if number not in rounds:
            continue
        ax, known = next(axes), before.distribution
        landscape(ax, valley, 10.0 ** np.arange(0, 4, 0.5))
        ax.scatter(drawn["x"][:width], drawn["y"][:width], s=10, color=BLUE, linewidths=0)
        circle = known.root @ np.stack([np.cos(turn), np.sin(turn)])
        # Coordinates are in units of the range, which is 8 wide, and 0 is in its middle.
        outline = 8 * (known.mean[:, None] + 2 * known.deviations[:, None] * circle)
        ax.plot(*np.asarray(outline), color=ORANGE, linewidth=1.5)
        ax.set_title(f"round {number}", fontsize=9)
    return figure


def gradient() -> Figure:
    """The way of the mean along search gradients, and the pairs of some rounds."""
    space, population, rounds = jaxhop.Space(PLANE), 9, 160
    recipe = jaxhop.algorithms.search_gradient(noise="normal", sigma=0.05, explore=0.0)
    algorithm = recipe(space, population)
    start = jax.tree.map(lambda leaf: leaf[None], space.encode({"x": -3.2, "y": 1.0}))

    def value(point: Any) -> Any:
        return valley(space.decode(point))

    def one(state: Any, number: Any) -> Any:
        key, progress = jax.random.key(number), number / rounds

        def drawn(index: Any) -> Any:
            return space.decode(algorithm.ask(jax.random.key_data(key), index, state, progress))

        after = jaxhop.algorithms.step(algorithm, value, population, key, state, progress)
        return after, jax.vmap(drawn)(jnp.arange(population))

    first = algorithm.init(jax.random.key(0), start)
    _, made = jax.lax.scan(one, first, jnp.arange(rounds))
    x, y = np.asarray(made["x"]), np.asarray(made["y"])  # the first of each round is the mean
    figure, ax = pyplot.subplots(figsize=(3.6, 3.6), layout="constrained")
    landscape(ax, valley, 10.0 ** np.arange(0, 4, 0.5))
    ax.plot(x[:, 0], y[:, 0], color=ORANGE, linewidth=1.5, label="the mean")
    for number in (2, 20, 40):
        pairs = x[number, 1:].reshape(-1, 2).T, y[number, 1:].reshape(-1, 2).T
        label = "pairs of three rounds" if number == 2 else None
        lines = ax.plot(*pairs, "o-", color=BLUE, markersize=3, linewidth=0.7)
        lines[0].set_label(label)
    ax.legend(loc="upper right", fontsize=7, framealpha=0.9)
    return figure


def screen() -> Figure:
    """Few evaluations with the model and without."""

    def loss(params: dict[str, Any]) -> float:
        rate = math.log10(params["rate"]) + 1.2
        decay = math.log10(params["decay"]) + 6
        wide = math.log2(params["units"]) - 5
        penalty = {"adam": 0.0, "sgd": 0.15, "rmsprop": 0.05}[params["optimizer"]]
        return 0.2 * rate**2 + 0.01 * decay**2 + 0.02 * (wide - 0.5 * rate) ** 2 + penalty

    space = {
        "rate": jaxhop.float(1e-5, 1.0, log=True),
        "decay": jaxhop.float(1e-7, 1e-1, log=True),
        "units": jaxhop.int(16, 1024, power_of=2),
        "optimizer": jaxhop.choice("adam", "sgd", "rmsprop"),
    }
    figure, ax = pyplot.subplots(figsize=(6, 3.4), layout="constrained")
    for surrogate, colour, label in ((False, GREY, "moves alone"), (True, BLUE, "screened")):
        best = [
            jaxhop.search(
                loss, space, evaluations=60, seed=seed, surrogate=surrogate, progress=False
            ).history.best()
            for seed in range(11)
        ]
        low, middle, high = np.quantile(best, [0.25, 0.5, 0.75], axis=0)
        ax.plot(range(1, 61), middle, color=colour, label=label)
        ax.fill_between(range(1, 61), low, high, color=colour, alpha=0.25, linewidth=0)
    ax.set(yscale="log", xlabel="evaluation", ylabel="best so far (lower is better)")
    ax.legend(fontsize=8)
    return figure


def tour() -> Figure:
    """Simulated annealing of a tour: its values and temperature, and the tour."""
    cities = jax.random.uniform(jax.random.key(4), (80, 2))

    def length(order: Any) -> Any:
        stops = cities[order]
        return jnp.sum(jnp.linalg.norm(stops - jnp.roll(stops, 1, axis=0), axis=1))

    result = jaxhop.search(length, jaxhop.permutation(80), evaluations=1_000_000, progress=False)
    figure, row = pyplot.subplots(
        1, 2, figsize=(9, 3.8), width_ratios=(1.5, 1), layout="constrained"
    )
    jaxhop.plots.history(result, ax=row[0])
    jaxhop.plots.tour(result, cities, ax=row[1]).set_title("the best tour", fontsize=10)
    return figure


def training(params: dict[str, Any]) -> float:
    """A made-up error of a network by how it is trained."""
    rate = math.log10(params["rate"]) + 1.8
    slow = {"adam": 0.0, "sgd": 0.12, "rmsprop": 0.04}[params["optimizer"]]
    wide = 0.02 * (math.log2(params["units"]) - 8 + 0.8 * rate) ** 2
    return 0.08 + 0.06 * rate**2 + slow + wide + 0.1 * (params["dropout"] - 0.2) ** 2


TRAINING = {
    "rate": jaxhop.float(1e-5, 1.0, log=True),
    "units": jaxhop.int(16, 1024, power_of=2),
    "dropout": jaxhop.float(0, 0.9, "0.2f"),
    "optimizer": jaxhop.choice("adam", "sgd", "rmsprop"),
}


def overview() -> Figure:
    """What `result.plot()` draws."""
    result = jaxhop.search(training, TRAINING, evaluations=80, progress=False)
    figure = result.plot()[0].figure
    assert isinstance(figure, Figure)
    figure.set_size_inches(8, 8)
    return figure


def views() -> Figure:
    """Four other pictures of a result."""
    result = jaxhop.search(training, TRAINING, evaluations=80, progress=False)
    guess = jaxhop.search(
        training,
        TRAINING,
        evaluations=80,
        population=1,
        algorithm=jaxhop.algorithms.random_search(),
        backend="python",
        progress=False,
    )
    figure, grid = pyplot.subplots(2, 2, figsize=(10, 7), layout="constrained")
    jaxhop.plots.parallel_coordinates(result, ax=grid[0, 0])
    jaxhop.plots.importance(result, ax=grid[0, 1])
    jaxhop.plots.contour(result, "rate", "units", ax=grid[1, 0])
    jaxhop.plots.edf({"auto": result, "random": guess}, ax=grid[1, 1])
    return figure


def noise() -> Figure:
    """A search whose values are random."""
    goal = jnp.linspace(-0.7, 0.7, 8)

    def loss(params: dict[str, Any], key: Any) -> Any:
        return jnp.mean((params["w"] - goal) ** 2) + 0.05 * jax.random.normal(key)

    result = jaxhop.search(
        loss, {"w": jaxhop.float(-1, 1, shape=(8,))}, evaluations=3000, progress=False
    )
    figure, ax = pyplot.subplots(figsize=(8, 3.6), layout="constrained")
    jaxhop.plots.history(result, ax=ax)
    return figure


PICTURES: dict[str, Callable[[], Figure]] = {
    "phases": phases,
    "moves": moves,
    "adaptation": adaptation,
    "gradient": gradient,
    "screen": screen,
    "tour": tour,
    "overview": overview,
    "views": views,
    "noise": noise,
}


def main() -> None:
    """Draws the pictures that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PICTURES)}")
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="where to; default: that of the pages"
    )
    arguments = parser.parse_args()
    pyplot.switch_backend("Agg")
    arguments.folder.mkdir(exist_ok=True)
    for name in arguments.names or PICTURES:
        path = arguments.folder / f"{name}.png"
        figure = PICTURES[name]()
        figure.savefig(path, dpi=110)
        pyplot.close(figure)
        # 256 colours are enough, and take half the room.
        image = Image.open(path).convert("RGB").quantize(method=Image.Quantize.MAXCOVERAGE)
        image.save(path, optimize=True)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
