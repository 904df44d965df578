"""Pruners: whom they end, what they remember, and what they refuse."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxhop.pruners import (
    MedianPruner,
    Pruner,
    QuantilePruner,
    SuccessiveHalvingPruner,
    TopKPruner,
)

ALL = [
    QuantilePruner(0.5, warmup=2),
    MedianPruner(warmup=2),
    TopKPruner(2),
    SuccessiveHalvingPruner(eta=2),
]


def told(pruner: Pruner, curves, state=None):
    """The state after trials that came to their ends."""
    state = pruner.init() if state is None else state
    for curve in curves:
        state = pruner.update(state, curve, curve[-1])
    return state


def flat(levels, length):
    return [(float(level),) * length for level in levels]


@pytest.mark.parametrize("pruner", ALL, ids=repr)
def test_nothing_is_ended_before_a_trial_has_finished(pruner):
    assert len(pruner.limits(pruner.init())) == 0
    assert not pruner.prunes(pruner.init(), (1e9, 1e9))


@pytest.mark.parametrize("pruner", ALL, ids=repr)
def test_a_bad_trial_is_ended_and_a_good_one_is_not(pruner):
    state = told(pruner, flat([1, 2, 3, 4], 5))
    assert pruner.prunes(state, (10.0,))
    assert pruner.prunes(state, (math.nan,))
    assert not pruner.prunes(state, (0.5,))
    assert not pruner.prunes(state, ())


@pytest.mark.parametrize("pruner", ALL, ids=repr)
def test_the_last_estimate_never_ends_a_trial(pruner):
    state = told(pruner, flat([1, 2, 3, 4], 5))
    assert len(pruner.limits(state)) == 4
    assert not pruner.prunes(state, (0.0,) * 4 + (99.0,))
    assert not pruner.prunes(state, (0.0,) * 5 + (99.0,))


@pytest.mark.parametrize("pruner", ALL, ids=repr)
def test_curves_of_all_lengths_go_together(pruner):
    state = told(pruner, [(3.0,), (4.0, 2.0, 1.0), (5.0, 2.0), (), (9.0, 8.0, 7.0, 6.0)][:3])
    state = pruner.update(state, (), 2.5)
    state = told(pruner, [(9.0, 8.0, 7.0, 6.0)], state)
    state = pruner.update(state, (8.0, 7.0), math.inf)
    assert len(pruner.limits(state)) == 3
    assert pruner.prunes(state, (99.0,))


@pytest.mark.parametrize("pruner", ALL, ids=repr)
def test_update_leaves_the_old_state_alone(pruner):
    before = told(pruner, flat([1, 2, 3], 4))
    copy = before.estimates.copy()
    after = pruner.update(before, (0.0,) * 9, 0.0)
    np.testing.assert_array_equal(before.estimates, copy)
    assert after.longest == 9 and before.longest == 4


@pytest.mark.parametrize("pruner", ALL, ids=repr)
def test_the_state_is_bounded(pruner):
    state = told(pruner, flat(range(150), 3))
    assert len(state.estimates) <= 100
    assert told(pruner, [tuple(range(20_000))], pruner.init()).estimates.shape[1] <= 10_001


def test_the_quantile_is_that_of_the_estimates_at_the_same_place():
    curves = [(float(10 * level), float(level), 0.0) for level in range(1, 11)]
    state = told(QuantilePruner(0.3), curves)
    np.testing.assert_array_equal(QuantilePruner(0.3).limits(state), [80, 8])
    np.testing.assert_array_equal(QuantilePruner(0.9).limits(state), [20, 2])


def test_warmup_counts_finished_trials():
    pruner = QuantilePruner(0.5, warmup=3)
    state = told(pruner, flat([1, 1], 3))
    assert not pruner.prunes(state, (9.0,))
    assert pruner.prunes(told(pruner, flat([1], 3), state), (9.0,))


@given(q=st.floats(0.1, 0.9), length=st.integers(2, 30), seed=st.integers(0, 2**31))
@settings(max_examples=10, deadline=None)
def test_the_share_that_is_ended_does_not_depend_on_the_number_of_estimates(q, length, seed):
    rng = np.random.default_rng(seed)
    pruner, state, ended = QuantilePruner(q, warmup=10), None, 0
    state = pruner.init()
    for level in rng.uniform(size=300):
        curve = []
        for noise in rng.normal(0, 0.01, size=length):
            curve.append(level + noise)
            if pruner.prunes(state, tuple(curve)):
                break
        pruned = len(curve) < length
        ended += pruned
        state = pruner.update(state, tuple(curve), math.inf if pruned else curve[-1])
    assert abs(ended / 300 - q) < 0.15


def test_plateaus_are_not_ended():
    for pruner in ALL:
        assert not pruner.prunes(told(pruner, flat([1] * 9, 4)), (1.0, 1.0))


def test_the_k_best_are_kept_for_good():
    pruner = TopKPruner(2)
    state = told(pruner, flat([1, 5, 2, *range(10, 300)], 3))
    np.testing.assert_array_equal(pruner.limits(state), [2, 2])
    state = pruner.update(state, (0.0, 0.0), math.inf)  # a trial that was pruned is none of them
    np.testing.assert_array_equal(pruner.limits(state), [2, 2])


def test_one_in_eta_goes_on_at_each_rung():
    pruner = SuccessiveHalvingPruner(eta=3, first=2)
    state = told(pruner, flat(range(8), 20))
    limits = pruner.limits(state)
    assert np.flatnonzero(np.isfinite(limits)).tolist() == [1, 5, 17]
    assert limits[1] == 2  # with the trial itself three in nine
    assert not pruner.prunes(state, (99.0,))
    assert pruner.prunes(state, (0.0, 2.5))


def test_a_rung_compares_with_those_that_got_there():
    pruner = SuccessiveHalvingPruner(eta=2)
    state = told(pruner, flat([1, 2, 3], 4))
    for _ in range(20):
        state = pruner.update(state, (9.0,), math.inf)
    limits = pruner.limits(state)
    assert limits[0] == 9 and limits[1] == 2


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: QuantilePruner(0), ValueError, "`QuantilePruner(q=0, warmup=5)`: `0 < q < 1`"),
        (lambda: QuantilePruner(50), ValueError, "0.5 for half"),
        (lambda: QuantilePruner(math.nan), ValueError, "`0 < q < 1`"),
        (lambda: QuantilePruner("half"), TypeError, "`q` must be a number"),  # pyright: ignore
        (lambda: QuantilePruner(0.5, warmup=-1), ValueError, "`warmup >= 0`"),
        (lambda: MedianPruner(2.5), TypeError, "`MedianPruner(warmup=2.5)`"),  # pyright: ignore
        (lambda: TopKPruner(0), ValueError, "`k >= 1` must hold"),
        (lambda: TopKPruner(1.0), TypeError, "`k` must be an integer"),  # pyright: ignore
        (lambda: SuccessiveHalvingPruner(eta=1), ValueError, "`eta >= 2` must hold"),
        (lambda: SuccessiveHalvingPruner(first=0), ValueError, "`first >= 1` must hold"),
    ],
)
def test_wrong_numbers_are_refused(make, error, text):
    with pytest.raises(error) as caught:
        make()
    assert text in str(caught.value)
