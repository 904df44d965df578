"""Durations as people write them, and budgets."""

import math
from datetime import timedelta
from fractions import Fraction

import numpy as np
import pytest

from jaxhop._budget import FIRST_CYCLE, Budget, format_seconds, parse_runtime

ACCEPTED = [
    (30, 30),
    (0.5, 0.5),
    (np.int32(7), 7),
    (np.float32(0.5), 0.5),
    (Fraction(1, 4), 0.25),
    (timedelta(minutes=2, milliseconds=500), 120.5),
    (np.timedelta64(3, "m"), 180),
    ("90", 90),
    ("1.5", 1.5),
    (".5", 0.5),
    ("30min", 1800),
    ("1h 30min", 5400),
    ("1h30m", 5400),
    ("1.5h", 5400),
    ("1:30:00", 5400),
    ("1:30", 90),
    ("0:01.5", 1.5),
    ("90:00", 5400),
    ("500ms", 0.5),
    ("2 days", 172800),
    ("1 hr", 3600),
    ("30 seconds", 30),
    ("1H", 3600),
    (" 10s ", 10),
    ("3 days, 7 hours", 284400),
    ("1 d,2 h ,3 min, 4 sec", 93784),
    ("2 weeks", 1209600),
    ("1w 1d", 691200),
    ("5 Minutes", 300),
]

WRONG_TYPE = [None, True, np.True_, [30], {"hours": 1}, b"30s", 1j, np.array([1.0])]

WRONG_VALUE = [
    0, -1, math.inf, -math.inf, math.nan, 10**400, timedelta(0), timedelta(seconds=-1),
    np.timedelta64("NaT", "s"), "", " ", "soon", "0", "0s", "-5s", "1 5", "5 parsecs", "30min 5",
    "h", "1,5h", "inf", "nan", "1e3", "1:2:3:4", "1:75", "1:60:00", ":30", "1:", "min 5", "1h,,2m",
    "5s,", "1h+2m", "9" * 400,
]  # fmt: skip


@pytest.mark.parametrize(("runtime", "seconds"), ACCEPTED)
def test_runtime_is_read(runtime, seconds):
    parsed = parse_runtime(runtime)
    assert type(parsed) is float
    assert parsed == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize("runtime", WRONG_TYPE)
def test_runtime_of_wrong_type_is_refused_with_examples(runtime):
    with pytest.raises(TypeError, match=r'Give seconds .*"1h 30min"'):
        parse_runtime(runtime)


@pytest.mark.parametrize("runtime", WRONG_VALUE)
def test_wrong_runtime_is_refused_with_examples(runtime):
    with pytest.raises(ValueError, match=r'(?s)`runtime=.*Give seconds .*"1h 30min"'):
        parse_runtime(runtime)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.0004, "0.4 ms"),
        (0.0009996, "1 ms"),
        (0.0512, "51 ms"),
        (0.9996, "1 s"),
        (2.224, "2.22 s"),
        (30.0, "30 s"),
        (59.96, "1 min 00 s"),
        (65.2, "1 min 05 s"),
        (3599.7, "1 h 00 min"),
        (5400, "1 h 30 min"),
        (86399, "1 d 0 h"),
        (183600, "2 d 3 h"),
    ],
)
def test_format_seconds(seconds, text):
    assert format_seconds(seconds) == text


def test_budget_keeps_what_was_given():
    assert Budget.of("1min", np.int64(5), np.float32(0.5)) == Budget(60.0, 5, 0.5)
    assert type(Budget.of(evaluations=np.int64(5)).evaluations) is int
    assert Budget.of(target=-1) == Budget(target=-1.0)


def test_budget_needs_a_limit():
    with pytest.raises(ValueError) as error:
        Budget.of()
    for example in ('runtime="30s"', "evaluations=10_000", "target=0.01"):
        assert example in str(error.value)


@pytest.mark.parametrize(
    ("budget", "error", "text"),
    [
        ({"evaluations": 1e4}, TypeError, "Say `int(10000.0)`"),
        ({"evaluations": 1.5}, TypeError, "an int must be given"),
        ({"evaluations": True}, TypeError, "an int must be given"),
        ({"evaluations": "100"}, TypeError, "an int must be given"),
        ({"evaluations": 0}, ValueError, "at least 1"),
        ({"evaluations": np.int32(-3)}, ValueError, "at least 1"),
        ({"target": "0.1"}, TypeError, "a number must be given"),
        ({"target": True}, TypeError, "a number must be given"),
        ({"target": math.nan}, ValueError, "a finite number"),
        ({"target": math.inf}, ValueError, "a finite number"),
        ({"runtime": "tomorrow"}, ValueError, "`runtime='tomorrow'`"),
        ({"runtime": 0, "evaluations": 5}, ValueError, "greater than 0"),
    ],
)
def test_wrong_budget_is_refused(budget, error, text):
    with pytest.raises(error) as caught:
        Budget.of(**budget)
    assert text in str(caught.value)


def test_progress_is_the_larger_share():
    budget = Budget.of(runtime=10, evaluations=100, target=0.0)
    assert budget.progress(0, 0.0) == 0
    assert budget.progress(20, 1.0) == 0.2
    assert budget.progress(20, 5.0) == 0.5
    assert budget.progress(1000, 5.0) == 1.0
    assert Budget.of(runtime=10).progress(10**9, 2.5) == 0.25
    assert Budget.of(evaluations=4).progress(1, 1e9) == 0.25


def test_progress_towards_a_target_runs_in_cycles_of_doubling_length():
    budget = Budget.of(target=0.0)
    start, length = 0, FIRST_CYCLE
    for _ in range(5):
        assert budget.progress(start, 1.0) == 0
        assert budget.progress(start + length // 2, 1.0) == 0.5
        assert budget.progress(start + length - 1, 1.0) == 1 - 1 / length
        start, length = start + length, 2 * length
