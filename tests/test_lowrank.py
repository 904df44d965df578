"""Matrices of low rank in objectives: what the written out ones give, and what is written out."""

import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxhop
from jaxhop import _objective
from jaxhop.algorithms import search_gradient
from jaxhop.space import Factors, Perturbed, Segment, Space, balanced, written_out

pytest.importorskip("quax")

RNG = np.random.default_rng(0)
CANDIDATES = 3
QUICK = {"xla_backend_optimization_level": 0}  # programs that run once
X = RNG.normal(size=(5, 24)).astype(np.float32)
Y = RNG.normal(size=(20, 5)).astype(np.float32)
STACK = RNG.normal(size=(4, 5, 24)).astype(np.float32)
IMAGES = RNG.normal(size=(2, 9, 9, 4)).astype(np.float32)
INDEX = np.array([[3, 0], [23, 3]])
MATRIX, KERNEL, FIRST_OUT = (24, 20), (3, 3, 4, 20), (20, 4, 3, 3)


def like(x, w):
    return jnp.asarray(x, w.dtype)


@jax.custom_jvp
def doubled(x):
    return 2 * x


@doubled.defjvp
def _doubled(primals, tangents):
    return doubled(*primals), doubled(*tangents)


def conv(layout, **settings):
    kernel, images = (KERNEL, IMAGES) if layout[1] == "HWIO" else (FIRST_OUT, None)
    images = np.transpose(IMAGES, (0, 3, 1, 2)) if images is None else images

    def run(w):
        strides = settings.get("strides", (1, 1))
        return jax.lax.conv_general_dilated(
            like(images, w), w, strides, "SAME", dimension_numbers=layout
        )

    return kernel, run


def recurrent(w):
    """A loop whose body captures the matrix."""

    def body(state, x):
        return jnp.tanh(x @ w + state), None

    return jax.lax.scan(body, jnp.zeros((5, 20), w.dtype), like(STACK, w))[0]


# Each a shape and a function that is linear in the matrix, or consists of such steps.
FREE = {
    "x @ W": (MATRIX, lambda w: like(X, w) @ w),
    "vector @ W": (MATRIX, lambda w: like(X[0], w) @ w),
    "W @ y": (MATRIX, lambda w: w @ like(Y, w)),
    "W @ vector": (MATRIX, lambda w: w @ like(Y[:, 0], w)),
    "stack @ W": (MATRIX, lambda w: like(STACK, w) @ w),
    "x @ W.T": ((20, 24), lambda w: like(X, w) @ w.T),
    "W.T @ x": (MATRIX, lambda w: w.T @ like(X.T, w)),
    "einsum bi,io": (MATRIX, lambda w: jnp.einsum("bi,io->bo", like(X, w), w)),
    "einsum io,bi": (MATRIX, lambda w: jnp.einsum("io,bi->ob", w, like(X, w))),
    "einsum tbi,io": (MATRIX, lambda w: jnp.einsum("tbi,io->bto", like(STACK, w), w)),
    "tensordot": (MATRIX, lambda w: jnp.tensordot(w, like(Y, w), 1)),
    "reshape, heads": (
        (24, 20),
        lambda w: jnp.einsum("bi,ihd->bhd", like(X, w), w.reshape(24, 4, 5)),
    ),
    "flattened kernel": (KERNEL, lambda w: jnp.ones((5, 36), w.dtype) @ w.reshape(36, 20)),
    "swapaxes": (MATRIX, lambda w: jnp.swapaxes(w, 0, 1) @ like(X.T, w)),
    "vmap over inputs": (MATRIX, lambda w: jax.vmap(lambda x: jnp.tanh(x @ w))(like(X, w))),
    "vmap over inputs, W @ x": (MATRIX, lambda w: jax.vmap(lambda y: w @ y)(like(Y.T, w))),
    "conv NHWC": conv(("NHWC", "HWIO", "NHWC")),
    "conv NHWC, strides": conv(("NHWC", "HWIO", "NHWC"), strides=(2, 2)),
    "conv NCHW": conv(("NCHW", "OIHW", "NCHW")),
    "W[index]": (MATRIX, lambda w: w[INDEX]),
    "one row": (MATRIX, lambda w: w[jnp.array(7)]),
    "one row, vmap": (MATRIX, lambda w: jax.vmap(lambda i: w[i])(INDEX[0])),
    "take": (MATRIX, lambda w: jnp.take(w, INDEX, axis=0)),
    "scaled": (MATRIX, lambda w: like(X, w) @ (0.5 * w)),
    "scaled from the right": (MATRIX, lambda w: like(X, w) @ (w * like(X[0, 0], w))),
    "negated": (MATRIX, lambda w: like(X, w) @ -w),
    "converted": (MATRIX, lambda w: X.astype(np.float16) @ w.astype(jnp.float16)),
    "relu": (MATRIX, lambda w: jax.nn.relu(like(X, w) @ w)),
    "jit": (MATRIX, lambda w: jax.jit(lambda w: like(X, w) @ w)(w)),
    "custom_jvp": (MATRIX, lambda w: doubled(like(X, w) @ w)),
    "two layers": (MATRIX, lambda w: jax.nn.gelu(like(X, w) @ w) @ w.T),
}
# What has no rule, and how many operations write the matrix out.
EXPANDED = {
    "W ** 2": (MATRIX, lambda w: jnp.sum(w**2), 1),
    "W * W": (MATRIX, lambda w: jnp.sum(w * w), 2),
    "W + 1": (MATRIX, lambda w: like(X, w) @ (w + 1), 1),
    "sum": (MATRIX, lambda w: jnp.sum(w, 0), 1),
    "rows": (MATRIX, lambda w: w[2:6], 1),
    "column": (MATRIX, lambda w: w[:, jnp.array(3)], 1),
    "sorted": (MATRIX, lambda w: jnp.sort(w, axis=0), 1),
    "W.T @ W": (MATRIX, lambda w: w.T @ w, 2),
    "one of the axes": (KERNEL, lambda w: jnp.einsum("i,hwio->hwo", like(X[0, :4], w), w), 1),
    "axes mixed": (KERNEL, lambda w: jnp.transpose(w, (0, 3, 1, 2)), 1),
    "reshape across": (MATRIX, lambda w: w.reshape(16, 30), 1),
    "rounded": (MATRIX, lambda w: (10 * w).astype(jnp.int32).astype(w.dtype), 1),
    "returned": (MATRIX, lambda w: w, 1),
    "grouped conv": (
        (3, 3, 2, 20),
        lambda w: jax.lax.conv_general_dilated(
            like(IMAGES, w), w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=2,
        ),
        1,
    ),
}  # fmt: skip
# Loops and branches: right, whatever is written out.
OTHERS = {
    "scan, captured": (MATRIX, recurrent),
    "scan, taken apart": (
        (16, 400),
        lambda w: jax.lax.scan(lambda s, row: (s + jnp.sin(row), s @ row), w[0] * 0, w)[0],
    ),
    "map over rows": (MATRIX, lambda w: jax.lax.map(jnp.sum, w)),
    "vmap over rows": (MATRIX, lambda w: jax.vmap(jnp.max)(w)),
    "cond": (
        MATRIX,
        lambda w: jax.lax.cond(jnp.sum(w[0]) > 0, lambda: like(X, w) @ w, lambda: like(X, w) @ -w),
    ),
    "while": (
        MATRIX,
        lambda w: jax.lax.while_loop(
            lambda s: s[0] < 3,
            lambda s: (s[0] + 1, jnp.tanh(s[1] @ w) @ w.T),
            (0, like(X, w)),
        )[1],
    ),
    "fori_loop": (
        MATRIX,
        lambda w: jax.lax.fori_loop(0, 3, lambda i, x: jnp.tanh(x @ w) @ w.T, like(X, w)),
    ),
    "matrix as carry": (
        MATRIX,
        lambda w: jax.lax.fori_loop(0, 2, lambda i, v: v * 0.5, w),
    ),
}


# The sum over a few ranks is written in another way than that over many.
RANKS = [(name, 1) for name in FREE] + [(name, 6) for name in FREE if "jit" not in name]


def both_ways(shape, fn, rank, dtype=np.float32):
    """What a function returns for some candidates as they are and written out; expansions."""
    space = Space(jaxhop.float(shape=shape, dtype=dtype))
    objective = _objective.trace(lambda w: (0.0, fn(w)), space, "min")
    rng = np.random.default_rng(rank)
    rows, columns = (
        rng.normal(size=(CANDIDATES, *side, rank)).astype(np.float32) for side in balanced(shape)
    )
    base = rng.normal(size=shape).astype(dtype)
    segment = Segment("lowrank", 0, shape, rank)

    def aux(point):
        return objective.aux(objective.constants, point, np.zeros(2, np.uint32))

    def one(rows, columns):
        noise = (Factors(rows, columns),)
        point = (Perturbed(jnp.asarray(base), noise, jnp.float32(0.3), (segment,)),)
        return aux(point), aux(written_out(point))

    compiled = jax.jit(jax.vmap(one), compiler_options=QUICK)
    lazy, whole = compiled(rows, columns)
    (count,) = objective.expanded
    assert lazy.dtype == whole.dtype and lazy.shape == whole.shape
    return np.asarray(lazy, np.float64), np.asarray(whole, np.float64), count


def assert_near(one, other, tolerance):
    assert np.abs(one - other).max() <= tolerance * np.abs(other).max()


@pytest.mark.parametrize(("name", "rank"), RANKS)
def test_what_is_linear_in_the_matrix_writes_nothing_out(name, rank):
    lazy, whole, count = both_ways(*FREE[name], rank)
    assert count == 0
    assert_near(lazy, whole, 2e-2 if name == "converted" else 1e-5)


@pytest.mark.parametrize("name", list(FREE)[::3])
def test_short_floats_are_right_to_their_precision(name):
    lazy, whole, count = both_ways(*FREE[name], 1, jnp.bfloat16)
    assert count == 0
    assert_near(lazy, whole, 5e-2)


@pytest.mark.parametrize("name", EXPANDED)
def test_what_has_no_rule_is_counted(name):
    shape, fn, expected = EXPANDED[name]
    lazy, whole, count = both_ways(shape, fn, 2)
    assert count == expected
    assert_near(lazy, whole, 1e-5)


@pytest.mark.parametrize("name", OTHERS)
def test_loops_and_branches_are_right(name):
    lazy, whole, _ = both_ways(*OTHERS[name], 2)
    assert_near(lazy, whole, 1e-4)


@pytest.mark.parametrize("name", ["scan, captured", "while", "fori_loop"])
def test_a_loop_that_captures_the_matrix_writes_nothing_out(name):
    assert both_ways(*OTHERS[name], 1)[2] == 0


# Whole models, unchanged, in whole searches.


IMAGES_SEEN = RNG.normal(size=(8, 24)).astype(np.float32)
WANTED = np.tanh(IMAGES_SEEN[:, :16])


def train(apply, params, **settings):
    """Some rounds of training a model."""

    def loss(params):
        return jnp.mean((apply(params, IMAGES_SEEN) - WANTED) ** 2)

    algorithm = search_gradient(noise="lowrank")
    settings = {"population": 16, "evaluations": 100, "progress": False} | settings
    result = jaxhop.search(loss, jaxhop.weights(params), algorithm=algorithm, **settings)
    assert result.best_value < result.history["value"][0]
    assert float(loss(result.best)) == pytest.approx(result.best_value, rel=1e-5)
    return result


def mlp(params, images):
    hidden = jax.nn.relu(images @ params["w"] + params["b"])
    return hidden @ params["v"]


def mlp_params():
    rng = np.random.default_rng(1)
    shapes = {"w": (24, 32), "b": (32,), "v": (32, 16)}
    return {k: (0.2 * rng.normal(size=s)).astype(np.float32) for k, s in shapes.items()}


@pytest.mark.slow  # compiled for ten seconds; an example searches such a model, too
def test_a_flax_model_is_searched_unchanged():
    linen = pytest.importorskip("flax.linen")

    class Network(linen.Module):
        @linen.compact
        def __call__(self, images):
            return linen.Dense(16)(linen.gelu(linen.Dense(32)(images)))

    network = Network()
    params = network.init(jax.random.key(0), IMAGES_SEEN)
    result = train(network.apply, params)
    assert result.materialised == 0
    assert jax.tree.structure(result.best) == jax.tree.structure(params)


def test_an_equinox_model_is_searched_unchanged():
    eqx = pytest.importorskip("equinox")
    model = eqx.nn.MLP(24, 16, width_size=32, depth=2, key=jax.random.key(0))
    result = train(lambda model, images: jax.vmap(model)(images), model)
    assert result.materialised == 0
    assert isinstance(result.best, eqx.nn.MLP)


def test_what_is_written_out_is_in_the_result():
    def apply(params, images):
        return mlp(params, images) + jnp.sum(params["w"] ** 2) * 1e-3

    result = train(apply, mlp_params())
    assert result.materialised == 1
    assert "1 operation wrote low-rank matrices out" in str(result)


@pytest.mark.slow  # a process of its own that compiles all once more
def test_without_quax_the_candidates_are_the_same(monkeypatch, caplog):
    with caplog.at_level(logging.WARNING, "jaxhop"):
        lazy = train(mlp, mlp_params(), progress=None)
        assert not caplog.records
        monkeypatch.setattr("jaxhop._objective.importlib.util.find_spec", lambda name: None)
        whole = train(mlp, mlp_params(), progress=None)
        (record,) = caplog.records
        assert "jaxhop[lowrank]" in record.message and "\n" not in record.message
        train(mlp, mlp_params(), progress=False)
        assert len(caplog.records) == 1
    assert lazy.materialised == 0 < whole.materialised
    np.testing.assert_allclose(
        lazy.history["value"][:17], whole.history["value"][:17], rtol=1e-5, atol=1e-6
    )
    for one, other in zip(jax.tree.leaves(lazy.best), jax.tree.leaves(whole.best), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
