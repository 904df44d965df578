"""The contract of every evaluator: one table, one set of checks for all of its lines."""

from concurrent.futures import ThreadPoolExecutor

import cloudpickle
import numpy as np
import pytest

from jaxhop.evaluators import Executors, Inline, Jobs, Vectorized, Workers

SECONDS = 60.0  # far more than any of this takes


def square(params):
    """The objective of one candidate, which refuses negative numbers."""
    if params["x"] < 0:
        raise ValueError("too low")
    return params["x"] ** 2


def call(params):
    return "completed", square(params), ()


def squares(params):
    """The objective of many candidates at once."""
    if np.any(params["x"] < 0):
        raise ValueError("too low")
    return params["x"] ** 2


# To put a new evaluator under the contract, add a line.
EVALUATORS = {
    "inline": lambda threads: Inline(call),
    "vectorized": lambda threads: Vectorized(squares, slots=3),
    "executor": lambda threads: Executors(cloudpickle.dumps(call), threads),
    "workers": lambda threads: Workers(cloudpickle.dumps(call), Jobs(2)),
}


@pytest.fixture(params=EVALUATORS)
def evaluator(request):
    cloudpickle.register_pickle_by_value(__import__(__name__))
    with ThreadPoolExecutor(2) as threads:
        evaluator = EVALUATORS[request.param](threads)
        yield evaluator
        evaluator.close()
    cloudpickle.unregister_pickle_by_value(__import__(__name__))


def evaluate(evaluator, xs):
    """Keeps all slots busy until every candidate has an outcome."""
    outcomes, submitted = [], 0
    while len(outcomes) < len(xs):
        while submitted < len(xs) and submitted - len(outcomes) < evaluator.slots:
            evaluator.submit(submitted, {"x": xs[submitted]})
            submitted += 1
        found = evaluator.wait(SECONDS)
        assert found, "nothing came back"
        outcomes += found
    return sorted(outcomes)


def test_each_trial_has_one_outcome_of_its_own(evaluator):
    outcomes = evaluate(evaluator, [float(x) for x in range(8)])
    assert [outcome.number for outcome in outcomes] == list(range(8))
    assert [outcome.value for outcome in outcomes] == [float(x) ** 2 for x in range(8)]
    assert {outcome.status for outcome in outcomes} == {"completed"}
    assert all(type(outcome.value) is float for outcome in outcomes)
    assert all(0 <= outcome.seconds < SECONDS for outcome in outcomes)


def test_an_error_is_an_outcome_and_the_next_trial_goes_on(evaluator):
    evaluator.submit(0, {"x": -1.0})
    (failed,) = evaluator.wait(SECONDS)
    assert failed[:2] == (0, "failed") and np.isnan(failed.value)
    assert isinstance(failed.error, ValueError) and "too low" in str(failed.error)
    evaluator.submit(1, {"x": 3.0})
    (outcome,) = evaluator.wait(SECONDS)
    assert outcome[:3] == (1, "completed", 9.0)


def test_nothing_is_waited_for_where_nothing_runs(evaluator):
    assert evaluator.wait(0.0) == []


def test_stopping_gives_back_at_most_what_was_under_way(evaluator):
    evaluator.submit(5, {"x": 2.0})
    outcomes = evaluator.stop(SECONDS)
    assert [outcome[:3] for outcome in outcomes] in ([(5, "completed", 4.0)], [])
    assert evaluator.wait(0.0) == []


def test_closing_twice_is_no_error(evaluator):
    evaluator.close()
    evaluator.close()
