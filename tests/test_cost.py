"""The cost of an objective, as read off its jaxpr."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop._cost import Cost, cost


def of(fn, *shapes):
    return cost(jax.make_jaxpr(fn)(*(np.ones(shape, np.float32) for shape in shapes)))


def test_products_count_their_terms():
    assert of(lambda x, y: x @ y, (3, 50), (50, 7)) == Cost(bytes=84, operations=3 * 7 * 50)


def test_convolutions_count_their_terms():
    got = of(lambda x, k: jax.lax.conv(x, k, (1, 1), "VALID"), (1, 2, 8, 8), (4, 2, 3, 3))
    assert got.operations == 4 * 6 * 6 * (2 * 3 * 3)


def test_loops_count_their_turns_but_hold_one():
    once = of(jnp.sin, (10,))

    def repeated(x):
        return jax.lax.scan(lambda c, _: (jnp.sin(c), None), x, length=30)[0]

    got = of(repeated, (10,))
    assert got.operations == 30 * once.operations
    assert got.bytes < 5 * once.bytes


def test_loops_of_unknown_length_count_as_long_ones():
    def until(x):
        return jax.lax.while_loop(lambda c: jnp.sum(c) < 9, lambda c: c + 1, x)

    assert of(until, (10,)).operations >= 100 * 10


def test_calls_and_branches_are_looked_into():
    inner = jax.jit(lambda x: jnp.cos(x) * 2)
    assert of(lambda x: inner(x), (10,)).operations == 20

    def either(x):
        return jax.lax.cond(x[0] > 0, jnp.sin, lambda x: x * 3, x)

    assert of(either, (10,)).operations >= 20
