"""Wrong calls of search: all refused before anything is traced, with the rule and the remedy."""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxhop

SPACE = {
    "x": jaxhop.float(-5, 5),
    "v": jaxhop.float(0, 1, shape=(3,)),
    "opt": {"lr": jaxhop.float(1e-4, 1, log=True), "steps": [jaxhop.int(1, 5), 7]},
    "act": jaxhop.choice("relu", "tanh"),
    "name": "constant",
}
DEVICE = jax.devices()[0]


def square(params):
    return params["x"] ** 2


# What is given in place of what is right, and what the message must say of it: the rule, what
# came, what to do.
ARGUMENTS = [
    ({"direction": "down"}, ValueError, ["`direction='down'`", 'must be "min" or "max"']),
    ({"direction": None}, ValueError, ["`direction=None`", 'must be "min" or "max"']),
    ({"evaluations": None}, ValueError, ["`runtime`, `evaluations`, `target`", "Say", "30s"]),
    ({"runtime": "soon"}, ValueError, ["`runtime='soon'`", "must name a duration", '"1h 30min"']),
    ({"runtime": "1:75"}, ValueError, ["`runtime='1:75'`", "must name a duration", '"1:30:00"']),
    ({"runtime": "3 parsecs"}, ValueError, ["`runtime='3 parsecs'`", '"2 days"']),
    ({"runtime": 0}, ValueError, ["`runtime=0`", "greater than 0", "Give seconds"]),
    ({"runtime": math.nan}, ValueError, ["`runtime=nan`", "must be finite", "Give seconds"]),
    ({"runtime": True}, TypeError, ["`runtime=True`", "a duration must be given", "Give seconds"]),
    ({"runtime": [30]}, TypeError, ["`runtime=[30]`", "a duration must be given", "timedelta"]),
    ({"evaluations": -5}, ValueError, ["`evaluations=-5`", "at least 1", "Say"]),
    ({"evaluations": 0}, ValueError, ["`evaluations=0`", "at least 1", "Say"]),
    ({"evaluations": True}, TypeError, ["`evaluations=True`", "an int must be given", "Say"]),
    ({"evaluations": 1e3}, TypeError, ["`evaluations=1000.0`", "Say `int(1000.0)`"]),
    ({"evaluations": "9"}, TypeError, ["`evaluations='9'`", "an int must be given", "Say"]),
    ({"target": "low"}, TypeError, ["`target='low'`", "a number must be given", "Say"]),
    ({"target": math.nan}, ValueError, ["`target=nan`", "a finite number", "Say"]),
    ({"seed": -1}, ValueError, ["`seed=-1`", "it must be in [0, ", "Say `seed=0`"]),
    ({"seed": 1.5}, TypeError, ["`seed=1.5`", "an int must be given", "Say `seed=0`"]),
    ({"seed": jax.random.key(0)}, TypeError, ["`seed=Array", "an int must be given", "Say"]),
    ({"population": 0}, ValueError, ["`population=0`", "it must be in [1, ", "Say"]),
    ({"population": 64.0}, TypeError, ["`population=64.0`", "an int must be given", "Say"]),
    ({"population": False}, TypeError, ["`population=False`", "an int must be given", "Say"]),
    (
        {"population": 2, "init": [{"x": 1.0}, {"x": 2.0}]},
        ValueError,
        ["`population=2`", "3 in all", "Say `population=3` or more"],
    ),
    ({"algorithm": "mcmc"}, ValueError, ["`algorithm='mcmc'`", "must be", "annealed_mcmc()"]),
    ({"algorithm": None}, ValueError, ["`algorithm=None`", "must be", "annealed_mcmc()"]),
    (
        {"algorithm": jaxhop.algorithms.annealed_mcmc},
        ValueError,
        ["`algorithm=<function annealed_mcmc", "called as recipe(space", "Say"],
    ),
    (
        {"algorithm": lambda space, population, noisy: None},
        TypeError,
        ["`algorithm=<function", "must return an `Algorithm`, but it returned None", "Say"],
    ),
    ({"devices": []}, ValueError, ["`devices=[]`", "at least one device", "jax.devices()[:1]"]),
    ({"devices": 2}, ValueError, ["`devices=2`", "a list of", "jax.devices()[:1]"]),
    ({"devices": "cpu"}, TypeError, ["`devices='cpu'`", "JAX devices", "jax.devices()[:1]"]),
    ({"devices": [DEVICE, DEVICE]}, ValueError, ["is named twice", "Name each once"]),
    ({"max_memory": "lots"}, ValueError, ["`max_memory='lots'`", "no amount", 'Say "8GB"']),
    ({"max_memory": "8 GBit"}, ValueError, ["`max_memory='8 GBit'`", "no amount", "Say"]),
    ({"max_memory": 0}, ValueError, ["`max_memory=0`", "must be positive", "Say"]),
    ({"max_memory": 1e9}, TypeError, ["`max_memory=1000000000.0`", "give bytes as an int"]),
    ({"init": {"x": 1.0}}, TypeError, ["`init={'x': 1.0}`", "a list of", "Put a single one in"]),
    ({"init": 3}, TypeError, ["`init=3`", "a list of candidates", "Put a single one in"]),
    ({"init": [3]}, TypeError, ["`init[0]`: `space`", "a dict with keys", "got 3", "Give"]),
    (
        {"init": [{}, {"y": 1.0}]},
        ValueError,
        ["`init[1]`: `space`", "no key 'y'", "['act', 'name', 'opt', 'v', 'x']"],
    ),
    (
        {"init": [{"opt": {"lr": 5.0}}]},
        ValueError,
        ['`init[0]`: `space["opt"]["lr"]`', "`low <= value <= high`", "got 5.0", "Give one"],
    ),
    (
        {"init": [{"opt": {"steps": [1.5, 7]}}]},
        TypeError,
        ['`init[0]`: `space["opt"]["steps"][0]`', "must be an integer", "got 1.5", "Give"],
    ),
    (
        {"init": [{"opt": {"steps": [2]}}]},
        ValueError,
        ['`init[0]`: `space["opt"]["steps"]`', "2 entries are needed", "got 1", "Give"],
    ),
    (
        {"init": [{"x": "one"}]},
        TypeError,
        ['`init[0]`: `space["x"]`', "must be a number", "got 'one'", "Give"],
    ),
    (
        {"init": [{"v": np.zeros(4)}]},
        ValueError,
        ['`init[0]`: `space["v"]`', "must have shape (3,)", "is (4,)", "Give"],
    ),
    (
        {"init": [{"act": "sigmoid"}]},
        ValueError,
        ['`init[0]`: `space["act"]`', "one of the options", "got 'sigmoid'", "Choose one of"],
    ),
    (
        {"init": [{"name": "other"}]},
        ValueError,
        ['`init[0]`: `space["name"]`', "the constant 'constant'", "got 'other'", "Leave it out"],
    ),
    ({"callbacks": print}, TypeError, ["`callbacks=<built-in", "a list of", "Put it in a list"]),
    ({"callbacks": [3]}, TypeError, ["`callbacks=[3]`", "must be a function", "Give such"]),
    ({"callbacks": [dict]}, TypeError, ["`callbacks=[dict]`", "not its class", "Say `dict()`"]),
    ({"progress": "yes"}, TypeError, ["`progress='yes'`", "must be True, False or None"]),
    ({"space": {}}, ValueError, ["`space`", "nothing to search", "Put a parameter into it"]),
    ({"space": {"x": 1.0}}, ValueError, ["`space`", "is a constant", "Put a parameter into it"]),
    ({"space": None}, ValueError, ["`space`", "nothing to search", "Put a parameter into it"]),
    (
        {"space": {"n": jaxhop.choice("only")}},
        ValueError,
        ["`space`", "one legal value only", "Put a parameter into it"],
    ),
    (
        {"space": {1: jaxhop.float(0, 1), "a": jaxhop.float(0, 1)}},
        ValueError,
        ["`space`", "must be of one kind", "Rename"],
    ),
    ({"fn": 3}, TypeError, ["`fn=3`", "must be a function", "Give one"]),
    ({"fn": lambda: 0.0}, TypeError, ["`fn()`", "must be called as fn(params)", "Bind"]),
    ({"fn": lambda a, b, c: 0.0}, TypeError, ["`fn(a, b, c)`", "must be called as", "Bind"]),
    ({"fn": lambda a, *, b: 0.0}, TypeError, ["`fn(a, *, b)`", "must be called as", "Bind"]),
]


def name(case):
    """What is wrong, for the list of tests."""
    (key, value), *_ = case[0].items()
    # Addresses differ from process to process.
    return re.sub(r" at 0x\w+", "", f"{key}={value!r}"[:40])


@pytest.mark.parametrize("case", ARGUMENTS, ids=name)
def test_a_wrong_argument_is_refused_before_anything_is_traced(case):
    given, kind, texts = case
    calls = []

    def counted(params):
        calls.append(params)
        return square(params)

    arguments = {"fn": counted, "space": SPACE, "evaluations": 10} | given
    with pytest.raises(kind) as error:
        jaxhop.search(arguments.pop("fn"), arguments.pop("space"), **arguments)
    assert type(error.value) is kind
    for text in texts:
        assert text in str(error.value)
    assert not calls


def test_no_more_than_the_objective_and_the_space_can_be_given_by_position():
    with pytest.raises(TypeError, match="positional"):
        jaxhop.search(square, SPACE, "min")


# What an objective must return.

RETURNED = {
    "a vector": (lambda p: p["v"] * p["x"], "it returned float32[3]"),
    "an array of one number": (lambda p: p["x"][None], "it returned float32[1]"),
    "nothing": (lambda p: None, "it returned None"),
    "a complex number": (lambda p: p["x"] + 1j, "it returned complex64[]"),
    "a dict": (lambda p: {"loss": p["x"]}, "it returned {'loss'"),
    "three things": (lambda p: (p["x"], 1, 2), "it returned ("),
    "a vector and more": (lambda p: (p["v"], 1), "it returned float32[3]"),
    "text": (lambda p: "low", "it returned 'low'"),
    "text beside its value": (lambda p: (p["x"], {"note": "low"}), "it returned 'low'"),
}


@pytest.mark.parametrize("case", RETURNED)
def test_an_objective_must_return_a_number(case):
    fn, text = RETURNED[case]
    with pytest.raises(TypeError) as error:
        jaxhop.search(fn, SPACE, evaluations=10, backend="jax")
    message = str(error.value)
    assert message.startswith("`<lambda>` must return one real number, or (number, aux)")
    assert text in message
    assert "Reduce it" in message or "Leave that out" in message


# What cannot be traced. Each breaks on the line of its return.


def as_float(params):
    return float(params["x"]) ** 2


def as_int(params):
    return [1.0, 2.0][int(params["x"])]


def as_item(params):
    return params["x"].item()


def as_text(params):
    return float(f"{params['x']:.2f}")


def as_key(params):
    return {params["x"]: 1.0}.get(params["x"], 0.0)


def in_math(params):
    return math.sin(params["x"])


def in_numpy(params):
    return np.sin(params["x"])


def in_if(params):
    return 1.0 if params["x"] > 0 else 0.0


def in_mask(params):
    return jnp.sum(params["v"][params["v"] > 0.5])


def in_index(params):
    return [1.0, 2.0][params["opt"]["steps"][0]]


def in_shape(params):
    return jnp.sum(jnp.ones(params["opt"]["steps"][0]))


UNTRACEABLE = [
    as_float, as_int, as_item, as_text, as_key,
    in_math, in_numpy, in_if, in_mask, in_index, in_shape,
]  # fmt: skip


@pytest.mark.parametrize("fn", UNTRACEABLE, ids=lambda fn: fn.__name__)
def test_what_cannot_be_traced_is_refused_with_its_line(fn):
    with pytest.raises(jaxhop.TraceError) as error:
        jaxhop.search(fn, SPACE, evaluations=10, backend="jax")
    message = str(error.value)
    assert message.startswith(f"`{fn.__name__}` cannot be traced by JAX")
    assert f"{__file__}:{fn.__code__.co_firstlineno + 1} (return " in message
    assert "Write the line with jax.numpy" in message
    assert isinstance(error.value, TypeError)


OPTIONS = {
    "if": lambda option: 1.0 if option else 0.0,
    "in": lambda option: float(option in {"relu"}),
    "dict": lambda option: {"relu": 1.0, "tanh": 2.0}[option],
    "text": lambda option: float(len(f"{option}")),
    "str": lambda option: float(len(str(option))),
}


@pytest.mark.parametrize("use", OPTIONS)
def test_an_option_is_no_text_while_the_objective_is_traced(use):
    with pytest.raises(TypeError, match=r"which of the options \('relu', 'tanh'\)") as error:
        jaxhop.search(lambda p: OPTIONS[use](p["act"]), SPACE, evaluations=10, backend="jax")
    assert "option.switch" in str(error.value)


def test_an_option_is_compared_with_options_only():
    with pytest.raises(ValueError, match="compared with one of 'relu', 'tanh'"):
        jaxhop.search(
            lambda p: jnp.where(p["act"] == "relo", 1, 0), SPACE, evaluations=10, backend="jax"
        )


def test_an_array_of_another_trace_is_refused():
    @jax.jit
    def outer(y):
        result = jaxhop.search(
            lambda params: params["x"] * y, SPACE, evaluations=10, backend="jax"
        )
        return result.best_value

    with pytest.raises(jaxhop.TraceError, match=r"search outside of jax\.jit"):
        outer(2.0)


def test_faults_of_the_users_own_stay_what_they_are():
    def broken(params):
        return params["learning rate"]

    with pytest.raises(KeyError, match="learning rate") as error:
        jaxhop.search(broken, SPACE, evaluations=10, backend="jax")
    line = broken.__code__.co_firstlineno + 1
    assert f"traced `broken`, at {__file__}:{line}" in error.value.__notes__[-1]
