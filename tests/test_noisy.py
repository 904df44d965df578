"""An objective evaluated several times."""

import pickle

import cloudpickle
import numpy as np
import pytest

from jaxhop._call import Call
from jaxhop._noisy import wrap_n_times
from jaxhop._pruning import Task


def test_the_value_is_the_reduction_of_all():
    values = iter([1.0, 5.0, 3.0])
    noisy = wrap_n_times(lambda params: next(values), 3)
    assert Call(noisy)({}) == ("completed", 3.0, (1.0, 3.0, 3.0))


@pytest.mark.parametrize(
    ("reduction", "value"), [("mean", 4.0), ("median", 2.0), (max, 9.0), (np.min, 1.0)]
)
def test_reductions(reduction, value):
    noisy = wrap_n_times(lambda params, i: [1, 9, 2][i], 3, reduction, pass_index=True)
    assert Call(noisy)({})[1] == value


def test_yield_after_leaves_out_the_first_estimates():
    noisy = wrap_n_times(lambda params: 1, 4, yield_after=3)
    assert Call(noisy)({}) == ("completed", 1.0, (1.0,))


def test_a_bad_candidate_is_not_evaluated_to_the_end():
    calls = []
    noisy = wrap_n_times(lambda params: calls.append(1) or 5.0, 10)
    assert Call(noisy)(Task({}, [9.0, 2.0]))[0] == "pruned"
    assert len(calls) == 2


def test_no_call_sees_what_another_did_to_the_candidate():
    def objective(params):
        params["x"] += 1
        params["inner"].append(0)
        return float(np.sum(params["x"])) + len(params["inner"])

    candidate = {"x": np.zeros(2), "inner": []}
    assert Call(wrap_n_times(objective, 4))(candidate)[2] == (3.0,) * 4


def test_it_travels_to_workers():
    noisy = pickle.loads(cloudpickle.dumps(wrap_n_times(lambda params: params["x"], 2)))
    assert Call(noisy)({"x": 2})[1] == 2.0


def test_what_is_no_number_is_refused():
    def forgetful(params):
        pass

    with pytest.raises(TypeError, match="`forgetful` must give one real number, but it gave None"):
        Call(wrap_n_times(forgetful, 2))({})
    with pytest.raises(TypeError, match=r"`reduction=.*it gave None"):
        Call(wrap_n_times(lambda params: 1.0, 2, reduction=lambda values: None))({})  # pyright: ignore


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"n": 0}, ValueError, "`n >= 1` must hold"),
        ({"n": 2.0}, TypeError, "must be integers"),
        ({"n": 3, "yield_after": 3}, ValueError, "Give at most 2"),
        ({"n": 3, "yield_after": -1}, ValueError, "`0 <= yield_after < n` must hold"),
        ({"n": 3, "yield_after": None}, TypeError, "must be integers"),
        ({"n": 3, "reduction": "sum"}, ValueError, 'give "mean", "median" or a function'),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, text):
    with pytest.raises(error) as caught:
        wrap_n_times(lambda params: 0.0, **arguments)
    assert text in str(caught.value)
    with pytest.raises(TypeError, match="`fn` must be a function"):
        wrap_n_times(3, 2)  # pyright: ignore
