"""What is compiled: the objective is traced once, the program is compiled once, data stay data."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plain import plain

import jaxhop
from jaxhop import _compile

COMPILED = "/jax/core/compile/backend_compile_duration"


@contextlib.contextmanager
def compilations():
    """A list that grows by one with each program that is compiled."""
    durations = []

    def listen(event, duration, **_):
        if event == COMPILED:
            durations.append(duration)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield durations
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


@pytest.fixture
def chunks(monkeypatch):
    """The chunks for which programs are made."""
    made = []

    class Recorded(_compile.Rounds):
        def __init__(self, algorithm, objective, space, population, chunk, mesh):
            made.append(chunk)
            super().__init__(algorithm, objective, space, population, chunk, mesh)

    monkeypatch.setattr(_compile, "Rounds", Recorded)
    return made


class Counted:
    """An objective that counts how often Python runs it."""

    def __init__(self):
        self.calls = 0

    def __call__(self, params):
        self.calls += 1
        return jnp.sum((params["x"] - 0.2) ** 2)


def search(fn, size=3, **settings):
    space = {"x": jaxhop.float(-1, 1, shape=(size,))}
    return jaxhop.search(fn, space, population=32, **settings)


def test_the_objective_is_traced_once_and_the_program_compiled_once(chunks):
    search(Counted(), evaluations=100)  # compiles what JAX keeps: steps outside of the program
    fn = Counted()
    with compilations() as compiled:
        result = search(fn, evaluations=20_000)
        assert len(compiled) == 3, "what starts it, the rounds, what makes the best readable"
        result.to_pandas()
    assert result.evaluations == 20_000
    assert fn.calls == 1
    assert len(compiled) == 4, "and what makes a table of all of them"
    assert len(chunks) == 2, "one program for each of the two searches"


def test_the_objective_is_traced_once_even_if_the_chunk_has_to_shrink(chunks, monkeypatch):
    needs = iter([20_001, 20_000])
    monkeypatch.setattr(_compile, "_needed", lambda compiled: next(needs))
    fn = Counted()
    result = search(fn, evaluations=100, max_memory=20_000)
    assert fn.calls == 1
    assert len(chunks) == 2 and chunks[1] < chunks[0]
    monkeypatch.undo()
    wide = search(Counted(), evaluations=100)
    np.testing.assert_array_equal(result.history["value"], wide.history["value"])
    np.testing.assert_array_equal(result.best["x"], wide.best["x"])


def test_memory_that_is_too_small_is_refused_with_what_is_needed():
    with pytest.raises(ValueError, match=r"`max_memory=1000`: the search needs [\d,]+ bytes") as e:
        search(Counted(), evaluations=64, max_memory=1000)
    assert "even when it evaluates one candidate at a time. Allow for more" in str(e.value)


@pytest.fixture
def dump(tmp_path):
    """A folder into which JAX writes every program that it compiles."""
    jax.config.update("jax_dump_ir_to", str(tmp_path))
    yield tmp_path
    jax.config.update("jax_dump_ir_to", None)


def test_large_captured_arrays_are_arguments_of_the_program(dump):
    rows, columns = 10, 1_000_000  # 40 MB
    host = np.ones((rows, columns), np.float32)
    device, inside = jnp.asarray(host) * 2, jnp.asarray(host) * 3

    @jax.jit
    def jitted(i):
        return jnp.tanh(inside)[i, i]

    def fn(params):
        i = params["i"]
        total = jax.lax.fori_loop(0, 2, lambda _, total: total + device[i, i], 0.0)
        return total + jitted(i) + (host @ jnp.full(columns, 1e-6))[i] + (i - 7) ** 2

    result = jaxhop.search(fn, {"i": jaxhop.int(0, 9)}, evaluations=40, algorithm=plain)
    assert result.best == {"i": 7}
    assert result.best_value == pytest.approx(2 * 2 + np.tanh(3) + 1, rel=1e-3)
    sizes = {path.name: path.stat().st_size for path in dump.iterdir()}
    assert any("run" in name for name in sizes), "the program of the rounds is among them"
    assert max(sizes.values()) < 2_000_000
