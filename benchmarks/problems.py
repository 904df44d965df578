"""Problems with a JAX and a NumPy form of the same objective, seeded and at any size."""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.coco import COCO
from benchmarks.extras import require
from benchmarks.instance import STEP, Array, Family, Instance
from benchmarks.policies import POLICIES

BOX = 5.0
SHIFT = 4.0
BLOCK = 20
LAYERS = (64, 256, 128, 10)
WEIGHT_BOX = 0.5

Objective = Callable[[Any, Array], Array]
"""Takes the array module (`numpy` or `jax.numpy`) and a point: it is written once for both."""


@dataclass(frozen=True)
class Problem:
    """A family of instances: a name and a number of coordinates.

    Attributes:
        name: a key of `PROBLEMS`.
        dim: number of coordinates (cities for `tsp`).
    """

    name: str
    dim: int

    @classmethod
    def of(cls, name: str, dim: int | None = None) -> "Problem":
        """Check name and size.

        Args:
            name: a key of `PROBLEMS`.
            dim: number of coordinates; None takes the family's own.

        Returns:
            The problem.

        Raises:
            ValueError: if the name is unknown or the family has no such size.

        Example:
            >>> Problem.of("sphere").dim
            100
        """
        if name not in PROBLEMS:
            known = ", ".join(PROBLEMS)
            raise ValueError(f"problem={name!r}: must be one of {known}. Choose one of these.")
        if dim is None:
            return cls(name, PROBLEMS[name].default_dim)
        fixed, least = PROBLEMS[name].fixed_dim, PROBLEMS[name].least_dim
        if fixed and dim != PROBLEMS[name].default_dim:
            raise ValueError(
                f"dim={dim}: `{name}` has {PROBLEMS[name].default_dim} coordinates. Leave dim out."
            )
        if dim < least:
            raise ValueError(f"dim={dim}: `{name}` must have dim >= {least}. Pass a larger dim.")
        return cls(name, dim)

    def make(self, seed: int) -> Instance:
        """Draw the instance with this seed (the same on every machine)."""
        family = PROBLEMS[self.name]
        if family.by_seed:
            return family.build(self.dim, seed)
        # The family's name is hashed in, so that no algorithm with the same seed draws this too.
        entropy = [zlib.crc32(self.name.encode()), self.dim, seed]
        return family.build(self.dim, np.random.default_rng(entropy))


def _box(function: Callable[[int, np.random.Generator], Objective]) -> Family:
    """A function of the distance to a random optimum, in the box [-5, 5]."""

    def build(dim: int, rng: np.random.Generator) -> Instance:
        solution = rng.uniform(-SHIFT, SHIFT, dim).astype(np.float32)
        value = function(dim, rng)

        def fn(x: jax.Array) -> jax.Array:
            # Accelerators would round products to fewer bits than the optimum needs.
            with jax.default_matmul_precision("highest"):
                return value(jnp, x - solution)

        return Instance(
            fn=fn,
            fn_numpy=lambda x: float(value(np, x - solution)),
            kind="box",
            dim=dim,
            low=-BOX,
            high=BOX,
            std=STEP * 2 * BOX,
            initial=np.zeros(dim, np.float32),
            sample=lambda rng: rng.uniform(-BOX, BOX, dim),
            optimum=0.0,
            solution=solution,
        )

    return Family(build, least_dim=2)


def _sphere(dim: int, rng: np.random.Generator) -> Objective:
    del dim, rng
    return lambda xp, z: xp.mean(z**2)


def _scales(dim: int) -> np.ndarray:
    """Conditioning 1e6, evenly spread on a logarithmic scale."""
    return (10.0 ** (6 * np.arange(dim) / (dim - 1))).astype(np.float32)


def _ellipsoid(dim: int, rng: np.random.Generator) -> Objective:
    del rng
    scales = _scales(dim)
    return lambda xp, z: xp.mean(scales * z**2)


def rotation(dim: int, rng: np.random.Generator) -> Callable[[Any, Array], Array]:
    """A random orthogonal map that takes memory of order `dim` only.

    Coordinates are shuffled, some are flipped, and blocks of 20 are turned by one random rotation
    (what is left over by its own).

    Args:
        dim: number of coordinates.
        rng: where the shuffle, the signs and the rotations are drawn from.

    Returns:
        A function of the array module and a vector.
    """
    order = rng.permutation(dim)
    signs = rng.choice([-1.0, 1.0], dim).astype(np.float32)
    block, rest = _orthogonal(BLOCK, rng), _orthogonal(dim % BLOCK, rng)
    whole = dim - dim % BLOCK

    def rotate(xp: Any, z: Array) -> Array:
        z = signs * z[order]
        turned = xp.matmul(z[:whole].reshape(-1, BLOCK), block).reshape(-1)
        return xp.concatenate([turned, xp.matmul(z[whole:], rest)])

    return rotate


def _orthogonal(size: int, rng: np.random.Generator) -> np.ndarray:
    return np.linalg.qr(rng.normal(size=(size, size)))[0].astype(np.float32)


def _rotated_ellipsoid(dim: int, rng: np.random.Generator) -> Objective:
    rotate, scales = rotation(dim, rng), _scales(dim)
    return lambda xp, z: xp.mean(scales * rotate(xp, z) ** 2)


def _scrambled_ellipsoid(dim: int, rng: np.random.Generator) -> Objective:
    """Every block mixes scales from the whole range, which no diagonal method can follow."""
    rotate, scales = rotation(dim, rng), rng.permutation(_scales(dim))
    return lambda xp, z: xp.mean(scales * rotate(xp, z) ** 2)


def _rosenbrock(dim: int, rng: np.random.Generator) -> Objective:
    del dim, rng

    def value(xp: Any, z: Array) -> Array:
        w = z + 1
        return xp.mean(100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2)

    return value


def _rastrigin(dim: int, rng: np.random.Generator) -> Objective:
    del dim, rng
    # 10 - 10 cos(2 pi z), written so that float32 keeps its precision near the optimum.
    return lambda xp, z: xp.mean(z**2 + 20 * xp.sin(np.pi * z) ** 2)


def _ackley(dim: int, rng: np.random.Generator) -> Objective:
    del dim, rng

    def value(xp: Any, z: Array) -> Array:
        # The usual formula, with 1 - exp and 1 - cos written without cancellation.
        distance = xp.sqrt(xp.mean(z**2))
        ripples = xp.mean(2 * xp.sin(np.pi * z) ** 2)
        return -20 * xp.expm1(-0.2 * distance) - np.e * xp.expm1(-ripples)

    return value


def unflatten_mlp(flat: Array) -> list[dict[str, Array]]:
    """Cut a flat vector into the weights and biases of the digits network.

    Args:
        flat: array of shape (50826,).

    Returns:
        One dict with `w` of shape (inputs, outputs) and `b` of shape (outputs,) for each layer.
    """
    layers, start = [], 0
    for inputs, outputs in pairwise(LAYERS):
        middle, end = start + inputs * outputs, start + (inputs + 1) * outputs
        layers.append({"w": flat[start:middle].reshape(inputs, outputs), "b": flat[middle:end]})
        start = end
    return layers


def _logits(xp: Any, layers: list[dict[str, Array]], images: Array) -> Array:
    *hidden, last = layers
    for layer in hidden:
        images = xp.maximum(images @ layer["w"] + layer["b"], 0)
    return images @ last["w"] + last["b"]


def _digits_mlp(dim: int, rng: np.random.Generator) -> Instance:
    """A 64-256-128-10 network on scikit-learn's digits: cross entropy of the training split."""
    data = require("sklearn.datasets").load_digits()
    train, test, train_label, test_label = require("sklearn.model_selection").train_test_split(
        (data.data / 16).astype(np.float32),
        data.target,
        test_size=0.25,
        stratify=data.target,
        random_state=0,
    )

    def loss(xp: Any, layers: list[dict[str, Array]]) -> Array:
        logits = _logits(xp, layers, train)
        logits = logits - xp.max(logits, axis=1, keepdims=True)
        right = logits[np.arange(len(train)), train_label]
        return xp.mean(xp.log(xp.sum(xp.exp(logits), axis=1)) - right)

    def accuracy(layers: Any) -> dict[str, float]:
        host = jax.tree.map(np.asarray, layers)
        guess = np.argmax(_logits(np, host, test), axis=1)
        return {"test_accuracy": float(np.mean(guess == test_label))}

    def sample(rng: np.random.Generator) -> np.ndarray:
        leaves = []
        for inputs, outputs in pairwise(LAYERS):
            leaves += [rng.normal(0, inputs**-0.5, inputs * outputs), np.zeros(outputs)]
        return np.clip(np.concatenate(leaves), -WEIGHT_BOX, WEIGHT_BOX).astype(np.float32)

    return Instance(
        fn=lambda layers: loss(jnp, layers),
        fn_numpy=lambda x: float(loss(np, unflatten_mlp(x))),
        kind="weights",
        dim=dim,
        low=-WEIGHT_BOX,
        high=WEIGHT_BOX,
        std=0.05,
        initial=sample(rng),
        sample=sample,
        unflatten=unflatten_mlp,
        extra=accuracy,
    )


def _tsp(dim: int, rng: np.random.Generator) -> Instance:
    """Cities uniform in the unit square: length of the closed tour."""
    cities = rng.uniform(size=(dim, 2)).astype(np.float32)

    def length(xp: Any, tour: Array) -> Array:
        stops = xp.asarray(cities)[tour]
        return xp.sum(xp.sqrt(xp.sum((stops - xp.roll(stops, 1, axis=0)) ** 2, axis=1)))

    return Instance(
        fn=lambda tour: length(jnp, tour),
        fn_numpy=lambda tour: float(length(np, tour)),
        kind="permutation",
        dim=dim,
        low=0,
        high=dim - 1,
        std=0.0,
        initial=np.arange(dim),
        sample=lambda rng: rng.permutation(dim),
        reference=float(length(np, nearest_neighbour(cities))),
    )


def nearest_neighbour(cities: np.ndarray) -> np.ndarray:
    """The tour that always goes on to the nearest city not seen yet.

    Args:
        cities: array of shape (n, 2).

    Returns:
        The tour from city 0, integers of shape (n,).

    Example:
        >>> nearest_neighbour(np.array([[0.0, 0.0], [0.0, 3.0], [0.0, 1.0]])).tolist()
        [0, 2, 1]
    """
    tour, open_ = [0], np.ones(len(cities), bool)
    open_[0] = False
    while open_.any():
        distance = np.sum((cities - cities[tour[-1]]) ** 2, axis=1)
        tour.append(int(np.argmin(np.where(open_, distance, np.inf))))
        open_[tour[-1]] = False
    return np.array(tour)


PROBLEMS: Mapping[str, Family] = {
    "sphere": _box(_sphere),
    "ellipsoid": _box(_ellipsoid),
    "rotated_ellipsoid": _box(_rotated_ellipsoid),
    "scrambled_ellipsoid": _box(_scrambled_ellipsoid),
    "rosenbrock": _box(_rosenbrock),
    "rastrigin": _box(_rastrigin),
    "ackley": _box(_ackley),
    "digits_mlp": Family(
        _digits_mlp,
        default_dim=sum((i + 1) * o for i, o in pairwise(LAYERS)),
        fixed_dim=True,
    ),
    "tsp": Family(_tsp, least_dim=3),
    **COCO,
    **POLICIES,
}
"""What can be run, by name. A new problem is one function and one line here."""
