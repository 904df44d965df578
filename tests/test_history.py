"""The record of the evaluations: what it holds, its bounds and its speed."""

import time

import ml_dtypes
import numpy as np
import pytest
from reports import make_report

from jaxhop import _history
from jaxhop._history import ROWS_KEPT, History
from jaxhop._trials import PHASES


def to_python(point):
    return {"x": point[0].item(), "w": point[1]}


def points_of(evaluations):
    """Points from which the number of the evaluation can be read."""
    evaluations = np.asarray(evaluations)
    return (evaluations.astype(np.float32), np.repeat(evaluations[:, None], 3, axis=1))


def test_columns_hold_what_was_reported():
    history = History("min", to_python)
    history.append(
        make_report(
            [3.0, np.nan],
            phase=np.array([0, 2], np.int8),
            step=np.array([4, 5]),
            seconds=np.array([0.5, 0.75]),
            temperature=np.array([1.0, 0.25], np.float32),
            accepted=np.array([True, False]),
        )
    )
    history.append(make_report([-np.inf], first=2))
    assert len(history) == 3
    assert history.columns == (
        "evaluation", "value", "phase", "step", "seconds", "temperature", "accepted", "status",
        "duration", "worker", "cost",
    )  # fmt: skip
    np.testing.assert_array_equal(history["evaluation"], [0, 1, 2])
    np.testing.assert_array_equal(history["value"], [3.0, np.nan, -np.inf])
    assert history["value"].dtype == np.float64
    assert history["phase"].tolist() == ["initial", "anneal", "explore"]
    np.testing.assert_array_equal(history["step"], [4, 5, 2])
    np.testing.assert_array_equal(history["seconds"], [0.5, 0.75, 2e-4])
    np.testing.assert_array_equal(history["temperature"], [1.0, 0.25, 1.0])
    np.testing.assert_array_equal(history["accepted"], [True, False, True])
    assert [row["phase"] for row in history] == ["initial", "anneal", "explore"]
    assert list(history.to_dict()) == list(history.columns)
    assert "3 rows" in repr(history)


def test_columns_are_copies():
    history = History("min", to_python)
    history.append(make_report([3.0]))
    history["value"][0] = 0.0
    assert history["value"][0] == 3.0


def test_unknown_column_is_refused_by_name():
    with pytest.raises(KeyError, match="'value'"):
        History("min", to_python)["values"]


def test_empty_history():
    history = History("min", to_python)
    history.append(make_report([]))
    assert len(history) == 0
    assert history["phase"].shape == history.best().shape == history.improvements.shape == (0,)
    assert history.stored.shape == (0,)
    assert list(history) == []
    with pytest.raises(IndexError):
        history.params(0)


@pytest.mark.parametrize(
    ("direction", "expected"), [("min", [np.nan, 2, 2, 1, 1]), ("max", [np.nan, 2, 5, 5, 5])]
)
def test_best_so_far_passes_over_what_is_not_finite(direction, expected):
    history = History(direction, to_python)
    history.append(make_report([np.nan, 2, 5]))
    history.append(make_report([1, np.inf if direction == "max" else -np.inf], first=3))
    np.testing.assert_array_equal(history.best(), expected)


def test_params_are_decoded_only_when_asked_for():
    calls = []

    def decode(point):
        calls.append(point)
        return to_python(point)

    history = History("min", decode)
    history.append(make_report([3.0, 4.0, 2.0], kept=np.array([0, 2]), points=points_of([0, 2])))
    history.append(make_report([5.0], first=3, improved=np.array([False])))
    history.append(make_report([1.0], first=4, kept=np.array([0]), points=points_of([4])))
    assert not calls
    assert history.params(1) is history.params(3) is None
    assert [history.params(row)["x"] for row in (0, 2, 4, -1)] == [0.0, 2.0, 4.0, 4.0]
    np.testing.assert_array_equal(history.params(2)["w"], [2, 2, 2])
    assert len(calls) == 5
    assert all(isinstance(part, np.ndarray) for part in calls[0])
    assert history.stored.tolist() == [0, 2, 4]
    assert history.improvements.tolist() == [0, 2, 4]
    with pytest.raises(IndexError):
        history.params(5)


def test_params_can_be_written_to_without_harm():
    history = History("min", to_python)
    history.append(make_report([3.0], kept=np.array([0]), points=points_of([7])))
    history.params(0)["w"][:] = 0
    np.testing.assert_array_equal(history.params(0)["w"], [7, 7, 7])


def test_points_keep_their_dtype():
    history = History("min", lambda point: point)
    point = (np.ones((1, 2), ml_dtypes.bfloat16), np.array([True]), np.array([[2]], np.uint32))
    history.append(make_report([3.0], kept=np.array([0]), points=point))
    assert [part.dtype for part in history.params(0)] == [part.dtype for part in point]
    assert [part.shape for part in history.params(0)] == [(2,), (), (1,)]


def test_a_million_rows_are_thinned_and_no_improvement_is_lost():
    rng = np.random.default_rng(0)
    history = History("min", to_python)
    values = rng.normal(size=1_000_000)
    improved = rng.random(len(values)) < 0.01
    improved[-1] = True
    for first in range(0, len(values), 62_500):
        part = slice(first, first + 62_500)
        kept = np.arange(62_500)
        history.append(
            make_report(
                values[part], first, improved=improved[part], kept=kept,
                points=points_of(first + kept),
            )
        )  # fmt: skip
        assert len(history) <= ROWS_KEPT
    evaluation = history["evaluation"]
    assert len(history) > ROWS_KEPT // 3
    assert np.all(np.diff(evaluation) > 0)
    np.testing.assert_array_equal(history["value"], values[evaluation])
    np.testing.assert_array_equal(evaluation[history.improvements], np.flatnonzero(improved))
    others = evaluation[~np.isin(evaluation, np.flatnonzero(improved))]
    stride = np.gcd.reduce(others)
    assert stride == 16
    np.testing.assert_array_equal(
        others, np.setdiff1d(np.arange(0, len(values), stride), np.flatnonzero(improved))
    )
    # Small points all fit: every kept row has the parameters of its own evaluation.
    assert len(history.stored) == len(history)
    for row in rng.integers(len(history), size=100).tolist():
        assert history.params(row)["x"] == evaluation[row]


def test_up_to_the_bound_all_rows_are_kept():
    history = History("min", to_python)
    history.append(make_report(np.zeros(ROWS_KEPT)))
    assert len(history) == ROWS_KEPT
    history.append(make_report([1.0], first=ROWS_KEPT))
    assert len(history) == ROWS_KEPT // 2 + 1


def test_more_rows_than_the_bound_in_one_report():
    history = History("min", to_python)
    history.append(make_report(np.zeros(5 * ROWS_KEPT)))
    np.testing.assert_array_equal(history["evaluation"], np.arange(0, 5 * ROWS_KEPT, 8))


def test_oldest_improvements_go_when_they_alone_exceed_the_bound(monkeypatch):
    monkeypatch.setattr(_history, "ROWS_KEPT", 100)
    history = History("min", to_python)
    for first in range(0, 250, 10):
        history.append(
            make_report(
                -np.arange(first, first + 10), first, kept=np.arange(10),
                points=points_of(np.arange(first, first + 10)),
                improved=np.ones(10, bool),
            )
        )  # fmt: skip
    np.testing.assert_array_equal(history["evaluation"], np.arange(150, 250))
    np.testing.assert_array_equal(history.stored, np.arange(100))
    assert history.params(0)["x"] == 150


def test_points_forget_the_older_half_of_others_and_then_old_improvements(monkeypatch):
    bytes_a_row = 4 + 3 * 8 + 8 + 1  # x, w, the number of the evaluation, improved
    monkeypatch.setattr(_history, "POINT_BYTES_KEPT", 10 * bytes_a_row)
    history = History("min", to_python)

    def append(first, improved):
        improved = np.array(improved, bool)
        n = len(improved)
        points = points_of(np.arange(first, first + n))
        history.append(
            make_report(np.zeros(n), first, improved=improved, kept=np.arange(n), points=points)
        )

    append(0, [1, 0, 0, 0, 0, 0, 1, 0, 0, 0])
    assert history.stored.tolist() == list(range(10))
    append(10, [0])
    assert history.stored.tolist() == [0, 6, 7, 8, 9, 10]
    append(11, [1] * 8)  # 14 are 4 too many: the 4 others go
    assert history.stored.tolist() == [0, 6, *range(11, 19)]
    append(19, [1])
    assert history.stored.tolist() == [6, *range(11, 20)]
    append(20, [0])  # an other goes before any improvement does
    assert history.stored.tolist() == [6, *range(11, 20)]
    append(21, [0] * 30 + [1] * 12)
    assert history.stored.tolist() == list(range(53, 63))
    assert [history.params(row)["x"] for row in (53, 62)] == [53.0, 62.0]
    assert len(history) == 63


def test_one_point_is_kept_however_wide(monkeypatch):
    monkeypatch.setattr(_history, "POINT_BYTES_KEPT", 1)
    history = History("min", to_python)
    for first in range(3):
        history.append(make_report([-first], first, kept=np.array([0]), points=points_of([first])))
    assert history.stored.tolist() == [2]
    assert history.params(2)["x"] == 2.0


def test_large_points_stay_within_their_bytes():
    history = History("min", lambda point: point[0][0])
    for first in range(12):
        point = (np.full((1, 250_000), first, np.float32),)
        history.append(make_report([-first], first, kept=np.array([0]), points=point))
    assert history.stored.tolist() == list(range(4, 12))  # 8 of 1 MB
    assert [history.params(row) for row in (4, 11)] == [4.0, 11.0]


def test_append_is_fast():
    history = History("min", to_python)
    taken = []
    for first in range(0, 20 * 65_536, 65_536):
        report = make_report(np.zeros(65_536), first, improved=np.zeros(65_536, bool))
        start = time.process_time()
        history.append(report)
        taken.append(time.process_time() - start)
    assert np.median(taken) < 0.02  # it takes about a millisecond


def test_phases_are_named():
    history = History("min", to_python)
    history.append(make_report(np.zeros(len(PHASES)), phase=np.arange(len(PHASES), dtype=np.int8)))
    assert tuple(history["phase"]) == PHASES


def test_candidates_of_some_rows_are_decoded_alone():
    many = []

    def to_python_many(points):
        many.append(len(points[0]))
        return [{"x": float(x)} for x in points[0]]

    history = History("min", to_python, to_python_many)
    assert history.candidates() == []
    kept = np.arange(5)
    history.append(make_report(np.zeros(5), kept=kept, points=points_of(kept)))
    assert history.candidates(np.array([3, 1])) == [{"x": 3.0}, {"x": 1.0}]
    assert many == [2]
    assert len(history.candidates()) == 5
