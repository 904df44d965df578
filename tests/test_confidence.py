"""An expert's guess: draws come from around it as often as it is trusted, else from anywhere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxhop
from jaxhop import _noise
from jaxhop.space import Space, Store

KEY = np.array([9, 1], np.uint32)
NUMBER = 4000


def draws(tree, sobol=False):
    space = Space({"value": tree})

    def one(i):
        key = _noise.fold_in(KEY, i)
        return space.draw(key, i, KEY) if sobol else space.draw(key)

    points = jax.device_get(jax.jit(jax.vmap(one))(jnp.arange(NUMBER)))
    if not space.python:
        return [each["value"] for each in space.to_python_many(points)]
    heat, fresh = np.ones(NUMBER, np.float32), np.ones(NUMBER, bool)
    return [each["value"] for each in space.materialise(Store(), points, points, fresh, heat)[1]]


@pytest.mark.parametrize(
    ("confidence", "share"), [("low", 0.25), ("medium", 0.5), ("high", 0.75), (0.9, 0.9), (1, 1.0)]
)
@pytest.mark.parametrize("sobol", [False, True])
def test_numbers_come_from_around_the_guess(confidence, share, sobol):
    values = np.array(draws(jaxhop.float(0, 10, init=5, confidence=confidence), sobol))
    spread = 10 * (1 - share) / 2
    close = np.abs(values - 5) <= 1.0
    normal = np.random.default_rng(0).normal(size=10**5)
    within = np.mean(np.abs(normal) * spread <= 1)
    assert np.mean(close) == pytest.approx(share * within + (1 - share) * 0.2, abs=0.03)
    if share < 1:
        assert values.min() < 0.5  # never a wall
        assert values.max() > 9.5


def test_every_type_can_be_guessed():
    high = {"confidence": "high"}
    half = {"confidence": 0.5}
    logs = np.log10(draws(jaxhop.float(1e-5, 1e-1, log=True, init=1e-4, **high)))
    assert abs(np.median(logs) + 4) < 0.2
    free = np.array(draws(jaxhop.float(init=50.0, scale=2.0, **half)))
    assert np.mean(np.abs(free - 50) < 2) == pytest.approx(0.5, abs=0.05)
    assert np.mean(np.abs(free) < 8) == pytest.approx(0.5, abs=0.05)
    ints = np.array(draws(jaxhop.int(0, 9, init=3, **high)))
    assert np.mean(ints == 3) == pytest.approx(0.75 * 0.31 + 0.025, abs=0.04)
    assert set(ints.tolist()) == set(range(10))
    ordinal = draws(jaxhop.choice(*"abcdefgh", ordinal=True, init="d", **high))
    assert np.mean([each in "cde" for each in ordinal]) > 0.6
    options = draws(jaxhop.choice("a", "b", "c", init="b", **high))
    assert np.mean([each == "b" for each in options]) == pytest.approx(
        0.75 * 0.75 + 0.25 / 3, abs=0.03
    )
    flags = draws(jaxhop.bool(init=True, **half))
    assert np.mean(flags) == pytest.approx(0.5 * 0.5 + 0.5 * 0.5, abs=0.03)
    order = [4, 2, 0, 1, 3]
    tours = draws(jaxhop.permutation(5, init=order, **high))
    assert np.mean([list(each) == order for each in tours]) == pytest.approx(0.57, abs=0.04)
    turned = draws(
        jaxhop.custom(jax.random.uniform, lambda key, value: value + 2, init=0.125, **half)
    )
    assert np.mean(np.equal(turned, 0.125)) == pytest.approx(0.25, abs=0.03)
    assert np.mean(np.equal(turned, 2.125)) == pytest.approx(0.25, abs=0.03)
    words = draws(
        jaxhop.custom(lambda rng: "any", lambda rng, word: word + "!", "hi", python=True, **half)
    )
    shares = [np.mean([each == word for each in words]) for word in ("hi", "hi!", "any")]
    assert shares == pytest.approx([0.25, 0.25, 0.5], abs=0.03)
    either = draws(jaxhop.choice({"x": jaxhop.float(0, 1)}, "none", init="none", **high))
    assert np.mean([each == "none" for each in either]) > 0.6


def test_an_array_is_near_the_guess_as_a_whole():
    guess = np.linspace(0.3, 0.7, 20)
    values = np.array(draws(jaxhop.float(0, 1, shape=20, init=guess, confidence=0.9)))
    distance = np.abs(values - guess).mean(axis=1)
    assert np.mean(distance < 0.1) == pytest.approx(0.9, abs=0.03)


def test_a_space_without_a_guess_draws_as_ever():
    plain = Space({"x": jaxhop.float(0, 1, init=0.25), "n": jaxhop.int(0, 9)})
    trusting = Space(
        {"x": jaxhop.float(0, 1, init=0.25), "n": jaxhop.int(0, 9, init=2, confidence=0.5)}
    )
    program = str(jax.make_jaxpr(plain.draw)(KEY))
    assert len(program) < len(str(jax.make_jaxpr(trusting.draw)(KEY)))
    assert float(plain.draw(KEY)[1]) == float(trusting.draw(KEY)[1])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: jaxhop.float(0, 1, confidence="high"),
            "`confidence` is how far `init` can be trusted, but there is no `init`.",
        ),
        (
            lambda: jaxhop.int(0, 3, init=1, confidence="huge"),
            "`confidence` must be one of 'low', 'medium', 'high' or a number in (0, 1], but got"
            " 'huge'.",
        ),
        (lambda: jaxhop.bool(init=True, confidence=0), "but got 0."),
        (lambda: jaxhop.permutation(3, init=[0, 1, 2], confidence=1.5), "but got 1.5."),
        (lambda: jaxhop.choice(1, 2, init=1, confidence=True), "but got True."),
    ],
)
def test_it_is_refused_with_the_rule_and_the_remedy(make, words):
    with pytest.raises(ValueError) as refusal:
        make()
    assert words in str(refusal.value)
