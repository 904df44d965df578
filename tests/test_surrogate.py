"""The Gaussian process: its gradient, its predictions, and what it makes of values."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxhop.algorithms import _surrogate as surrogate


def sample(number: int, coordinates: int = 3, seed: int = 0) -> surrogate.Data:
    """Values that depend on the first two of some coordinates."""
    x = np.random.default_rng(seed).random((number, coordinates))
    y = surrogate.scores((x[:, 0] - 0.3) ** 2 + 0.3 * np.abs(x[:, 1] - 0.6))
    return surrogate.Data(x, np.arange(coordinates), y)


def test_the_gradient_is_that_of_the_loss():
    data = sample(20)._replace(groups=np.array([0, 0, 1]))
    at = surrogate.prior(2) + np.array([0.5, -1.0, 0.3, 1.0])
    _, gradient = surrogate.loss(surrogate.conditioned(data, at))
    for place, derivative in enumerate(gradient):
        step = 1e-5 * np.eye(len(at))[place]
        above, _ = surrogate.loss(surrogate.conditioned(data, at + step))
        below, _ = surrogate.loss(surrogate.conditioned(data, at - step))
        assert derivative == pytest.approx((above - below) / 2e-5, rel=1e-4, abs=1e-5)


def test_fitting_finds_the_coordinates_that_matter():
    model = surrogate.fitted(sample(60), surrogate.prior(3), 40)
    first, second, third = model.settings[:3]
    assert min(first, second) > third + 2


def test_fitting_never_ends_worse_than_it_began():
    data = sample(15)
    for start in (surrogate.prior(3), np.full(5, 3.0), np.full(5, -4.0)):
        before, _ = surrogate.loss(surrogate.conditioned(data, start))
        after, _ = surrogate.loss(surrogate.fitted(data, start, 3))
        assert after < before


def test_predictions_go_through_the_data_and_are_unsure_between():
    data = sample(25)
    model = surrogate.fitted(data, surrogate.prior(3), 30)
    mean, deviation = surrogate.predicted(model, data.x)
    assert np.abs(mean - data.y).max() < 0.2
    _, elsewhere = surrogate.predicted(model, np.full((1, 3), 3.0))
    assert elsewhere[0] > 3 * deviation.max()
    assert elsewhere[0] == pytest.approx(math.exp(model.settings[-2] / 2), rel=0.05)


def test_predictions_beat_the_mean_on_new_points():
    known, new = sample(40), sample(200, seed=1)
    mean, _ = surrogate.predicted(surrogate.fitted(known, surrogate.prior(3), 30), new.x)
    assert np.corrcoef(mean, new.y)[0, 1] > 0.9


def test_points_under_way_make_their_surroundings_certain_but_change_no_expectation():
    model = surrogate.fitted(sample(20), surrogate.prior(3), 30)
    x = np.array([[0.9, 0.1, 0.5]])
    longer = surrogate.extended(model, x)
    (before,), (unsure,) = surrogate.predicted(model, x)
    (after,), (sure,) = surrogate.predicted(longer, x)
    assert after == pytest.approx(before, abs=0.05)
    assert sure < unsure / 3


def test_the_incumbent_does_not_believe_in_a_lucky_value():
    x = np.linspace(0, 1, 30)[:, None]
    y = surrogate.scores(np.where(np.arange(30) == 11, -2.0, 0.0) + x[:, 0])
    settings = np.array([0.0, 0.0, 0.0])
    model = surrogate.conditioned(surrogate.Data(x, np.zeros(1, int), y), settings)
    assert surrogate.incumbent(model) > y.min() + 0.5


@pytest.mark.parametrize("z", [-300.0, -30.0, -10.0, -7.01, -6.99, -3.0, 0.0, 2.0, 40.0])
def test_log_improvement_is_exact_near_and_far(z: float):
    (got,) = surrogate.log_improvement(np.array([-z * 0.5]), np.array([0.5]), 0.0)
    # The integral of the improvement, by steps, relative to the density at its edge.
    t = np.linspace(0, 60 / max(1.0, -z), 400_001)
    if z < 0:
        wanted = np.log(np.trapezoid(t * np.exp(z * t - t * t / 2), t)) - z * z / 2
    else:
        t = np.linspace(-z, 10, 400_001)
        wanted = np.log(np.trapezoid((t + z) * np.exp(-t * t / 2), t))
    wanted += math.log(0.5) - math.log(2 * math.pi) / 2
    assert got == pytest.approx(wanted, rel=0.03 if z < -7 else 1e-3)


def test_log_improvement_orders_the_hopeless():
    gain = surrogate.log_improvement(np.array([5.0, 6.0, 7.0]), np.full(3, 1e-3), 0.0)
    assert np.all(np.isfinite(gain)) and np.all(np.diff(gain) < 0)


values = st.lists(
    st.floats(-1e6, 1e6) | st.just(math.inf) | st.just(math.nan), min_size=1, max_size=30
).filter(lambda some: any(math.isfinite(value) for value in some))


@given(values)
@settings(max_examples=100, deadline=None)
def test_scores_keep_the_order_and_are_tame(some: list[float]):
    given_values = np.array(some)
    score = surrogate.scores(given_values)
    assert np.all(np.isfinite(score))
    assert abs(score.mean()) < 1e-6 and score.std() < 1 + 1e-6
    finite = np.isfinite(given_values)
    assert score.min() == score[finite][np.argmin(given_values[finite])]
    order = np.argsort(np.where(finite, given_values, np.inf), kind="stable")
    assert np.all(np.diff(score[order]) >= -1e-12)


def test_scores_do_not_depend_on_units_nor_on_how_bad_the_bad_are():
    values = np.array([0.1, 0.2, 0.4, 0.5, 80.0])
    other = surrogate.scores(values * 1e-6 - 3)
    assert other == pytest.approx(surrogate.scores(values), abs=1e-6)
    worse = np.array([0.1, 0.2, 0.4, 0.5, 1e9])
    assert surrogate.scores(worse) == pytest.approx(surrogate.scores(values))
    assert np.all(surrogate.scores(np.full(4, 7.0)) == 0)
