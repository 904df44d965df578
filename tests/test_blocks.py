"""The evaluations of a compiled search, a block of columns for each visit."""

import contextlib
import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reports import make_report

from jaxhop.storage import Blocks, StorageError, _blocks, read_blocks

LIKE = (np.zeros((), np.float32), np.zeros(2, np.int32))


def report(first, number, *, salt=0, kept=None, improved=None, step=0):
    """Evaluations whose values tell them apart, and whose points are made of the values."""
    numbers = np.arange(first, first + number)
    values = numbers + salt / 8
    kept = np.arange(number) if kept is None else np.asarray(kept, np.int64)
    if improved is None:
        improved = np.zeros(number, bool)
    points = (values[kept].astype(np.float32), np.stack([numbers, -numbers], 1)[kept].astype("i4"))
    return make_report(
        values, first, improved=improved, kept=kept, points=points, elapsed=float(first + number),
        step=np.full(number, step), best_value=float(values.min(initial=np.inf)),
    )  # fmt: skip


def phases(number):
    return {"evaluations": number}


class Written:
    """A database, opened anew for each use."""

    def __init__(self, path, like=LIKE):
        self.path, self.like = path, like

    def write(self, *reports):
        with contextlib.closing(Blocks(self.path, self.like)) as blocks:
            for each in reports:
                blocks.write(each, phases(each.evaluations))

    def read(self, until=None):
        return read_blocks(self.path, self.like, until)

    def change(self, statement, *values):
        with contextlib.closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(statement, values)


@pytest.fixture
def written(tmp_path):
    return Written(tmp_path / "trials.sqlite")


def assert_points(found):
    """Every point is the one of its row."""
    values, numbers = found.columns["values"][found.kept], found.numbers[found.kept]
    np.testing.assert_array_equal(found.points[0], values.astype(np.float32))
    np.testing.assert_array_equal(found.points[1], np.stack([numbers, -numbers], 1))


def test_reports_are_read_as_they_were_written(written):
    reports = report(0, 5, step=1), report(5, 3, kept=[1], improved=np.array([0, 1, 0], bool))
    written.write(*reports)
    found = written.read()
    assert found.numbers.tolist() == list(range(8)) and found.kept.tolist() == [0, 1, 2, 3, 4, 6]
    for name in ("values", "phase", "step", "seconds", "temperature", "accepted", "improved"):
        expected = np.concatenate([getattr(each, name) for each in reports])
        np.testing.assert_array_equal(found.columns[name], expected)
        assert found.columns[name].dtype == expected.dtype
    assert_points(found)
    assert (found.evaluations, found.seconds, found.notes) == (8, 8.0, ())
    assert found.phases == phases(8)


def test_nothing_was_written(written):
    written.write()
    found = written.read()
    assert (found.evaluations, found.seconds, found.phases, found.notes) == (0, 0.0, None, ())
    assert [column.shape for column in found.points] == [(0,), (0, 2)]


def test_values_are_kept_to_the_last_bit(written):
    values = np.array([np.nan, -0.0, 1 / 3, 5e-324])
    written.write(make_report(values))
    np.testing.assert_array_equal(written.read().columns["values"], values)
    assert np.signbit(written.read().columns["values"][1])


parts = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 15)), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(parts=parts, until=st.none() | st.integers(0, 60), thin=st.booleans())
def test_what_is_written_again_replaces_what_was(tmp_path_factory, parts, until, thin):
    """Against a plain dict of rows, for blocks that overlap in any way."""
    written = Written(tmp_path_factory.mktemp("blocks") / "trials.sqlite")
    rows = {}
    end = 0
    reports = []
    for salt, (first, number) in enumerate(parts):
        first = min(first, end)  # there are no gaps
        kept = range(salt % 2, number, 2) if thin else range(number)
        reports.append(report(first, number, salt=salt, kept=list(kept)))
        end = max(end, first + number)
        pointed = set(kept)
        rows |= {first + at: (first + at + salt / 8, at in pointed) for at in range(number)}
    written.write(*reports)
    found = written.read(until)
    rows = {number: row for number, row in rows.items() if until is None or number < until}
    assert found.numbers.tolist() == sorted(rows)
    assert found.columns["values"].tolist() == [rows[number][0] for number in sorted(rows)]
    pointed = [at for at, number in enumerate(sorted(rows)) if rows[number][1]]
    assert found.kept.tolist() == pointed
    assert_points(found)
    assert found.evaluations == len(rows)
    assert bool(found.notes) == (until is not None and until > end), "some are missing"


def test_of_many_every_other_one_is_kept_then_every_fourth(written):
    whole = 2**_blocks._ALL
    visit = whole // 2
    best = np.zeros(visit, bool)
    best[[5, 44_445]] = True
    reports = [
        report(first, visit, kept=[5, 44_445], improved=best)
        for first in range(0, 5 * whole, visit)
    ]
    written.write(*reports)
    found = written.read()
    assert found.evaluations == 5 * whole and found.phases == phases(5 * whole)
    numbers = found.numbers
    improved = found.columns["improved"]
    assert improved.sum() == 2 * len(reports), "all improvements"
    assert np.all(np.diff(numbers) > 0)
    others = numbers[~improved]
    for low, high, stride in ((0, 1, 1), (1, 2, 2), (2, 4, 4), (4, 5, 8)):
        inside = (numbers >= low * whole) & (numbers < high * whole)
        kept = others[(others >= low * whole) & (others < high * whole)]
        assert np.all(kept % stride == 0)
        assert whole * (high - low) // stride <= inside.sum() <= whole * (high - low) // stride + 8
    assert found.kept.tolist() == np.flatnonzero(improved).tolist()
    assert_points(found)
    assert written.path.stat().st_size < 50 * len(numbers)


def test_what_is_kept_does_not_depend_on_the_visits(tmp_path):
    few, many = Written(tmp_path / "few"), Written(tmp_path / "many")
    first, number = 2 ** (_blocks._ALL + 1) - 50, 300
    few.write(report(first, number))
    many.write(*(report(first + at, 60) for at in range(0, number, 60)))
    one, other = few.read(), many.read()
    np.testing.assert_array_equal(one.numbers, other.numbers)
    np.testing.assert_array_equal(one.kept, other.kept)
    assert 300 / 8 < len(one.numbers) < 300 / 2


def test_when_points_are_many_those_of_improvements_alone_are_kept(written, monkeypatch):
    monkeypatch.setattr(_blocks, "_ALL_BYTES", 30 * 12)
    best = np.zeros(20, bool)
    best[3] = True
    written.write(*(report(first, 20, improved=best) for first in range(0, 60, 20)))
    found = written.read()
    assert found.kept.tolist() == [*range(40), 43]
    written.write(report(60, 20, improved=best))  # what is there counts
    found = written.read()
    assert found.kept.tolist() == [*range(40), 43, 63]
    assert_points(found)


def test_wide_points_are_left_out(tmp_path):
    wide = Written(tmp_path / "trials.sqlite", (np.zeros(2**14 + 1, np.float32),))
    points = (np.zeros((1, 2**14 + 1), np.float32),)
    wide.write(make_report([3.0, 2.0], kept=np.array([1]), points=points))
    found = wide.read()
    assert found.columns["values"].tolist() == [3.0, 2.0]
    assert found.kept.tolist() == [] and found.points[0].shape == (0, 2**14 + 1)
    assert wide.path.stat().st_size < 2**16


def test_read_without_points(written):
    written.write(report(0, 4))
    found = read_blocks(written.path, None)
    assert found.columns["values"].tolist() == [0, 1, 2, 3]
    assert found.kept.tolist() == [] and found.points == ()


@pytest.mark.parametrize(
    "change",
    [
        "columns=zeroblob(length(columns))", "points=substr(points, 2)", "rows=rows+1",
        "seconds=3.5", "phases='{}'", "kept='text'", "sum=sum+1", "last=last-1",
    ],
)  # fmt: skip
def test_a_damaged_block_is_left_out_and_said(written, change):
    written.write(report(0, 5), report(5, 4), report(9, 2))
    written.change(f"UPDATE block SET {change} WHERE first=5")
    found = written.read()
    assert found.numbers.tolist() == [0, 1, 2, 3, 4, 9, 10]
    assert len(found.notes) == 1 and "4 evaluations is damaged" in found.notes[0]
    assert found.evaluations == 11
    assert_points(found)
    written.write(report(5, 4, salt=2))
    assert written.read().numbers.tolist() == list(range(11)) and not written.read().notes


def test_one_process_writes(written):
    with contextlib.closing(Blocks(written.path, LIKE)):
        with pytest.raises(StorageError, match="searches there now"):
            Blocks(written.path, LIKE)
    written.write(report(0, 2))


def test_closing_twice_is_closing(written):
    blocks = Blocks(written.path, LIKE)
    blocks.close()
    blocks.close()
