"""Several devices and several processes: the same search as on one device."""

import socket

import numpy as np
import pytest
from processes import finish, run, start

POPULATION = 20  # no multiple of 8
EVALUATIONS = 190  # no multiple of the population

PROBLEMS = f"""
import sys
import jax, jax.numpy as jnp, numpy as np, jaxhop
from jaxhop import _compile

made = []

class Recorded(_compile.Rounds):
    def __init__(self, algorithm, objective, space, population, chunk, mesh):
        made.append((chunk, 1 if mesh is None else mesh.size))
        super().__init__(algorithm, objective, space, population, chunk, mesh)

_compile.Rounds = Recorded

def wide(params):
    return jnp.sum((params["x"] - 0.3) ** 2) + (params["n"] - 6) ** 2

WIDE = {{"x": jaxhop.float(-1, 1, shape=(20_000,)), "n": jaxhop.int(1, 9)}}

matrix = np.random.default_rng(0).normal(size=(64, 16)).astype(np.float32)

def product(params):
    return jnp.mean(jnp.tanh(matrix @ params["x"] - 0.5) ** 2)

PRODUCT = {{"x": jaxhop.float(-1, 1, shape=(16,))}}

def found(fn, space, **settings):
    made.clear()
    settings = dict(population={POPULATION}, evaluations={EVALUATIONS}, seed=7) | settings
    result = jaxhop.search(fn, space, **settings)
    history = result.history
    points = [history.params(row)["x"] for row in history.stored]
    (chunk, devices), = made
    return dict(
        values=history["value"], best=result.best["x"], best_value=result.best_value,
        points=np.stack(points), chunk=chunk, devices=devices, stop=result.stop_reason,
    )

def save(path, results):
    flat = {{f"{{name}}/{{key}}": value for name, result in results.items()
             for key, value in result.items()}}
    np.savez(path, **flat)
"""

ON_EIGHT = """
devices = jax.devices()
assert len(devices) == 8
save(sys.argv[1], {
    "wide 1": found(wide, WIDE, devices=devices[:1]),
    "wide 2": found(wide, WIDE, devices=devices[:2]),
    "wide 8": found(wide, WIDE),
    "product 1": found(product, PRODUCT, devices=devices[3]),
    "product 8": found(product, PRODUCT, devices=devices[::-1]),
})
"""

ON_TWO_PROCESSES = """
number, port = int(sys.argv[2]), sys.argv[3]
jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.distributed.initialize(f"127.0.0.1:{port}", num_processes=2, process_id=number)
assert (len(jax.devices()), len(jax.local_devices())) == (4, 2)
wide_one = found(wide, WIDE, progress=True)
timed = found(wide, WIDE, evaluations=None, runtime=0.5)
save(sys.argv[1], {"wide": wide_one, "timed": timed})
"""


def load(path):
    """Results by name, each a dict."""
    results = {}
    with np.load(path) as file:
        for name in file.files:
            problem, key = name.split("/")
            results.setdefault(problem, {})[key] = file[name]
    return results


@pytest.fixture(scope="module")
def on_eight(tmp_path_factory):
    path = tmp_path_factory.mktemp("devices") / "results.npz"
    run(PROBLEMS + ON_EIGHT, path, devices=8)
    return load(path)


@pytest.fixture(scope="module")
def on_two_processes(tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    paths = [tmp_path_factory.mktemp("process") / "results.npz" for _ in range(2)]
    written = finish(
        *(
            start(PROBLEMS + ON_TWO_PROCESSES, path, number, port, devices=2)
            for number, path in enumerate(paths)
        )
    )
    return [load(path) for path in paths], [error for _, error in written]


def assert_same(one, two):
    for key in ("values", "points", "best", "best_value"):
        np.testing.assert_array_equal(one[key], two[key])


@pytest.mark.parametrize("name", ["wide 2", "wide 8"])
def test_the_number_of_devices_changes_nothing(on_eight, name):
    assert on_eight[name]["devices"] == int(name[-1])
    assert len(on_eight[name]["values"]) == EVALUATIONS
    assert_same(on_eight[name], on_eight["wide 1"])


def test_the_search_got_somewhere(on_eight):
    result = on_eight["wide 1"]
    assert len(result["points"]) > 3
    assert result["best_value"] == result["values"].min() < result["values"][0]


def test_matrix_products_may_differ_in_the_last_bits_but_candidates_do_not(on_eight):
    one, eight = on_eight["product 1"], on_eight["product 8"]
    assert (one["devices"], eight["devices"]) == (1, 8)
    assert one["points"].shape == (EVALUATIONS, 16)
    np.testing.assert_array_equal(one["points"], eight["points"])
    np.testing.assert_allclose(one["values"], eight["values"], rtol=1e-6)


def test_the_chunk_does_not_depend_on_the_devices(on_eight):
    chunks = [int(on_eight[f"wide {number}"]["chunk"]) for number in (1, 2, 8)]
    assert len(set(chunks)) == 1 and 1 < chunks[0] < POPULATION
    assert on_eight["product 1"]["chunk"] == on_eight["product 8"]["chunk"] == POPULATION


def test_two_processes_are_one_search(on_eight, on_two_processes):
    for process in on_two_processes[0]:
        assert process["wide"]["devices"] == 4
        assert_same(process["wide"], on_eight["wide 1"])


def test_processes_stop_together_when_time_is_up(on_two_processes):
    one, two = (process["timed"] for process in on_two_processes[0])
    assert one["stop"] == two["stop"] == "runtime"
    assert len(one["values"]) > POPULATION
    assert_same(one, two)


def test_the_first_process_alone_shows_progress(on_two_processes):
    first, second = on_two_processes[1]
    assert "anneal" in first and "evals" in first
    assert "anneal" not in second and "evals" not in second
