"""One call of a Python objective: values, estimates, pruning, errors."""

import math
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction

import cloudpickle
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhop._call import Call
from jaxhop._pruning import Judge, PruneEvaluation, Task, should_prune
from jaxhop.pruners import QuantilePruner, TopKPruner

NUMBERS = [
    (2, 2.0),
    (0.25, 0.25),
    (True, 1.0),
    (np.float32(0.5), 0.5),
    (np.int64(3), 3.0),
    (np.bool_(False), 0.0),
    (np.array(1.5), 1.5),
    (np.array([[1.5]]), 1.5),
    (jnp.float32(0.5), 0.5),
    (jnp.array([2.0]), 2.0),
    (Decimal("0.5"), 0.5),
    (Fraction(1, 4), 0.25),
    (math.inf, math.inf),
    (np.float64(220.5300001), 220.5300001),
]

NO_NUMBERS = [
    (None, "it gave None. Is a `return` missing?"),
    ("0.5", "it gave '0.5'"),
    (b"1", "it gave b'1'"),
    (np.str_("1"), "it gave np.str_('1')"),
    (1j, "it gave 1j"),
    ([1.0], "it gave [1.0]"),
    ((1.0, {}), "it gave (1.0, {})"),
    (np.ones(2), "it gave array([1., 1.])"),
    (np.empty(0), "it gave array([]"),
    (10**400, "it gave 1000"),
]


def objective_of(value):
    def objective(params):
        return value

    return objective


@pytest.mark.parametrize(("returned", "value"), NUMBERS)
def test_numbers_of_all_kinds_are_values(returned, value):
    result = Call(objective_of(returned))({})
    assert result == ("completed", value, ())
    assert type(result[1]) is float


def test_nan_is_passed_on():
    status, value, _ = Call(objective_of(math.nan))({})
    assert status == "completed" and math.isnan(value)


@pytest.mark.parametrize(("returned", "text"), NO_NUMBERS)
def test_what_is_no_number_is_refused_by_name(returned, text):
    with pytest.raises(TypeError) as caught:
        Call(objective_of(returned))({})
    assert "`objective` must give one real number" in str(caught.value)
    assert text in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_tensor_with_a_gradient_is_a_number():
    torch = pytest.importorskip("torch")
    value = torch.tensor(0.5, requires_grad=True)
    assert Call(objective_of(value))({})[1] == 0.5


def test_the_candidate_is_handed_on_as_it_is():
    seen = []
    candidate = {"x": np.ones(3)}
    Call(lambda params: seen.append(params) or 0.0)(candidate)
    assert seen[0] is candidate


def test_errors_pass_through():
    error = KeyError("x")

    def objective(params):
        raise error

    with pytest.raises(KeyError) as caught:
        Call(objective)({})
    assert caught.value is error


def test_the_last_estimate_of_a_generator_is_its_value():
    def objective(params):
        yield 3
        yield np.float32(0.5)
        yield params["x"]

    assert Call(objective)({"x": 7}) == ("completed", 7.0, (3.0, 0.5, 7.0))


def test_what_a_generator_returns_is_its_value():
    def objective(params):
        yield 3.0
        return 1.0

    assert Call(objective)({}) == ("completed", 1.0, (3.0,))


def test_a_generator_must_yield():
    def objective(params):
        return
        yield

    with pytest.raises(TypeError, match="`objective` is a generator that yielded nothing"):
        Call(objective)({})


def test_an_estimate_must_be_a_number():
    closed = []

    def objective(params):
        try:
            yield None
        finally:
            closed.append(True)

    with pytest.raises(TypeError, match="it gave None"):
        Call(objective)({})
    assert closed


@pytest.mark.parametrize("sign", [1, -1])
def test_a_generator_beyond_its_limit_is_closed(sign):
    closed = []

    def objective(params):
        try:
            for estimate in (1.0, 2.0, 3.0):
                yield sign * estimate
        finally:
            closed.append(True)

    status, value, curve = Call(objective)(Task({}, np.array([1.5, 1.5]), sign))
    assert (status, value, curve) == ("pruned", sign * 2.0, (sign * 1.0, sign * 2.0))
    assert closed == [True]
    assert Call(objective)(Task({}, np.array([1.5]), sign))[0] == "completed"
    assert Call(objective)(Task({}, np.array([math.inf] * 3), sign))[0] == "completed"


def test_should_prune_reports_and_answers():
    answers = []

    def objective(params):
        for estimate in (1.0, 3.0, 2.0):
            answers.append(should_prune(estimate))
        return 0.5

    result = Call(objective)(Task({}, [2.5, 2.5, 2.5]))
    assert answers == [False, True, False]
    assert result == ("completed", 0.5, (1.0, 3.0, 2.0))


def test_raising_prune_evaluation_ends_the_trial():
    def objective(params):
        if should_prune(params["x"]):
            raise PruneEvaluation
        return 0.0

    assert Call(objective)(Task({"x": 3.0}, [2.0])) == ("pruned", 3.0, (3.0,))
    assert Call(objective)(Task({"x": 1.0}, [2.0])) == ("completed", 0.0, (1.0,))


def test_a_trial_may_end_without_an_estimate():
    def objective(params):
        raise PruneEvaluation("too large")

    status, value, curve = Call(objective)({})
    assert status == "pruned" and math.isnan(value) and curve == ()


def test_should_prune_outside_of_a_search():
    assert should_prune(1e9) is False

    def objective(params):
        return float(should_prune(1e9))

    assert Call(objective)({})[1] == 0.0
    assert Call(objective)(Task({}, [0.0]))[1] == 1.0
    assert should_prune(1e9) is False  # also after one, and after one that failed
    with pytest.raises(TypeError):
        Call(lambda params: [])(Task({}, [0.0]))
    assert should_prune(1e9) is False


def test_trials_in_threads_keep_apart():
    both = threading.Barrier(2)

    def objective(params):
        both.wait(10)
        bad = should_prune(params["x"])
        both.wait(10)
        if bad:
            raise PruneEvaluation
        return params["x"]

    tasks = [Task({"x": 3.0}, [2.0]), Task({"x": 3.0}, [4.0])]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(Call(objective), tasks))
    assert results == [("pruned", 3.0, (3.0,)), ("completed", 3.0, (3.0,))]


def test_a_call_and_a_task_travel():
    shift = 2.0
    call = pickle.loads(cloudpickle.dumps(Call(lambda params: params["x"] + shift)))
    judge = Judge(TopKPruner(1), 1)
    judge.tell("completed", 0.0, (1.0, 0.0))
    task = pickle.loads(pickle.dumps(judge.task({"x": 1.0})))
    assert call(task) == ("completed", 3.0, ())


@pytest.mark.parametrize("sign", [1, -1])
def test_a_judge_ends_bad_trials_in_either_direction(sign):
    def objective(params):
        for epoch in range(1, 11):
            yield sign * (params["x"] + 1 / epoch)

    judge, statuses = Judge(QuantilePruner(0.5, warmup=3), sign), []
    for x in [4.0, 3.0, 2.0, 5.0, 1.0, 6.0]:
        status, value, curve = Call(objective)(judge.task({"x": x}))
        judge.tell(status, value, curve)
        statuses.append(status)
    assert statuses == ["completed"] * 3 + ["pruned", "completed", "pruned"]


def test_a_judge_learns_nothing_from_trials_that_failed():
    judge = Judge(TopKPruner(1), 1)
    for status in ("failed", "lost", "timeout"):
        judge.tell(status, math.nan, (0.0, 0.0))
    assert len(judge.task({}).limits) == 0
