"""Searches that are killed and go on: the short form of `benchmarks/faults.py`."""

import numpy as np
import pytest

from benchmarks import faults

CHECKPOINT = "dir/checkpoints/state_*/commit_success.txt"
SHORT = {
    "jax": (400_000, [faults.Moment(0.1, CHECKPOINT)]),
    "python": (150, [faults.Moment(0.3), faults.Moment(0.2)]),
    "model": (12, [faults.Moment(0.2), faults.Moment(0.1)]),
    "rounds": (600, [faults.Moment(0.1, CHECKPOINT)]),
    "rungs": (100, [faults.Moment(0.2), faults.Moment(0.2)]),
    "jobs": (40, [faults.Moment(0.8)]),
}
"""Evaluations, and when the search is killed; there is a first checkpoint after a second."""


def new(directory, name):
    (directory / name).mkdir()
    return directory / name


QUICK = ("jax", "python")  # the others take ten seconds each, for their processes


@pytest.mark.parametrize(
    "kind",
    [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.slow) for kind in SHORT],
)
def test_a_search_that_is_killed_ends_as_one_left_alone(kind, tmp_path):
    evaluations, moments = SHORT[kind]
    reference = faults.alone(kind, 1, evaluations, new(tmp_path, "alone"))
    work = new(tmp_path, "killed")
    run = faults.killed(kind, 1, evaluations, work, reference, moments)
    # A fast machine may have ended a compiled search before.
    assert run.kills == len(moments) or kind == "jax"


def test_processes_that_share_a_search_and_die_make_each_evaluation_once(tmp_path):
    faults.alone("shared", 0, 20, new(tmp_path, "alone"))  # compiles what the others need
    rng = np.random.default_rng(0)
    run = faults.shared(200, new(tmp_path, "shared"), rng, processes=3, every=0.1, most=2)
    assert run.kills >= 1
