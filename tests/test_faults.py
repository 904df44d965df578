"""Searches that are killed and go on: the short form of `benchmarks/faults.py`."""

import numpy as np
import pytest

from benchmarks import faults

SHORT = {
    "jax": (150_000, [0.6, 0.3]),
    "python": (150, [0.3, 0.2]),
    "model": (12, [0.3, 0.2]),
    "rounds": (150, [0.3, 0.2]),
    "rungs": (100, [0.2, 0.2]),
    "jobs": (40, [0.5]),
}
"""Evaluations, and when the search is killed: shares of the time of the one that is left alone."""


def new(directory, name):
    (directory / name).mkdir()
    return directory / name


@pytest.mark.parametrize("kind", SHORT)
def test_a_search_that_is_killed_ends_as_one_left_alone(kind, tmp_path):
    evaluations, shares = SHORT[kind]
    reference = faults.alone(kind, 1, evaluations, new(tmp_path, "alone"))
    moments = [faults.Moment(share * reference.searching, True) for share in shares]
    work = new(tmp_path, "killed")
    assert faults.killed(kind, 1, evaluations, work, reference, moments).kills == len(shares)


def test_processes_that_share_a_search_and_die_make_each_evaluation_once(tmp_path):
    faults.alone("shared", 0, 20, new(tmp_path, "alone"))  # compiles what the others need
    rng = np.random.default_rng(0)
    run = faults.shared(200, new(tmp_path, "shared"), rng, processes=3, every=0.1, most=2)
    assert run.kills >= 1
