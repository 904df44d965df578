"""The benchmark of hyperparameter searches: spaces, shortened runs and ranks."""

from collections.abc import Mapping
from typing import Any

import pytest

from benchmarks import hpo
from benchmarks.hpo_rivals import RIVALS
from benchmarks.hpo_tasks import TASKS, Branch, Real, Whole


def check(space: Mapping[str, Any], candidate: Mapping[str, Any], prefix: str = "") -> int:
    """Refuses a candidate that is not legal; returns how many entries it should have."""
    entries = 0
    for key, own in space.items():
        value, entries = candidate[prefix + key], entries + 1
        if isinstance(own, Branch):
            entries += check(own.options[value], candidate, f"{value}.")
        elif isinstance(own, Real | Whole):
            assert own.low * (1 - 1e-6) <= value <= own.high * (1 + 1e-6)
            assert isinstance(value, int) == isinstance(own, Whole)
        else:
            assert value in own.values
    return entries


@pytest.mark.parametrize("rival", ["jaxhop", "random"])
@pytest.mark.parametrize("name", ["svr", "network"])
def test_candidates_hold_what_counts_and_nothing_else(rival: str, name: str):
    space, seen = TASKS[name].space, []

    def objective(candidate: Mapping[str, Any]) -> float:
        assert len(candidate) == check(space, candidate)
        seen.append(repr(candidate))
        return float(len(seen) % 5)

    RIVALS[rival].run(space, objective, 12, 0)
    assert len(seen) == 12 and len(set(seen)) > 10


def test_a_live_task_gives_the_same_value_again():
    objective, values = TASKS["boosting"].make(), []

    def recorded(candidate: Mapping[str, Any]) -> float:
        values.append(objective(candidate))
        assert objective(candidate) == values[-1] > 0
        return values[-1]

    RIVALS["random"].run(TASKS["boosting"].space, recorded, 2, 0)
    assert values[0] != values[1]


def line(rival: str, evaluations: int, seed: int, best: list[float]) -> dict[str, Any]:
    head = {"task": "svr", "rival": rival, "evaluations": evaluations, "commit": "a"}
    return head | {"seed": seed, "best": best, "optimum": None}


def test_a_long_run_counts_as_a_short_one_only_if_the_rival_did_not_know():
    lines = [
        line("jaxhop", 2, 0, [3.0, 2.0]),
        line("jaxhop", 4, 0, [9.0, 9.0, 9.0, 1.0]),
        line("random", 4, 0, [5.0, 4.0, 3.0, 2.0]),
    ]
    assert hpo.found(lines, 2) == {"svr": {"jaxhop": {0: 2.0}, "random": {0: 4.0}}}
    assert hpo.found(lines, 4) == {"svr": {"jaxhop": {0: 1.0}, "random": {0: 2.0}}}


def test_equal_values_share_their_ranks():
    runs = {"a": {0: 1.0, 1: 5.0}, "b": {0: 1.0, 1: 6.0, 2: 0.0}, "c": {0: 2.0, 1: 4.0}}
    assert hpo.ranks(runs) == {"a": 1.75, "b": 2.25, "c": 2.0}


def test_runs_in_the_file_are_not_repeated_but_for_another_jaxhop():
    lines = [line("random", 4, 0, [1.0]), line("jaxhop", 4, 0, [1.0])]
    job = {"task": "svr", "evaluations": 4, "seeds": [0, 1]}
    assert hpo.left(job | {"rival": "random"}, lines, "b")["seeds"] == [1]
    assert hpo.left(job | {"rival": "jaxhop"}, lines, "a")["seeds"] == [1]
    assert hpo.left(job | {"rival": "jaxhop"}, lines, "b")["seeds"] == [0, 1]
