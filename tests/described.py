"""Spaces of all kinds, for the tests of their descriptions."""

import dataclasses
import json
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxhop
from jaxhop import Space
from jaxhop.storage._describe import describe


class Pair(NamedTuple):
    first: Any
    second: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Optimizer:
    rate: Any
    name: Any = dataclasses.field(metadata={"static": True})


class Thing:
    """A constant that JAX knows nothing of."""


def draw(rng: np.random.Generator) -> float:
    return rng.uniform()


def near(rng: np.random.Generator, value: float) -> float:
    del rng
    return value


def used(params: Any) -> Any:
    del params
    return 2


def model(scale: float = 1.0) -> Any:
    return {"w": scale * np.eye(2, 3, dtype=np.float32), "b": np.zeros(3, np.float16), "act": near}


def fresh(kind: Any = jaxhop.custom, **more: Any) -> Any:
    return kind(draw, near, python=True, **more)


ONE = 1.0
LOWS = np.linspace(0.1, 0.9, 9)

# Calls that come back, with the text of each.
CALLS: list[tuple[Any, str]] = [
    (jaxhop.float(0, 1), "float(0, 1)"),
    (jaxhop.float(1e-5, 0.1, log=True), "float(1e-05, 0.1, log=True)"),
    (jaxhop.float(1e-5, 0.1, "0.1g"), "float(1e-05, 0.1, log=True, precision=1)"),
    (jaxhop.float(0.123, 1, "0.2f"), "float(0.13, 1, precision=2)"),
    (jaxhop.float(0.4, 7, precision=0), "float(1, 7, precision=0)"),
    (jaxhop.float(), "float()"),
    (jaxhop.float(low=0, scale=10), "float(low=0, scale=10)"),
    (jaxhop.float(high=-1.5, init=-2), "float(high=-1.5, init=-2)"),
    (jaxhop.float(-0.0, 1, init=0.1), "float(-0.0, 1, init=0.1)"),
    (
        jaxhop.float(0, 1 / 3, confidence=0.3, init=0.1),
        "float(0, 0.3333333333333333, init=0.1, confidence=0.3)",
    ),
    (jaxhop.float(0, 1, shape=(2, 3)), "float(0, 1, shape=(2, 3))"),
    (jaxhop.float(0, [1, 2], shape=2), "float(0, [1, 2], shape=(2,))"),
    (jaxhop.float(LOWS, 1, shape=9), f"float({list(map(float, LOWS))}, 1, shape=(9,))"),
    (
        jaxhop.float(scale=[[1, 2]], shape=(1, 2), init=[[0, 0.1]]),
        "float(scale=[[1, 2]], shape=(1, 2), init=[[0, 0.1]])",
    ),
    (jaxhop.float(0, 1, dtype=jnp.bfloat16), "float(0, 1, dtype='bfloat16')"),
    (jaxhop.float(dtype=np.float16, init=0.1), "float(dtype='float16', init=0.1)"),
    (jaxhop.int(-3, 5), "int(-3, 5)"),
    (jaxhop.int(1, 2**31 - 1, log=True, init=7), "int(1, 2147483647, log=True, init=7)"),
    (jaxhop.int(8, 64, multiple_of=8), "int(8, 64, multiple_of=8)"),
    (jaxhop.int(1, 64, power_of=2, init=8), "int(1, 64, power_of=2, init=8)"),
    (
        jaxhop.int([0, 1], 5, shape=2, init=[3, 4], confidence="low"),
        "int([0, 1], 5, shape=(2,), init=[3, 4], confidence=0.25)",
    ),
    (jaxhop.bool(), "bool()"),
    (jaxhop.bool(True, confidence="high"), "bool(init=True, confidence=0.75)"),
    (jaxhop.choice("adam", "sgd"), "choice('adam', 'sgd')"),
    (jaxhop.choice(16, 32, 64, ordinal=True), "choice(16, 32, 64, ordinal=True)"),
    (
        jaxhop.choice(16, 32, 64, ordinal=True, init=16),
        "choice(16, 32, 64, ordinal=True, init=16)",
    ),
    (jaxhop.choice(False, True, ordinal=True), "choice(False, True, ordinal=True)"),
    (jaxhop.choice([[1, 2]]), "choice([[1, 2]])"),
    (jaxhop.choice([(1,), (), None, b"x"]), "choice((1,), (), None, b'x')"),
    (jaxhop.choice("it's", '"', "\n"), "choice(\"it's\", '\"', '\\n')"),
    (jaxhop.choice(range(3)), "choice(0, 1, 2)"),
    (
        jaxhop.choice("a", "b", init="a", confidence=1),
        "choice('a', 'b', init='a', confidence=1.0)",
    ),
    (jaxhop.permutation(5), "permutation(5)"),
    (jaxhop.permutation(3, init=[2, 0, 1]), "permutation(3, init=[2, 0, 1])"),
    (jaxhop.fidelity(1, 81), "fidelity(1, 81)"),
    (jaxhop.fidelity(0.25, 1.0, eta=2), "fidelity(0.25, 1.0, eta=2)"),
]

# Calls that do not, with what their text begins with.
FINAL: list[tuple[Any, str]] = [
    (jaxhop.float(0, 1, sample=draw), "float(0, 1, sample=draw)"),
    (jaxhop.float(0, 1, mutate=near), "float(0, 1, mutate=near)"),
    (jaxhop.float(0, 1, shape=3, active=used), "float(0, 1, shape=(3,), active=used)"),
    (jaxhop.float(0, np.arange(1, 1026), shape=1025), "float(0, <float64[1025] "),
    (jaxhop.permutation(1025, init=np.arange(1025)), "permutation(1025, init=<int32[1025] "),
    (
        jaxhop.custom(jax.random.uniform, lambda key, value: value),
        "custom(uniform, <lambda>, <value",
    ),
    (
        jaxhop.custom(draw, near, init=[0, 1], python=True),
        "custom(init=[0, 1], sample=draw, mutate=near, python=True)",
    ),
    (jaxhop.weights(model(), scale=0.5), "weights(float16[3] * 0.5, float32[2, 3] * 0.5, <"),
]

# Choices that are objects, all of which come back.
CHOICES: list[Any] = [
    jaxhop.choice({"a": 1}, {3, 4}, float("inf"), np.arange(3), init={3, 4}),
    jaxhop.choice({"a": [1, (2, None)]}),
    jaxhop.choice(np.float32(0.1), np.float32(0.5), ordinal=True, confidence=0.5, init=0.5),
    jaxhop.choice({"k": "sgd", "m": jaxhop.float(0, 1)}, {"k": "adam"}, "none", None),
    jaxhop.choice({"m": jaxhop.float(0, 1)}, {"b": jaxhop.int(1, 9)}, init={"m": 0.75}),
    jaxhop.choice({"m": jaxhop.float(0, 1)}, {"b": jaxhop.int(1, 9)}, init={"b": 5}, confidence=1),
    jaxhop.choice(jaxhop.float(0, 1), [jaxhop.choice(jaxhop.int(0, 3), "no")], ordinal=True),
]


def written(tree: Any) -> Any:
    return json.loads(json.dumps(describe(Space(tree)), allow_nan=False))


def beside(parameter: Any) -> dict[str, Any]:
    return {"it": parameter, "other": jaxhop.float(0, 1)}


def mixed() -> dict[str, Any]:
    return {
        "layers": [jaxhop.int(1, 9), {"width": jaxhop.int(8, 64, multiple_of=8), "x": "text"}],
        "tuple": (jaxhop.float(-1, 1, shape=(2, 3)), None, True, (), {}),
        "numbers": {0: jaxhop.float(0, 1), 10: 3, 2: np.float32(0.5)},
        "$tuple": jaxhop.bool(),
        "data": np.arange(3),
        "opt": CHOICES[3],
    }
