"""Values that the user's own Python functions sample and mutate."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxhop
from jaxhop import _noise
from jaxhop.space import Float, Proposal, Space, Store

KEY = np.array([5, 6], np.uint32)


class Tour:
    """A value of a type of the user's own, which mutation changes in place."""

    def __init__(self, cities):
        self.cities = cities


def sample(rng):
    return Tour(rng.permutation(6).tolist())


def mutate(rng, tour, temperature):
    assert 0 < temperature <= 1
    i, j = rng.choice(6, 2, replace=False)
    tour.cities[i], tour.cities[j] = tour.cities[j], tour.cities[i]
    return tour


def space_of_tours():
    return Space(
        {
            "tour": jaxhop.custom(sample, mutate, init=Tour([0, 1, 2, 3, 4, 5]), python=True),
            "x": jaxhop.float(0, 1),
            "n": 3,
        }
    )


def drawn(space, number):
    draw = jax.jit(jax.vmap(lambda i: space.draw(_noise.fold_in(KEY, i))))
    return jax.device_get(draw(jnp.arange(number)))


def moved(space, origins, rate=0.5, salt=0):
    half = jnp.float32(0.5)
    proposal = Proposal(jnp.float32(rate), half, half, jnp.int32(-1))
    number = len(jax.tree.leaves(origins)[0])
    move = jax.jit(jax.vmap(lambda i, x: space.move(_noise.fold_in(KEY, i), x, proposal)))
    return jax.device_get(move(jnp.arange(number) + salt, origins))


def made(space, store, points, origins=None, temperature=0.5):
    number = len(jax.tree.leaves(points)[0])
    fresh = np.full(number, origins is None)
    heat = np.full(number, temperature, np.float32)
    return space.materialise(store, points, origins or points, fresh, heat)


def test_values_are_sampled_then_mutated_and_repeat():
    runs = []
    for _ in range(2):
        space, store = space_of_tours(), Store()
        first, tours, keys = made(space, store, drawn(space, 6))
        assert all(sorted(each["tour"].cities) == list(range(6)) for each in tours)
        assert len({str(each["tour"].cities) for each in tours}) > 3
        second = moved(space, first)
        points, children, _ = made(space, store, second, first)
        differ = [
            sum(a != b for a, b in zip(one["tour"].cities, other["tour"].cities, strict=True))
            for one, other in zip(tours, children, strict=True)
        ]
        assert set(differ) == {0, 2}  # a swap where the coordinate moved, nothing elsewhere
        again = space.to_python_many(first, store)
        assert [each["tour"].cities for each in again] == [each["tour"].cities for each in tours]
        resumed = Store(pickle.loads(pickle.dumps(store.values)))
        assert space.keys(points, resumed) == space.keys(points, store)
        runs.append((str([each["tour"].cities for each in children]), keys))
    assert runs[0] == runs[1]


def test_a_sample_that_never_varies_is_moved():
    def longer(rng, word):
        return word + rng.choice(list("abcdefgh"))

    space = {"word": jaxhop.custom(lambda rng: "", longer, python=True)}
    result = jaxhop.search(
        lambda params: abs(params["word"].count("a") - 4), space, evaluations=60, backend="python"
    )
    assert result.evaluations == 60 and result.best_value == 0


def test_a_candidate_that_is_changed_changes_no_other():
    space, store = space_of_tours(), Store()
    points, candidates, _ = made(space, store, drawn(space, 2))
    before = list(candidates[0]["tour"].cities)
    candidates[0]["tour"].cities.clear()
    assert space.to_python_many(points, store)[0]["tour"].cities == before
    start = space.to_python(space.initial())
    start["tour"].cities.clear()
    assert space.to_python(space.initial())["tour"].cities == [0, 1, 2, 3, 4, 5]


def test_equal_values_have_equal_keys():
    space = Space(
        jaxhop.custom(lambda rng: int(rng.integers(3)), lambda rng, value: value, python=True)
    )
    store = Store()
    _, values, keys = made(space, store, drawn(space, 30))
    assert set(values) == {0, 1, 2}
    assert len(set(zip(values, keys, strict=True))) == len(set(keys)) == 3


def test_given_candidates_are_kept_in_the_store():
    space, store = space_of_tours(), Store()
    candidate = {"tour": Tour([5, 4, 3, 2, 1, 0]), "x": 0.25}
    point = space.encode(candidate, store)
    assert space.to_python(point, store)["tour"].cities == [5, 4, 3, 2, 1, 0]
    with pytest.raises(ValueError, match="has coordinates in a store only"):
        space.encode(candidate)
    with pytest.raises(ValueError, match="Give the store that the points were made with"):
        space.to_python(point)
    for one, other in zip(space.encode(space.complete({})), space.initial(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_values_of_an_option_are_made_when_it_is_chosen():
    calls = []

    def counted(rng):
        calls.append("sample")
        return [int(rng.integers(10**9))]

    def appended(rng, value):
        calls.append("mutate")
        return [*value, int(rng.integers(10**9))]

    space = Space(
        jaxhop.choice({"list": jaxhop.custom(counted, appended, [0], python=True)}, "none")
    )
    store = Store()
    first, candidates, keys = made(space, store, drawn(space, 20))
    lists = sum(candidate != "none" for candidate in candidates)
    assert calls == ["sample"] * lists
    assert 0 < lists < 20
    assert len(set(keys)) == lists + 1
    points = first
    for turn in range(4):  # options come and go, and so do their values
        origins = points
        points, candidates, _ = made(space, store, moved(space, origins, 0.6, 100 * turn), origins)
    lengths = {len(candidate["list"]) for candidate in candidates if candidate != "none"}
    assert len(lengths) > 1


def test_any_type_takes_rules_of_its_own():
    space = Space(
        {
            "f": jaxhop.float(0, 1, sample=lambda rng: 0.25, mutate=lambda rng, value: value / 2),
            "i": jaxhop.int(0, 99, mutate=lambda rng, value, temperature: int(99 * temperature)),
            "c": jaxhop.choice("a", "b", "c", sample=lambda rng: rng.choice(["a", "c"])),
            "b": jaxhop.bool(sample=lambda rng: bool(rng.random() < 2)),
            "p": jaxhop.permutation(4, mutate=lambda rng, value: np.roll(value, 1)),
            "a": jaxhop.float(0, 8, shape=3, mutate=lambda rng, value: value * 0 + 1),
            "plain": jaxhop.float(0, 1),
        }
    )
    assert space.python
    store = Store()
    first, candidates, keys = made(space, store, drawn(space, 40))
    assert {each["f"] for each in candidates} == {0.25}
    assert {each["c"] for each in candidates} == {"a", "c"}
    assert {each["b"] for each in candidates} == {True}
    assert len({each["i"] for each in candidates}) > 20
    assert len(set(keys)) == 40
    second = moved(space, first)
    points, children, _ = made(space, store, second, first, temperature=1.0)
    assert {each["f"] for each in children} == {0.25, 0.125}
    for one, other in zip(candidates, children, strict=True):
        assert other["i"] in (one["i"], 99)
        assert list(other["p"]) in (list(one["p"]), list(np.roll(one["p"], 1)))
        assert list(other["a"]) in (list(one["a"]), [1, 1, 1])
    assert {tuple(each["a"]) for each in children} > {(1, 1, 1)}
    assert len({each["plain"] for each in children}) > 20
    assert space.to_python_many(points)[0]["f"] in (0.25, 0.125)  # no store is needed


def test_random_rules_draw_differently_even_in_a_small_space():
    space = Space(jaxhop.choice(*range(100), sample=lambda rng: int(rng.integers(100))))
    _, values, _ = made(space, Store(), drawn(space, 60))
    assert len(set(values)) > 30


REFUSED = {
    "illegal value": (
        lambda: rejected(lambda rng: 7.0),
        ValueError,
        '`space["opt"]["x"]`: `sample` returned 7.0, which is not legal.'
        " `float(low=0.0, high=1.0)`: `low <= value <= high` must hold, but got 7.0.",
    ),
    "wrong type": (
        lambda: rejected(lambda rng: "much"),
        TypeError,
        '`space["opt"]["x"]`: `sample` returned \'much\', which is not legal.',
    ),
    "no function": (
        lambda: jaxhop.int(0, 3, mutate=2),
        TypeError,
        "`mutate` must be a function, but got 2. Give mutate=lambda rng, value: ...",
    ),
    "custom without mutate": (
        lambda: jaxhop.custom(lambda rng: 0, None, python=True),
        TypeError,
        "`mutate` is missing. Give both functions.",
    ),
    "not picklable": (
        lambda: jaxhop.custom(
            lambda rng: (i for i in "ab"), lambda rng, value: value, python=True
        ),
        TypeError,
        "a value of type `generator` cannot be pickled",
    ),
    "a JAX objective": (
        lambda: jax.jit(lambda point: Space(Float(0, 1, sample=lambda rng: 0.5)).decode(point))(
            (jnp.float32(0),)
        ),
        TypeError,
        "some values are made by Python functions",
    ),
    "used entries": (
        lambda: jaxhop.int(0, 3, shape=2, active=lambda params: 1, sample=lambda rng: [1, 1]),
        ValueError,
        "`active` excludes `sample` and `mutate`",
    ),
}


def rejected(rule):
    space = Space({"opt": {"x": jaxhop.float(0, 1, sample=rule)}})
    made(space, Store(), drawn(space, 1))


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_with_the_rule_and_the_remedy(case):
    make, kind, words = REFUSED[case]
    with pytest.raises(kind) as refusal:
        make()
    assert words in str(refusal.value)
