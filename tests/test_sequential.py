"""The algorithm for few and dear evaluations: what it asks, keeps, learns and finds."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import jaxhop
from jaxhop._trials import PHASES
from jaxhop.algorithms._sequential import Proposals, Sequential, SequentialState, sequential
from jaxhop.space import Space
from jaxhop.space._features import features

EXPLORE, ANNEAL = PHASES.index("explore"), PHASES.index("anneal")
MIXED = {
    "lr": jaxhop.float(1e-5, 1e-1, "0.1g"),
    "width": jaxhop.int(8, 256, log=True),
    "kind": jaxhop.choice("a", "b", "c"),
    "depth": jaxhop.choice(1, 2, 4, 8, ordinal=True),
}


def key(turn: int, seed: int = 0) -> np.ndarray:
    return np.array([seed, turn], np.uint32)


def rows(points: Any, which: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[which], points)


def row(points: Any, which: int) -> Any:
    return rows(points, slice(which, which + 1))


def first(space: Space) -> Any:
    return jax.tree.map(lambda leaf: np.asarray(leaf)[None], space.initial())


def search(
    value: Callable[[Any], float], space: Space, evaluations: int, *, screen: bool, seed: int = 0
) -> list[float]:
    """Values of a whole search, from the initial point on, without duplicates."""
    algorithm = sequential(space, evaluations=evaluations)
    state, points = algorithm.init(), first(space)
    values, seen, turn = [], set(), 0
    while len(values) < evaluations:
        for which in range(min(16, len(jax.tree.leaves(points)[0]))):
            (candidate,) = space.to_python_many(row(points, which))
            if repr(candidate) not in seen:
                seen.add(repr(candidate))
                values.append(value(candidate))
                state, _ = algorithm.tell(state, row(points, which), np.array(values[-1:]))
                break
        turn += 1
        assert turn < 3 * evaluations
        points = algorithm.ask(state, key(turn, seed), turn / evaluations, 1, screen).points
    return values


def told(
    algorithm: Sequential, space: Space, values: Any, seed: int = 0
) -> tuple[SequentialState, Any]:
    """A state after some values of random points, and these points."""
    draw = jax.jit(jax.vmap(lambda own: space.draw(own)))
    keys = np.random.default_rng(seed).integers(2**32, size=(len(values), 2), dtype=np.uint32)
    points = jax.tree.map(np.asarray, draw(keys))
    state, _ = algorithm.tell(algorithm.init(), points, np.asarray(values, float))
    return state, points


def same(these: Any, those: Any) -> bool:
    pairs = zip(jax.tree.leaves(these), jax.tree.leaves(those), strict=True)
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in pairs)


def keys_of(space: Space, points: Any) -> list[str]:
    return [repr(candidate) for candidate in space.to_python_many(points)]


def table(candidate: Any) -> float:
    """Best at lr 0.03, width 200, kind c, depth 2; the start is 2.9."""
    rate = np.log10(candidate["lr"] / 0.03) ** 2
    width = np.log2(candidate["width"] / 200) ** 2 / 10
    kind = {"a": 0.6, "b": 1.0, "c": 0.0}[candidate["kind"]]
    return float(rate + width + kind + 0.2 * abs(np.log2(candidate["depth"]) - 1))


@pytest.fixture(scope="module")
def mixed() -> tuple[Space, Sequential]:
    space = Space(MIXED)
    return space, sequential(space, evaluations=100)


def test_a_screened_search_finds_the_best_of_a_mixed_space_in_thirty_evaluations():
    values = search(table, Space(MIXED), 30, screen=True)
    assert values[0] > 2
    assert min(values) < 0.15
    assert min(search(table, Space(MIXED), 30, screen=False)) > min(values)


def test_screening_is_precise_on_numbers():
    space = Space({"x": jaxhop.float(0, 1, shape=(4,))})
    best = np.array([0.2, 0.71, 0.9, 0.33])
    values = search(lambda c: float(np.sum((c["x"] - best) ** 2)), space, 50, screen=True)
    assert values[0] > 0.2 and min(values) < 1e-4


def test_an_unscreened_search_closes_in_on_the_best():
    space = Space({"x": jaxhop.float(0, 1, shape=(4,))})
    best = np.array([0.2, 0.71, 0.9, 0.33])
    values = search(lambda c: float(np.sum((c["x"] - best) ** 2)), space, 300, screen=False)
    assert min(values) < 1e-4 < 1e-3 < min(values[:40])


def test_a_conditional_space_is_searched_in_the_right_branch():
    space = Space(
        {
            "model": jaxhop.choice(
                {"kind": "line", "c": jaxhop.float(1e-3, 1e3, log=True)},
                {"kind": "tree", "depth": jaxhop.int(1, 20), "rate": jaxhop.float(0, 1)},
                {"kind": "none"},
            )
        }
    )

    def value(candidate: Any) -> float:
        model = candidate["model"]
        if model["kind"] == "line":
            return 1 + abs(np.log10(model["c"]) - 2)
        if model["kind"] == "none":
            return 1.5
        return abs(model["depth"] - 15) / 20 + (model["rate"] - 0.8) ** 2

    assert min(search(value, space, 40, screen=True)) < 0.06


def test_ask_depends_on_its_arguments_only_and_changes_nothing(mixed):
    space, algorithm = mixed
    state, _ = told(algorithm, space, np.arange(20.0))
    before = jax.tree.map(np.copy, state)
    for screen in (False, True):
        asked = algorithm.ask(state, key(5), 0.2, 3, screen)
        assert same(asked, algorithm.ask(state, key(5), 0.2, 3, screen))
        assert not same(asked.points, algorithm.ask(state, key(6), 0.2, 3, screen).points)
    again = sequential(space, evaluations=100)
    assert same(asked, again.ask(state, key(5), 0.2, 3, True))
    assert same(state, before)


def test_proposals_are_legal_new_and_more_than_were_asked_for(mixed):
    space, algorithm = mixed
    state, points = told(algorithm, space, np.random.default_rng(0).random(30))
    for screen in (False, True):
        asked = algorithm.ask(state, key(1), 0.3, 4, screen)
        length = len(asked.phase)
        assert length >= 8
        assert all(len(leaf) == length for leaf in jax.tree.leaves(asked))
        for candidate in space.to_python_many(asked.points):
            space.validate(candidate)
        assert np.all((asked.temperature > 0) & (asked.temperature <= 1))
        origins = keys_of(space, rows(asked.origins, np.flatnonzero(~asked.drawn)))
        assert origins and set(origins) <= set(keys_of(space, points))
        drawn = np.flatnonzero(asked.drawn)
        assert same(rows(asked.points, drawn), rows(asked.origins, drawn))
    known = set(keys_of(space, points))
    screened = keys_of(space, asked.points)
    assert known.isdisjoint(screened) and len(set(screened)) == len(screened)


def test_the_first_tenth_is_spread_evenly():
    space = Space({"x": jaxhop.float(0, 1), "y": jaxhop.float(0, 1)})
    algorithm = sequential(space, evaluations=160)
    state, points = algorithm.init(), first(space)
    xs = []
    for turn in range(16):
        state, _ = algorithm.tell(state, points, np.array([1.0]))
        asked = algorithm.ask(state, key(turn), turn / 160, 1)
        assert asked.drawn[0] == (asked.phase[0] == EXPLORE) == (turn < 15)
        points = row(asked.points, 0)
        xs.append(space.to_python_many(points)[0]["x"])
    # One more point, the sequence's first, was left to the initial one.
    assert len({int(x * 16) for x in xs[:15]}) == 15


def test_another_seed_explores_elsewhere(mixed):
    _, algorithm = mixed
    asked = [algorithm.ask(algorithm.init(), key(0, seed), 0.0, 4).points for seed in (0, 1)]
    assert not same(*asked)


def test_steps_shrink_with_progress_and_with_failure():
    space = Space({"x": jaxhop.float(0, 1, shape=(3,))})

    def spread(asked: Proposals) -> float:
        away = asked.points[0] - asked.origins[0]
        return float(np.median(np.abs(away[away != 0])))

    algorithm = sequential(space, evaluations=2000)
    state, _ = told(algorithm, space, np.arange(2.0))
    early = algorithm.ask(state._replace(told=np.int64(300)), key(0), 0.15, 200)
    late = algorithm.ask(state._replace(told=np.int64(1900)), key(0), 0.95, 200)
    assert spread(late) < spread(early) / 10
    assert late.temperature[0] < early.temperature[0]
    state = state._replace(told=np.int64(300))
    worse, _ = algorithm.tell(state, row(early.points, 0), np.array([9.0]))
    better, _ = algorithm.tell(state, row(early.points, 0), np.array([-9.0]))
    assert worse.reach < state.reach < better.reach


def test_points_under_way_are_neither_asked_for_again_nor_approached(mixed):
    space, algorithm = mixed
    state, _ = told(algorithm, space, np.random.default_rng(1).random(29))
    alone = algorithm.ask(state, key(1), 0.3, 1, True)
    pending = row(alone.points, 0)
    other = algorithm.ask(state, key(1), 0.3, 1, True, pending)
    assert set(keys_of(space, pending)).isdisjoint(keys_of(space, other.points))
    exploring = algorithm.init()
    one = algorithm.ask(exploring, key(1), 0.0, 1).points
    two = algorithm.ask(exploring, key(2), 0.0, 1, False, row(one, 0)).points
    assert same(row(one, 1), row(two, 0))


def test_several_screened_candidates_are_not_all_in_one_place():
    space = Space({"x": jaxhop.float(0, 1), "y": jaxhop.float(0, 1)})
    algorithm = sequential(space, evaluations=100)
    _, points = told(algorithm, space, np.zeros(12))
    values = [(c["x"] - 0.3) ** 2 + (c["y"] - 0.3) ** 2 for c in space.to_python_many(points)]
    state, _ = algorithm.tell(algorithm.init(), points, values)
    asked = space.to_python_many(algorithm.ask(state, key(1), 0.2, 4, True).points)
    four = np.array([[candidate["x"], candidate["y"]] for candidate in asked[:4]])
    apart = np.linalg.norm(four[:, None] - four, axis=-1)[np.triu_indices(4, 1)]
    assert apart.min() > 1e-3


def test_failures_rank_last_and_never_become_parents(mixed):
    space, algorithm = mixed
    values = np.r_[np.inf, np.nan, 3.0, np.inf, 2.0, np.nan, 5.0, 4.0]
    state, points = told(algorithm, space, values)
    assert state.values.min() == 2.0 and not np.isnan(state.values).any()
    origins = {
        origin
        for turn in range(10, 14)
        for asked in [algorithm.ask(state._replace(told=np.int64(50)), key(turn), 0.5, 4)]
        for origin in keys_of(space, asked.origins)
    }
    assert origins == {keys_of(space, points)[4]}
    assert algorithm.ask(state, key(0), 0.3, 1, True).points is not None


def test_as_long_as_all_fail_candidates_come_from_anywhere(mixed):
    space, algorithm = mixed
    state, _ = told(algorithm, space, np.full(40, np.inf))
    for screen in (False, True):
        assert np.all(algorithm.ask(algorithm.learn(state), key(0), 0.4, 3, screen).drawn)


def test_accepted_are_those_that_the_search_goes_on_from(mixed):
    space, algorithm = mixed
    state, points = told(algorithm, space, np.array([3.0, 4.0]))
    _, accepted = algorithm.tell(state, points, [5.0, 2.0])
    assert accepted.tolist() == [False, True]
    _, accepted = algorithm.tell(state, points, [np.nan, np.inf])
    assert accepted.tolist() == [False, False]


def test_the_best_and_the_newest_are_kept_whatever_the_order_and_number():
    space = Space({"x": jaxhop.float(0, 1)})
    algorithm = sequential(space, evaluations=5000)
    values = np.random.default_rng(0).permutation(np.arange(1000.0))
    points = (np.linspace(0, 1, 1000, dtype=np.float32),)
    at_once, _ = algorithm.tell(algorithm.init(), points, values)
    single = algorithm.init()
    for which in range(1000):
        single, _ = algorithm.tell(single, row(points, which), values[which : which + 1])
    for state in (at_once, single):
        assert state.told == 1000
        assert set(range(100)) <= set(state.values.tolist())
        newest = set(range(900, 1000))
        assert newest <= set(state.numbers.tolist())
        assert np.array_equal(state.points[0], points[0][state.numbers])
        assert np.array_equal(state.values, values[state.numbers])
        assert jax.tree.map(np.shape, state) == jax.tree.map(np.shape, algorithm.init())


def test_learning_by_and_by_is_what_ask_does_by_itself(mixed):
    space, algorithm = mixed
    state, _ = told(algorithm, space, np.random.default_rng(2).random(20))
    learned = algorithm.learn(state)
    assert learned.learned == 20 and not same(learned.settings, state.settings)
    assert same(algorithm.learn(learned), learned)
    asked = algorithm.ask(state, key(3), 0.2, 2, True)
    assert same(asked, algorithm.ask(learned, key(3), 0.2, 2, True))


def test_what_cannot_be_modelled_is_not_screened():
    angle = jaxhop.custom(
        sample=lambda key: jax.random.uniform(key), mutate=lambda key, value: 1 - value
    )
    assert not sequential({"angle": angle}).screens
    assert not sequential({"w": jaxhop.float(-1, 1, shape=(2000,))}).screens
    assert sequential({"w": jaxhop.float(-1, 1), "angle": angle}).screens
    blind = sequential({"angle": angle}, evaluations=50)
    asked = blind.ask(blind.init(), key(0), 0.0, 2, True)
    assert len(asked.phase) >= 2 and np.all(asked.drawn)


def test_a_search_without_a_number_of_evaluations_goes_by_progress(mixed):
    space, _ = mixed
    algorithm = sequential(space)
    state, _ = told(algorithm, space, np.arange(40.0))
    assert algorithm.ask(state, key(0), 0.05, 1).phase[0] == EXPLORE
    assert algorithm.ask(state, key(0), 0.0, 1).phase[0] == EXPLORE
    assert algorithm.ask(state, key(0), 0.5, 1).phase[0] == ANNEAL


def test_a_finite_space_is_used_up():
    space = Space({"kind": jaxhop.choice("a", "b", "c"), "fast": jaxhop.bool()})
    algorithm = sequential(space, evaluations=10)
    candidates = [{"kind": kind, "fast": fast} for kind in "abc" for fast in (False, True)]
    points = jax.tree.map(lambda *part: np.stack(part), *map(space.encode, candidates))
    state, _ = algorithm.tell(algorithm.init(), rows(points, slice(4)), np.arange(4.0))
    state = state._replace(told=np.int64(5))  # the next turn is the model's
    asked = algorithm.ask(state, key(0), 0.5, 1, True)
    assert sorted(keys_of(space, asked.points)) == sorted(
        keys_of(space, rows(points, slice(4, 6)))
    )
    state, _ = algorithm.tell(state, rows(points, slice(4, 6)), np.arange(2.0))
    assert len(algorithm.ask(state._replace(told=np.int64(6)), key(1), 0.6, 1, True).phase) == 0


def test_a_large_point_is_kept_in_few_copies():
    space = Space({"w": jaxhop.float(-1, 1, shape=(2_000_000,))})
    state = sequential(space, evaluations=10).init()
    assert len(state.values) == 8


def test_features_are_shares_of_ranges_and_options_are_equally_far_apart():
    space = Space(
        {
            "a": jaxhop.float(2, 4),
            "b": jaxhop.float(1e-4, 1, log=True),
            "c": jaxhop.float(scale=0.5),
            "d": jaxhop.int(4, 12, multiple_of=4),
            "e": jaxhop.int(1, 64, power_of=2),
            "f": jaxhop.choice(1, 2, 3, ordinal=True),
            "g": jaxhop.choice("x", "y"),
            "h": jaxhop.choice("x", "y", "z"),
        }
    )
    described = features(space)
    assert described.whole and len(described.groups) == 7 + 3
    assert described.groups.max() == 7

    def of(**change: Any) -> np.ndarray:
        start = {"a": 3.5, "b": 1e-3, "c": 1.0, "d": 8, "e": 8, "f": 3, "g": "y", "h": "x"}
        return np.asarray(described.of(space.encode(start | change)))

    shares = sorted(of()[:-3].tolist())
    options = sorted(of()[-3:].tolist())
    wanted = [0.75, 0.25, 0.5, 0.5, 0.5, 1.0, 1.0]
    everything = sorted([*shares, *options])
    assert everything == pytest.approx(sorted([*wanted, 0, 0, 0.5**0.5]), abs=1e-5)
    for pair in (("x", "y"), ("y", "z"), ("x", "z")):
        one, other = (of(h=option) for option in pair)
        assert np.sum((one - other) ** 2) == pytest.approx(1, abs=1e-5)


def test_features_of_what_is_not_used_are_the_same_whatever_it_is():
    space = Space({"m": jaxhop.choice({"kind": "a", "u": jaxhop.float(0, 1)}, {"kind": "b"})})
    of = features(space).of
    draw = jax.jit(jax.vmap(lambda own: space.draw(own)))
    points = draw(np.random.default_rng(0).integers(2**32, size=(64, 2), dtype=np.uint32))
    x = np.asarray(jax.vmap(of)(points))
    kinds = np.array([c["m"]["kind"] for c in space.to_python_many(points)])
    assert len(np.unique(x[kinds == "b"], axis=0)) == 1
    assert len(np.unique(x[kinds == "a"], axis=0)) == np.sum(kinds == "a") > 1


def test_features_of_permutations_count_the_places_that_differ():
    space = Space({"order": jaxhop.permutation(6)})
    of = features(space).of
    one, other = np.arange(6, dtype=np.int32), np.array([1, 0, 2, 3, 4, 5], np.int32)
    distance = np.sum((np.asarray(of((one,))) - np.asarray(of((other,)))) ** 2)
    assert distance == pytest.approx(2 / 6)
