"""Fidelities: the leaf, and asynchronous successive halving."""

import itertools
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import tree_leaves_with_path

from jaxhop._fidelity import halving
from jaxhop.algorithms._sequential import Proposals
from jaxhop.space._fidelity import Fidelity, find, put


@pytest.mark.parametrize(
    ("arguments", "rungs"),
    [
        ((1, 81), (1, 3, 9, 27, 81)),
        ((1, 100), (1, 3, 10, 32, 100)),
        ((3, 4), (3, 4)),
        ((2, 64, 2), (2, 4, 8, 16, 32, 64)),
        ((1, 3, 2), (1, 2, 3)),
        ((np.int32(1), np.int64(9)), (1, 3, 9)),
        ((0.25, 1, 2), (0.25, 0.5, 1)),
    ],
)
def test_rungs_lead_from_low_to_high(arguments, rungs):
    fidelity = Fidelity(*arguments)
    assert fidelity.rungs == rungs
    assert {type(rung) for rung in rungs[:-1]} == {type(rung) for rung in fidelity.rungs[:-1]}


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((9, 1), ValueError, "`fidelity(9, 1, eta=3)`: `0 < low < high` must hold"),
        ((0, 9), ValueError, "`0 < low < high` must hold"),
        ((3, 3), ValueError, "`0 < low < high` must hold"),
        ((1, 9, 1), ValueError, "`eta >= 2` must hold"),
        ((1, "all"), TypeError, "`high` must be a number"),
        ((1, np.inf), ValueError, "must be finite"),
        ((1, [3, 9]), TypeError, "must be one number"),
        ((True, 9), TypeError, "`low` must be a number"),
    ],
)
def test_wrong_fidelities_are_refused(arguments, error, text):
    with pytest.raises(error) as caught:
        Fidelity(*arguments)
    assert text in str(caught.value)


def test_values_are_checked():
    Fidelity(1, 9).validate(np.int32(9))
    Fidelity(0.5, 9).validate(3)
    with pytest.raises(ValueError, match=r"`fidelity\(1, 9, eta=3\)`: `low <= value <= high`"):
        Fidelity(1, 9).validate(10)
    with pytest.raises(TypeError, match="an int must be given"):
        Fidelity(1, 9).validate(2.5)


def test_equal_fidelities_are_equal():
    assert Fidelity(1, 9) == Fidelity(1, 9) != Fidelity(1, 9, 2)
    assert len({Fidelity(1, 9), Fidelity(1, 9)}) == 1


def test_there_is_one_fidelity_at_most():
    assert find([1, "a"]) is None
    assert find([1, Fidelity(1, 9)]) == 1
    with pytest.raises(ValueError, match="one fidelity at most"):
        find([Fidelity(1, 9), 3, Fidelity(1, 3)])


class Pair(NamedTuple):
    left: Any
    right: Any


def test_a_value_is_put_into_any_pytree():
    tree = {"a": [1, Pair(2, {"epochs": 3})], "b": np.ones(2)}
    paths = {leaf: path for path, leaf in tree_leaves_with_path(tree) if np.ndim(leaf) == 0}
    new = put(tree, paths[3], 27)
    assert new["a"] == [1, Pair(2, {"epochs": 27})] and new["b"] is tree["b"]
    assert tree["a"][1].right == {"epochs": 3}
    assert put({"epochs": 1}, tree_leaves_with_path({"epochs": 1})[0][0], jnp.int32(2)) == {
        "epochs": 2
    }


def numbered(start: float = 0.0, drawn: bool = False):
    """An algorithm that proposes the numbers after those that it was told."""

    def ask(state, key, progress, n, screen):
        x = start + len(state) + np.arange(n + 2, dtype=np.float64)
        return Proposals(
            (x,),
            (x,),
            np.full(n + 2, drawn),
            np.full(n + 2, 2, np.int8),
            np.ones(n + 2, np.float32),
        )

    def tell(state, points, values):
        return state + tuple(values), values < np.inf

    return SimpleNamespace(init=lambda: (), ask=ask, tell=tell)


def scattered():
    """An algorithm that proposes any numbers up to 100."""

    def ask(state, key, progress, n, screen):
        proposals = numbered().ask((), key, progress, n, screen)
        return proposals._replace(points=(np.random.default_rng(key).uniform(0, 100, n + 2),))

    return SimpleNamespace(init=lambda: (), ask=ask, tell=numbered().tell)


def run(search, evaluate, steps, slots=1, seed=0):
    """What came of a search: its trials (x, rung, id, value) in the order of their ends."""
    rng, state = np.random.default_rng(seed), search.init()
    done, number = [], 1
    running = [(0.0, search.first(steps), 0)]
    for step in range(steps):
        while len(running) < min(slots, steps - step):
            pairs = [(own, rung) for _, rung, own in running]
            asked = search.ask(state, [seed, number], step / steps, 1, False, pairs)
            x, rung, own = asked.proposals.points[0][0], int(asked.rungs[0]), int(asked.ids[0])
            own, number = (own, number) if own >= 0 else (number, number + 1)
            running.append((x, rung, own))
        x, rung, own = running.pop(int(rng.integers(len(running))))
        value = evaluate(x, search.fidelities[rung])
        state, _ = search.tell(state, (np.array([x]),), [rung], [own], [value])
        done.append((x, rung, own, value))
    return state, done


def distance(x, epochs):
    return abs(x - 70) + 30 / epochs


@pytest.mark.parametrize("slots", [1, 4])
def test_each_rung_gets_the_best_share_of_the_one_below(slots):
    _, done = run(halving(scattered(), Fidelity(1, 27)), distance, 200, slots)
    counts = [sum(rung == own for _, own, _, _ in done) for rung in range(4)]
    assert counts[3] >= 3
    for lower, upper in itertools.pairwise(counts):
        assert lower / 3 - slots - 1 <= upper <= lower / 3
    best = [x for x, rung, _, _ in done if rung == 3]
    assert min(abs(x - 70) for x in best) < 5


def test_a_candidate_climbs_with_its_point_and_number_and_never_twice():
    _, done = run(halving(scattered(), Fidelity(1, 27)), distance, 200, slots=4)
    assert len({(rung, own) for _, rung, own, _ in done}) == len(done)
    where = {}
    for x, rung, own, _ in done:
        assert where.setdefault(own, (x, -1)) == (x, rung - 1)
        where[own] = (x, rung)


def test_promotions_come_first_and_new_candidates_after_them():
    search = halving(numbered(), Fidelity(1, 9))
    state = search.init()
    points = (np.array([5.0, 6, 7, 8, 9, 10]),)
    state, accepted = search.tell(state, points, [0] * 6, range(6), [3.0, 1, 2, 9, 9, np.nan])
    assert accepted.tolist() == [True] * 5 + [False]
    asked = search.ask(state, None, 0.1, 2)
    assert asked.rungs.tolist() == [1, 1, 0, 0, 0, 0]
    assert asked.ids.tolist() == [1, 2, -1, -1, -1, -1]
    assert asked.proposals.points[0].tolist() == [6, 7, 6, 7, 8, 9]
    assert asked.proposals.origins[0].tolist()[:2] == [6, 7]
    assert search.ask(state, None, 0.1, 2, False, [(1, 1)]).ids.tolist() == [2, -1, -1, -1, -1]
    # The promoted one fails: it is not promoted again, nor from where it failed.
    state, _ = search.tell(state, (np.array([6.0]),), [1], [1], [np.inf])
    assert search.ask(state, None, 0.1, 2).ids.tolist() == [2, -1, -1, -1, -1]


def test_nothing_is_changed_by_asking_or_telling():
    search = halving(numbered(), Fidelity(1, 9))
    before, _ = search.tell(search.init(), (np.arange(4.0),), [0] * 4, range(4), np.ones(4))
    copies = [table.promoted.copy() for table in before.rungs]
    search.tell(before, (np.zeros(1),), [1], [0], [0.5])
    assert search.ask(before, None, 0.0, 1).ids[0] == 0
    for table, copy in zip(before.rungs, copies, strict=True):
        np.testing.assert_array_equal(table.promoted, copy)


def test_proposals_come_from_the_highest_rung_that_knows_enough():
    def first(search, rungs):
        number = len(rungs)
        points = (np.arange(number) * 1.0,)
        state, _ = search.tell(search.init(), points, rungs, range(number), np.ones(number))
        return search.ask(state, None, 0.0, 1).proposals.points[0][-1]

    search = halving(numbered(), Fidelity(1, 9, 10))
    assert first(search, [0] * 50 + [1] * 7) == 52
    assert first(search, [0] * 50 + [1] * 8) == 10
    # An upper rung that draws would draw what was drawn.
    assert first(halving(numbered(drawn=True), Fidelity(1, 9, 10)), [0] * 50 + [1] * 8) == 52


@pytest.mark.parametrize("slots", [1, 3])
def test_something_reaches_full_fidelity_however_short_the_search(slots):
    for steps in range(4, 40, 5):
        _, done = run(halving(numbered(), Fidelity(1, 243)), distance, steps, slots)
        full = [x for x, rung, _, _ in done if rung == 5]
        assert full, steps


def test_late_in_a_search_the_best_of_the_highest_rung_goes_straight_to_full_fidelity():
    search = halving(numbered(), Fidelity(1, 81))
    state, _ = search.tell(
        search.init(), (np.arange(4.0),), [0, 0, 1, 1], [0, 1, 2, 3], [1.0, 2.0, 5.0, 4.0]
    )
    late = search.ask(state, None, 0.5, 2)
    assert late.ids.tolist()[:2] == [3, -1] and late.rungs.tolist()[:2] == [4, 0]
    assert search.ask(state, None, 0.5, 2, False, [(9, 4)]).rungs.tolist()[0] < 4
    assert search.ask(state, None, 0.4, 2).rungs.tolist()[0] < 4


def test_what_goes_straight_to_full_fidelity_may_fail():
    def evaluate(x, epochs):
        return np.inf if epochs == 81 and x < 3 else x

    _, done = run(halving(numbered(), Fidelity(1, 81)), evaluate, 16)
    full = [x for x, rung, _, _ in done if rung == 4]
    assert full[-1] >= 3 and len(full) >= 2


def test_tiny_searches_begin_at_full_fidelity():
    search = halving(numbered(), Fidelity(1, 81))
    assert search.fidelities[search.first(1)] == search.fidelities[search.first(10)] == 81
    assert search.first(11) == search.first(None) == 0


def test_what_is_kept_is_bounded():
    state, _ = run(halving(numbered(), Fidelity(1, 3)), distance, 1000)
    assert [int(table.told) for table in state.rungs] == [750, 250]
    assert len(state.rungs[0].ids) == 256


def random_search(rng):
    def ask(state, key, progress, n, screen):
        x = rng.uniform(-1, 1, (n, 4))
        return Proposals((x,), (x,), np.ones(n, bool), np.ones(n, np.int8), np.ones(n, np.float32))

    return SimpleNamespace(
        init=lambda: (), ask=ask, tell=lambda state, points, values: (state, values < np.inf)
    )


def curve(x, epochs):
    """A learning curve whose start says something of its end, but not all."""
    end = float(np.sum((x - 0.3) ** 2))
    return end + 3 * np.exp(-epochs * (0.05 + 0.02 * x[0])) + 0.2 * np.sin(7 * x[1]) / epochs


def test_halving_finds_more_than_full_evaluations_of_the_same_cost():
    cost, plain, halved = 30 * 81, [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        plain.append(min(curve(x, 81) for x in rng.uniform(-1, 1, (30, 4))))
        search = halving(random_search(rng), Fidelity(1, 81))
        state, spent, number, full = search.init(), 0.0, 0, []
        while spent < cost:
            asked = search.ask(state, None, spent / cost, 1)
            x, rung, own = asked.proposals.points[0][0], int(asked.rungs[0]), int(asked.ids[0])
            own, number = (own, number) if own >= 0 else (number, number + 1)
            value = curve(x, search.fidelities[rung])
            spent += search.fidelities[rung]
            state, _ = search.tell(state, (x[None],), [rung], [own], [value])
            full += [value] if rung == 4 else []
        halved.append(min(full))
    assert np.mean(halved) < 0.6 * np.mean(plain)
