"""Several devices and several processes: the same search as on one device."""

import socket

import numpy as np
import pytest
from processes import finish, run, start

POPULATION = 20  # no multiple of 8
EVALUATIONS = 190  # no multiple of the population
FIRST_ROUND = 19  # candidates of search gradients: the mean and nine pairs
NUMBERS = 20_000

PROBLEMS = f"""
import math, re, sys
import jax, jax.numpy as jnp, numpy as np, jaxhop
from jaxhop import _compile, _jax_search
from jaxhop.algorithms import annealed_mcmc, covariance_adaptation, search_gradient

made, programs, states = [], [], []

class Recorded(_compile.Rounds):
    def __init__(self, algorithm, objective, space, population, chunk, mesh):
        made.append((chunk, 1 if mesh is None else mesh.size))
        super().__init__(algorithm, objective, space, population, chunk, mesh)

_compile.Rounds = Recorded
compile, run = _compile.compiled, _jax_search.run

def compiled(lowered, platform):
    program = compile(lowered, platform)
    programs.append(program.as_text())
    return program

def watched(*arguments):
    for report in run(*arguments):
        if isinstance(report, _jax_search.Last):
            states.append(report.carry.state)
        yield report

_compile.compiled, _jax_search.run = compiled, watched

COLLECTIVE = (r"= (.*?) (all-reduce|all-gather|all-to-all|reduce-scatter|collective-permute"
              r"|collective-broadcast)(?:-start)?\\(")

def moved(text):
    # What the collectives of a program make: their names, and how many numbers each.
    found = re.findall(COLLECTIVE, text)
    sizes = [
        sum(math.prod(map(int, filter(None, shape.split(","))))
            for shape in re.findall(r"\\w+\\[([\\d,]*)\\]", result))
        for result, _ in found
    ]
    return [name for _, name in found], sizes

def wide(params):
    return jnp.sum((params["x"] - 0.3) ** 2) + (params["n"] - 6) ** 2

WIDE = {{"x": jaxhop.float(-1, 1, shape=({NUMBERS},)), "n": jaxhop.int(1, 9)}}

matrix = np.random.default_rng(0).normal(size=(64, 16)).astype(np.float32)

def product(params):
    return jnp.mean(jnp.tanh(matrix @ params["x"] - 0.5) ** 2)

PRODUCT = {{"x": jaxhop.float(-1, 1, shape=(16,))}}

def found(fn, space, **settings):
    for notes in (made, programs, states):
        notes.clear()
    usual = dict(algorithm=annealed_mcmc(), seed=7)
    usual |= dict(population={POPULATION}, evaluations={EVALUATIONS})
    settings = usual | settings
    result = jaxhop.search(fn, space, **settings)
    history = result.history
    points = [history.params(row)["x"] for row in history.stored]
    (chunk, devices), = made
    collectives, sizes = moved(programs[-1])
    mean = getattr(states[-1], "mean", ())
    return dict(
        collectives=collectives, sizes=sizes, mean=np.concatenate([[0], *mean]),
        values=history["value"], best=result.best["x"], best_value=result.best_value,
        points=np.stack(points), chunk=chunk, devices=devices, stop=result.stop_reason,
    )

def smooth(x):
    return jnp.sum((x["x"] - 0.3) ** 2)

def furthest(x):
    # Unlike a sum it has the same bits whatever is computed beside it.
    return jnp.max((x["x"] - 0.3) ** 2)

def in_chunks(chunk, fn, x, **settings):
    chosen = _compile.chunk_for
    if chunk:
        _compile.chunk_for = lambda *_: chunk
    try:
        return found(fn, {{"x": x}}, **settings)
    finally:
        _compile.chunk_for = chosen

def gradient(chunk=None, **settings):
    return in_chunks(chunk, smooth, WIDE["x"], algorithm=search_gradient(), **settings)

def learned(chunk=None, **settings):
    x = jaxhop.float(-1, 1, shape=(12,))
    settings |= dict(algorithm=covariance_adaptation(), evaluations=900)
    return in_chunks(chunk, furthest, x, **settings)

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
    "gradient 1": gradient(devices=devices[:1]),
    "gradient 8": gradient(),
    "gradient by one": gradient(1, devices=devices[:1]),
    "gradient by all": gradient(64, devices=devices[:1]),
    "learned 1": learned(devices=devices[:1]),
    "learned 8": learned(),
    "learned by one": learned(1, devices=devices[:1]),
})
"""

ON_TWO_PROCESSES = """
number, port = int(sys.argv[2]), sys.argv[3]
jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.distributed.initialize(f"127.0.0.1:{port}", num_processes=2, process_id=number)
assert (len(jax.devices()), len(jax.local_devices())) == (4, 2)
wide_one = found(wide, WIDE, progress=True)
timed = found(wide, WIDE, evaluations=None, runtime=0.5)
save(sys.argv[1], {"wide": wide_one, "timed": timed, "gradient": gradient()})
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


def assert_same_but_for_sums(one, two):
    """Equal but for the order in which the update is added up: the first round, bit for bit."""
    np.testing.assert_array_equal(one["values"][:FIRST_ROUND], two["values"][:FIRST_ROUND])
    np.testing.assert_array_equal(one["points"][0], two["points"][0])
    for key in ("values", "best", "mean"):
        np.testing.assert_allclose(one[key], two[key], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["8", "by one", "by all"])
def test_search_gradients_are_the_same_on_more_devices_and_in_other_chunks(on_eight, name):
    one, other = on_eight["gradient 1"], on_eight[f"gradient {name}"]
    assert other["devices"] == (int(name) if name.isdigit() else 1)
    if not name.isdigit():
        assert other["chunk"] == {"by one": 1, "by all": 64}[name]
    assert len(one["values"]) == len(other["values"]) == EVALUATIONS
    assert len(one["mean"]) == 1 + NUMBERS
    assert_same_but_for_sums(one, other)


@pytest.mark.parametrize("name", ["8", "by one"])
def test_correlations_are_learned_the_same_on_more_devices_and_in_other_chunks(on_eight, name):
    one, other = on_eight["learned 1"], on_eight[f"learned {name}"]
    assert other["devices"] == (8 if name == "8" else 1)
    assert (one["chunk"] > 1) and (name == "8" or other["chunk"] == 1)
    assert one["best_value"] < one["values"][0] / 10, "it had time to learn"
    assert_same(one, other)


def collectives(result):
    return list(zip(result["collectives"].tolist(), result["sizes"].tolist(), strict=True))


def test_devices_exchange_values_only(on_eight):
    """Candidates are made where they are needed."""
    made = collectives(on_eight["wide 8"])
    assert made and max(size for _, size in made) <= 8 * POPULATION
    assert not collectives(on_eight["wide 1"])


def test_search_gradients_exchange_one_update_a_round(on_eight):
    made = collectives(on_eight["gradient 8"])
    large = [one for one in made if one[1] > 8 * POPULATION]
    assert {name for name, _ in large} == {"all-reduce"}
    assert sum(size for _, size in large) == NUMBERS
    assert len(made) > len(large), "the values themselves"
    assert not collectives(on_eight["gradient 1"])


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
        assert process["gradient"]["devices"] == 4
        assert_same_but_for_sums(process["gradient"], on_eight["gradient 1"])


def test_processes_stop_together_when_time_is_up(on_two_processes):
    one, two = (process["timed"] for process in on_two_processes[0])
    assert one["stop"] == two["stop"] == "runtime"
    assert len(one["values"]) > POPULATION
    assert_same(one, two)


def test_the_first_process_alone_shows_progress(on_two_processes):
    first, second = on_two_processes[1]
    assert "anneal" in first and "evals" in first
    assert "anneal" not in second and "evals" not in second
