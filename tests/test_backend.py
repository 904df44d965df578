"""In which world an objective runs: compiled by JAX, or called in Python."""

import functools
import importlib.util
import logging
import math
import os
import re
import subprocess

import equinox
import flax.nnx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plain import plain

import jaxhop

HERE = os.path.basename(__file__)
CALLS: list = []


class Traced(Exception):
    """A search came as far as to compile its objective."""


@pytest.fixture
def uncompiled(monkeypatch):
    """Searches end when the objective is traced: the world is known by then."""

    def session(*arguments, **settings):
        raise Traced

    monkeypatch.setattr("jaxhop._plan.jax_session", session)


def search(fn, evaluations=8, space=None, surrogate=False, **settings):
    """A short search without a model, which would be compiled."""
    space = {"x": jaxhop.float(-1, 1)} if space is None else space
    return jaxhop.search(fn, space, evaluations=evaluations, surrogate=surrogate, **settings)


def note(params):
    """Keeps what an objective was called with, and says what it got."""
    CALLS.append(params["x"])
    return params["x"]


def numpy_only(params):
    return float(np.square(note(params)))


def standard_library(params):
    return math.sin(note(params))


def by_global(params):
    return jnp.square(note(params))


def by_default(params, root=jnp.sqrt):
    return root(note(params) + 2)


def imported_inside(params):
    import jax.numpy as inside

    return inside.square(note(params))


def from_imported_inside(params):
    from jax import lax

    return lax.square(note(params))


def helper(x):
    return jnp.square(x) + 1


def calls_another(params):
    return helper(note(params))


def calls_a_caller(params):
    return calls_another(params)


def nested(params):
    def inner(x):
        return jnp.square(x)

    return inner(note(params))


def with_shift(params, shift):
    return note(params) + shift


def closing_over(square):
    def closed(params):
        return square(note(params))

    return closed


class Model:
    """An object with a method, and that is called itself."""

    def __init__(self, target):
        self.target = target

    def loss(self, params):
        return jnp.square(note(params) - self.target)

    def __call__(self, params):
        return jnp.square(note(params) - self.target)


class Plain:
    """The same without a word of JAX."""

    def __init__(self, target):
        self.target = target

    def loss(self, params):
        return (note(params) - self.target) ** 2

    def __call__(self, params):
        return (note(params) - self.target) ** 2


class Equinox(equinox.Module):
    weight: jax.Array

    def __call__(self, params):
        return self.weight * note(params)


class Flax(flax.nnx.Module):
    def __init__(self):
        self.layer = flax.nnx.Linear(1, 1, rngs=flax.nnx.Rngs(0))

    def __call__(self, x):
        return self.layer(x.reshape(1))[0]


def with_flax():
    model = Flax()
    return lambda params: model(note(params))


def starts_a_process(params):
    subprocess.run(["true", f"{note(params)}"], check=True)
    return float(jnp.square(params["x"]))


def elsewhere(tmp_path, text):
    """A function `loss` of a module of its own, which is written to a file."""
    path = tmp_path / "elsewhere.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("elsewhere", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_module(tmp_path):
    """An objective that names an attribute of a module of the user, which uses JAX."""
    module = elsewhere(tmp_path, "import jax.numpy as jnp\ndef f(x):\n    return jnp.square(x)\n")
    scope = {"mine": module, "note": note}
    exec("def attribute(params):\n    return mine.f(note(params))\n", scope)
    return scope["attribute"]


TRACED = {
    "global": by_global,
    "default": by_default,
    "import": imported_inside,
    "from import": from_imported_inside,
    "closure": closing_over(jnp.square),
    "closure over a caller": closing_over(helper),
    "partial": functools.partial(with_shift, shift=jnp.ones(())),
    "partial of a function": functools.partial(by_global),
    "method": Model(0.5).loss,
    "callable object": Model(0.5),
    "object with an array": Plain(jnp.ones(())),
    "jitted": jax.jit(note),
    "wrapped": functools.wraps(by_global)(lambda params: by_global(params)),
    "equinox": Equinox(jnp.ones(())),
    "flax": with_flax(),
    "calls another": calls_another,
    "calls a caller": calls_a_caller,
    "nested": nested,
    "comprehension": lambda params: sum([jnp.square(x) for x in [note(params)]]),
    "array by closure": (lambda array: lambda params: note(params) * array)(jnp.ones(())),
}

IN_PYTHON = {
    "numpy": numpy_only,
    "standard library": standard_library,
    "partial": functools.partial(with_shift, shift=1.0),
    "method": Plain(0.5).loss,
    "callable object": Plain(0.5),
    "lambda": lambda params: note(params) ** 2,
    "closure": closing_over(np.square),
    "subprocess": starts_a_process,
}


@pytest.mark.parametrize("fn", TRACED.values(), ids=TRACED.keys())
def test_what_refers_to_jax_is_traced_once(fn, uncompiled, caplog):
    CALLS.clear()
    with pytest.raises(Traced):
        search(fn)
    (x,) = CALLS
    assert isinstance(x, jax.core.Tracer)
    assert not caplog.records


@pytest.mark.parametrize("fn", IN_PYTHON.values(), ids=IN_PYTHON.keys())
def test_what_does_not_is_called_once_a_candidate(fn, caplog):
    CALLS.clear()
    result = search(fn)
    assert result.evaluations == len(CALLS) == len(set(CALLS)) == 8
    assert {type(x) for x in CALLS} == {float}
    (record,) = caplog.records
    assert record.levelno == logging.WARNING and 'backend="jax"' in record.message
    assert "does not refer to jax" in record.message and "\n" not in record.message


def test_what_a_module_of_the_user_does_counts(tmp_path, uncompiled):
    CALLS.clear()
    with pytest.raises(Traced):
        search(by_module(tmp_path))
    assert len(CALLS) == 1


def test_a_traced_objective_is_never_called_again():
    CALLS.clear()
    result = search(by_global, evaluations=100, population=8, algorithm=plain)
    assert len(CALLS) == 1 and result.evaluations == 100
    assert result.best_value < 0.01


def by_float(params):
    return jnp.square(float(note(params)))


def by_condition(params):
    return jnp.square(params["x"]) if note(params) > 0 else 1.0


def by_index(params):
    x = note(params)
    return [1.0, 2.0, 3.0, 4.0][params["n"] - 1] + jnp.square(x)


def by_numpy(params):
    return jnp.sum(np.sort(np.array([note(params), 0.5])))


def by_text(params):
    return jnp.float32(float(f"{note(params):.3f}"))


def by_error(params):
    if not isinstance(note(params), float):
        raise OSError("no such file")
    return jnp.square(params["x"])


REASONS = {
    by_float: "float() of a traced value",
    by_condition: "a condition on a traced value",
    by_index: "a traced value as an index",
    by_numpy: "NumPy was given a traced value",
    by_error: "OSError: no such file",
}


@pytest.mark.parametrize("fn", REASONS, ids=lambda fn: fn.__name__)
def test_what_cannot_be_traced_runs_in_python_and_says_where_it_failed(fn, caplog):
    CALLS.clear()
    result = search(fn, space={"x": jaxhop.float(-1, 1), "n": jaxhop.int(1, 4)})
    assert len(CALLS) == 9 and result.evaluations == 8
    assert isinstance(CALLS[0], jax.core.Tracer)
    assert {type(x) for x in CALLS[1:]} == {float}
    (record,) = caplog.records
    first = fn.__code__.co_firstlineno
    (line,) = re.findall(rf"{re.escape(REASONS[fn])} at {HERE}:(\d+)", record.message)
    assert first < int(line) <= first + 3
    assert 'backend="jax"' in record.message and "\n" not in record.message


def test_formatting_a_traced_value_is_a_reason_too(caplog):
    result = search(by_text)
    assert result.evaluations == 8
    assert f"at {HERE}:" in caplog.text


@pytest.mark.parametrize("fn", [by_float, by_condition, by_error], ids=lambda fn: fn.__name__)
def test_the_whole_reason_is_raised_if_jax_is_wanted(fn):
    with pytest.raises((jaxhop.TraceError, OSError)) as caught:
        search(fn, backend="jax")
    text = str(caught.value) + "".join(getattr(caught.value, "__notes__", ()))
    first = fn.__code__.co_firstlineno
    assert fn.__name__ in text
    assert any(f"{HERE}:{first + line}" in text for line in (1, 2))


def test_jax_can_be_asked_for(uncompiled, caplog):
    CALLS.clear()
    with pytest.raises(Traced):
        search(lambda params: note(params) ** 2, backend="jax")
    assert len(CALLS) == 1 and not caplog.records


def test_python_can_be_asked_for(caplog):
    CALLS.clear()
    search(by_global, backend="python")
    assert [type(x) for x in CALLS] == [float] * 8
    assert not caplog.records


def call_python(params):
    """What would be traced if there were no reason to run it in Python."""
    return float(jnp.sum(params["x"] ** 2))


def call_vectorized(params):
    return np.asarray(jnp.square(params["x"]))


@pytest.mark.parametrize(
    ("fn", "settings"),
    [
        (call_python, {"n_jobs": 1}),
        (call_python, {"on_error": "raise"}),
        (call_python, {"pruner": jaxhop.pruners.MedianPruner()}),
        (call_vectorized, {"vectorized": True, "algorithm": plain}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_concerns_python_means_python(fn, settings, caplog):
    result = search(fn, **settings)
    assert result.evaluations == 8
    assert not caplog.records


@pytest.mark.parametrize(
    "settings",
    [{"n_jobs": 2}, {"on_error": "skip"}, {"timeout": 1}, {"vectorized": True}],
    ids=lambda settings: next(iter(settings)),
)
def test_jax_and_what_concerns_python_contradict_each_other(settings):
    (name,) = settings
    with pytest.raises(ValueError, match=rf'`backend="jax"` and `{name}`'):
        search(by_global, backend="jax", **settings)


@pytest.mark.parametrize("name", ["devices", "max_memory", "average"])
def test_python_and_what_concerns_jax_contradict_each_other(name):
    value = {"devices": jax.devices(), "max_memory": "1GB", "average": 3}[name]
    with pytest.raises(ValueError, match=f"`{name}="):
        search(numpy_only, **{name: value})


def test_no_line_without_progress(caplog):
    search(numpy_only, progress=False)
    search(by_float, progress=False)
    assert not caplog.records


def test_a_wrong_backend_is_refused():
    with pytest.raises(ValueError, match="`backend='torch'`"):
        search(by_global, backend="torch")


def test_a_traced_objective_that_returns_no_number_is_refused_in_both_worlds():
    with pytest.raises(TypeError, match="must return one real number"):
        search(lambda params: jnp.ones(3) * params["x"])
    with pytest.raises(TypeError, match="number"):
        search(lambda params: jnp.ones(3) * params["x"], backend="python")


SPACE = {
    "x": jaxhop.float(-1, 1),
    "rounded": jaxhop.float(1e-3, 1, "0.1g"),
    "n": jaxhop.int(1, 4),
    "b": jaxhop.bool(),
    "word": jaxhop.choice("a", "b"),
    "number": jaxhop.choice(0.5, 1),
    "array": jaxhop.float(-1, 1, shape=(2,)),
    "integers": jaxhop.int(0, 9, shape=(2, 2)),
    "order": jaxhop.permutation(4),
    "either": jaxhop.choice({"kind": "a", "y": jaxhop.float(0, 1)}, {"kind": "b"}),
    "nothing": jaxhop.choice(None, "something"),
    "constant": [3, "text"],
}


def test_an_objective_gets_plain_python_values():
    seen = []

    def loss(params):
        seen.append(params)
        return params["x"]

    search(loss, evaluations=60, space=SPACE, backend="python")
    types = {name: {type(params[name]) for params in seen} for name in SPACE if name != "constant"}
    assert types == {
        "x": {float},
        "rounded": {float},
        "n": {int},
        "b": {bool},
        "word": {str},
        "number": {float, int},
        "array": {np.ndarray},
        "integers": {np.ndarray},
        "order": {np.ndarray},
        "either": {dict},
        "nothing": {type(None), str},
    }
    assert all(params["constant"] == [3, "text"] for params in seen)
    assert {frozenset(params["either"]) for params in seen} == {
        frozenset({"kind", "y"}),
        frozenset({"kind"}),
    }
    assert all(type(params["either"].get("y", 0.5)) is float for params in seen)
    assert all(params["integers"].dtype.kind == "i" for params in seen)
    assert not any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(seen))
    assert all(params["rounded"] == float(f"{params['rounded']:.0e}") for params in seen)
