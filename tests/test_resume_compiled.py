"""A compiled search that is stopped, in the middle of a round too, goes on as if it had not."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from processes import run
from searched import assert_same

import jaxhop
from jaxhop import _interrupt, _loop, _record, _session
from jaxhop.storage import StorageError

SPACE = {
    "x": jaxhop.float(-1, 1, shape=(3,)),
    "n": jaxhop.int(1, 9),
    "kind": jaxhop.choice("a", "b"),
    "order": jaxhop.permutation(6),
}
WIDE = {"x": jaxhop.float(-1, 1, shape=(20_000,)), "n": jaxhop.int(1, 9)}


def smooth(params):
    value = jnp.sum((params["x"] - 0.3) ** 2) + abs(params["n"] - 4) / 9
    value += jnp.abs(params["order"] - jnp.arange(6)).sum() / 9
    return value + jnp.where(params["kind"] == "b", 0.5, 0.0)


def wide(params):
    return jnp.mean((params["x"] - 0.3) ** 2) + (params["n"] - 6) ** 2


def noisy(params, key):
    return jnp.sum((params["x"] - 0.3) ** 2) + 0.1 * jax.random.normal(key)


def learned(params):
    value = jnp.sum((params["x"] - 0.3) ** 2) + abs(params["n"] - 4) / 9
    return value + jnp.where(params["kind"] == "b", 0.5, 0.0)


def gradient(params):
    return jnp.mean((params["x"] - 0.3) ** 2)


CASES = {
    "small": (lambda params: -smooth(params), SPACE, {"direction": "max"}),
    "wide": (wide, WIDE, {"algorithm": jaxhop.algorithms.annealed_mcmc()}),
    "random": (noisy, {"x": SPACE["x"]}, {}),
    "learned": (
        learned,
        {name: SPACE[name] for name in ("x", "n", "kind")},
        {"algorithm": jaxhop.algorithms.covariance_adaptation()},
    ),
    "random learned": (
        noisy,
        {"x": SPACE["x"]},
        {"algorithm": jaxhop.algorithms.covariance_adaptation()},
    ),
    "tour": (
        lambda params: jnp.abs(params["order"] - jnp.arange(6)).sum(),
        {"order": SPACE["order"]},
        {"algorithm": jaxhop.algorithms.simulated_annealing()},
    ),
    "gradient": (gradient, {"x": WIDE["x"]}, {"algorithm": jaxhop.algorithms.search_gradient()}),
}
COMMON = {"population": 20, "evaluations": 130, "seed": 5, "progress": False}


class AtVisit(_interrupt.Interrupt):
    """Asks to stop at a visit of the host, whether or not a round has ended."""

    stop_at: int | None = None

    def __init__(self, *settings):
        self._visits = 0
        super().__init__(*settings)

    @property
    def asked(self):
        self._visits += 1
        stops = AtVisit.stop_at is not None and self._visits >= AtVisit.stop_at
        return "interrupted" if stops else ""

    @asked.setter
    def asked(self, value):
        assert not value


@pytest.fixture
def stops(monkeypatch):
    """`stops(number)`: later searches stop at that visit, one step each; None: at none."""
    monkeypatch.setattr(_session, "Interrupt", AtVisit)
    monkeypatch.setattr(_loop._Pace, "steps", lambda self, remaining: 1)
    monkeypatch.setattr("jaxhop._compile.chunk_for", lambda *_: 8)  # three steps a round
    yield lambda number: setattr(AtVisit, "stop_at", number)
    AtVisit.stop_at = None


@functools.cache
def never_stopped(name):
    fn, space, options = CASES[name]
    return jaxhop.search(fn, space, **COMMON, **options)


@pytest.mark.parametrize(  # each is compiled for ten seconds
    "name",
    [
        "small",
        "learned",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("wide", "random", "random learned", "tour", "gradient")
        ),
    ],
)
def test_stopped_at_any_step(tmp_path, monkeypatch, stops, name):
    fn, space, options = CASES[name]
    if name == "learned":  # most rounds have eight draws
        monkeypatch.setattr("jaxhop._compile.chunk_for", lambda *_: 3)
    whole = never_stopped(name)
    save, done = _record.Record._save, []

    def saved(self, checkpoints, program, carry, stand, last):
        if last:
            done.append(int(carry.done))
        save(self, checkpoints, program, carry, stand, last)

    monkeypatch.setattr(_record.Record, "_save", saved)
    before = 0
    for visit in {"small": (4, 9), "learned": (8,)}.get(name, (8,)):
        stops(visit)
        stopped = jaxhop.search(fn, space, dir=tmp_path, **COMMON, **options)
        assert stopped.stop_reason == "interrupted"
        assert before <= stopped.evaluations < COMMON["evaluations"]
        before = stopped.evaluations
        found = jaxhop.load(tmp_path)
        assert (found.stop_reason, found.evaluations) == ("interrupted", before)
        assert found.best_value == stopped.best_value
    assert any(done), "in the middle of a round"
    stops(None)
    result = jaxhop.search(fn, space, dir=tmp_path, **COMMON, **options)
    # Points of more than 64 KiB are not written down for the history.
    assert_same(result, whole, but=("stored", "params") if name in ("wide", "gradient") else ())


def test_the_same_total_does_nothing_and_a_larger_one_the_difference(tmp_path):
    first = jaxhop.search(smooth, SPACE, dir=tmp_path, **COMMON)
    seen = []
    again = jaxhop.search(smooth, SPACE, dir=tmp_path, callbacks=[seen.append], **COMMON)
    assert seen == []
    assert_same(again, first)
    more = {**COMMON, "evaluations": 300}
    longer = jaxhop.search(smooth, SPACE, dir=tmp_path, callbacks=[seen.append], **more)
    assert seen[0].first == 130 and seen[-1].evaluations == 300
    assert longer.evaluations == 300
    np.testing.assert_array_equal(longer.history["value"][:130], first.history["value"])
    assert longer.best_value <= first.best_value
    assert sum(phase.evaluations for phase in longer.phases) == 300


def test_runtime_is_remembered(tmp_path):
    settings = {"runtime": 0.5, "dir": tmp_path, "population": 20}
    first = jaxhop.search(smooth, SPACE, **settings)
    again = jaxhop.search(smooth, SPACE, **settings)
    assert again.stop_reason == "runtime" and again.best_value == first.best_value
    assert again.evaluations == first.evaluations
    np.testing.assert_allclose(again.seconds, first.seconds, atol=0.1)


ON_EIGHT = """
import sys
import jax, jax.numpy as jnp, numpy as np, jaxhop
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
from jaxhop.algorithms import annealed_mcmc, search_gradient

def loss(params):
    return jnp.sum((params["x"] - 0.3) ** 2)

space = {"x": jaxhop.float(-1, 1, shape=(2_000,))}
common = dict(population=20, evaluations=130, seed=7)

def found(algorithm, *parts, place=None):
    for devices, stop in parts:
        def enough(report):
            return report.evaluations >= stop
        result = jaxhop.search(loss, space, algorithm=algorithm, dir=place,
                               devices=jax.devices()[:devices], callbacks=[enough], **common)
        assert result.stop_reason == ("evaluations" if stop > 130 else "interrupted")
    return {"values": result.history["value"], "best": result.best["x"]}

saved = {}
for name, algorithm in (("chains", annealed_mcmc()), ("gradient", search_gradient())):
    one = found(algorithm, (1, 999))
    parts = ((1, 30), (8, 999)) if name == "gradient" else ((8, 30), (1, 999))
    parted = found(algorithm, *parts, place=f"{sys.argv[1]}/{name}")
    for way, result in (("one", one), ("parted", parted)):
        saved |= {f"{name} {way} {key}": value for key, value in result.items()}
np.savez(sys.argv[1] + "/found.npz", **saved)
"""


def test_goes_on_with_more_or_fewer_devices(tmp_path):
    run(ON_EIGHT, tmp_path, devices=8)
    with np.load(tmp_path / "found.npz") as found:
        for key in ("values", "best"):
            one, other = found[f"chains one {key}"], found[f"chains parted {key}"]
            np.testing.assert_array_equal(other, one)
            one, other = found[f"gradient one {key}"], found[f"gradient parted {key}"]
            np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)


def test_another_population_or_algorithm_is_refused(tmp_path):
    settings = {"evaluations": 60, "seed": 5, "dir": tmp_path}
    jaxhop.search(smooth, SPACE, population=20, **settings)
    with pytest.raises(StorageError, match="population: was 20, is 24"):
        jaxhop.search(smooth, SPACE, population=24, **settings)
    with pytest.raises(StorageError, match="another algorithm or population"):
        jaxhop.search(smooth, SPACE, algorithm=jaxhop.algorithms.search_gradient(), **settings)


@pytest.mark.parametrize("limit", [{"cost": 3.0}, {"evaluations_per_process": 3}])
def test_what_concerns_python_alone_is_refused_and_nothing_is_touched(tmp_path, limit):
    place = tmp_path / "run"
    with pytest.raises(ValueError, match=next(iter(limit))):
        jaxhop.search(smooth, SPACE, evaluations=20, dir=place, **limit)
    assert not place.exists()


@pytest.mark.parametrize("mistake", [{"cost": 3.0}, {"algorithm": "misspelt"}, {"timeout": "1x"}])
def test_a_mistake_deletes_nothing(tmp_path, mistake):
    first = jaxhop.search(
        lambda params: params["n"], SPACE, evaluations=3, backend="python", dir=tmp_path
    )
    with pytest.raises(ValueError):
        jaxhop.search(smooth, SPACE, dir=tmp_path, overwrite=True, **COMMON, **mistake)
    assert jaxhop.load(tmp_path).best_value == first.best_value
