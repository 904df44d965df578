"""The table of trials that several processes share."""

import contextlib
import math
import sqlite3

import numpy as np
import pytest

from jaxhop._row import Row
from jaxhop.evaluators import Outcome
from jaxhop.space import Store
from jaxhop.storage import Ledger, StorageError, read_trials

LIKE = (np.zeros((), np.float32), np.zeros(2, np.int32))


def row(number, phase=1):
    point = (np.float32(number / 4), np.array([number, -number], np.int32))
    return Row(point, {"x": number / 4}, b"key %d" % number, phase, 0.5, 7, number, True, 0.25)


def outcome(value=1.5, **changes):
    known = dict(number=0, status="completed", value=value, curve=(), seconds=0.5, worker=0)
    return Outcome(**{**known, "error": None, **changes})


class Shared:
    """Ledgers on one file, each as if in a process of its own."""

    def __init__(self, path, stack):
        self.path, self._stack = path, stack

    def ledger(self, **settings):
        made = Ledger(self.path, LIKE, Store(), **settings)
        self._stack.callback(made.close)
        made.past()
        return made

    def dies(self, ledger):
        """Its process is gone, without a word."""
        with contextlib.closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("UPDATE seat SET born='gone' WHERE number=?", (ledger.seat,))

    def count(self, what="COUNT(*)"):
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(f"SELECT {what} FROM trial").fetchone()[0]


@pytest.fixture
def shared(tmp_path):
    with contextlib.ExitStack() as stack:
        yield Shared(tmp_path / "trials.sqlite", stack)


def claim(ledger, *numbers, memo=None, seconds=1.0):
    return ledger.claim([row(number) for number in numbers], seconds, memo or {})


def finish(ledger, *rows, value=1.5, seconds=2.0):
    return ledger.finish([(each, outcome(value), "completed", True) for each in rows], seconds)


def test_a_trial_is_read_as_it_was_written(shared):
    ledger = shared.ledger()
    (mine,), _ = claim(ledger, 3)
    before = outcome(-2.5, curve=(1.0, math.inf), cost=0.125, worker=4, seconds=0.75)
    assert ledger.finish([(mine, before, "partial", False)], 2.0) == [True]
    ledger.close()
    past, seconds, notes = read_trials(shared.path, LIKE, None)
    assert (seconds, notes) == (2.0, ())
    assert past.keys == [b"key 3"] and past.texts == ['{"x": 0.75}']
    found = past.row(0)
    assert (found.phase, found.temperature, found.turn, found.index) == (1, 0.5, 7, 3)
    assert (found.full, found.progress, found.id, found.key) == (True, 0.25, mine.id, b"key 3")
    for one, other in zip(found.point, mine.point, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    assert past.outcome(0) == before._replace(number=-1, status="partial")


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e-310, 1 / 3, -0.0, 1.8e308])
def test_values_are_kept_to_the_last_bit(shared, value):
    ledger = shared.ledger()
    finish(ledger, *claim(ledger, 1)[0], value=value)
    found = shared.ledger().past().value
    np.testing.assert_array_equal(found, [value])


def test_a_value_that_is_no_number_stays_one(shared):
    ledger = shared.ledger()
    finish(ledger, *claim(ledger, 1)[0], value=math.nan)
    past = shared.ledger().past()
    assert np.isnan(past.value).tolist() == [True] and np.isnan(past.cost).all()


def test_the_budget_is_shared_exactly(shared):
    one, other = shared.ledger(evaluations=5), shared.ledger(evaluations=5)
    mine, _ = claim(one, 1, 2, 3)
    others, _ = claim(other, 11, 12, 13)
    assert len(mine) == 3 and len(others) == 2
    assert claim(one, 4)[0] == []
    finish(one, *mine)
    finish(other, *others)
    assert claim(one, 5)[0] == [] == claim(other, 14)[0]
    assert one.news() is not None and other.news() is not None
    assert one.ended == other.ended == 5
    assert shared.count() == 5


def test_what_is_under_way_elsewhere_may_be_left_uncounted(shared):
    one = shared.ledger(evaluations=3, count_in_flight=False)
    other = shared.ledger(evaluations=3, count_in_flight=False)
    claim(one, 1, 2)
    assert (one.others, other.others) == (0, 0)
    mine, _ = claim(other, 11, 12, 13, 14)
    assert len(mine) == 3, "its own count"
    finish(other, *mine)
    assert claim(one, 3)[0] == []
    assert other.ended == 3


def test_keys_of_others_are_not_given_again(shared):
    one, other = shared.ledger(), shared.ledger()
    assert claim(one, 1, 2)[1] == []
    mine, taken = claim(other, 2, 3)
    assert [each.key for each in mine] == [b"key 3"]
    assert taken == [b"key 1", b"key 2"]
    assert claim(one, 4)[1] == [b"key 3"]
    assert claim(one, 5)[1] == [], "each is told once"


def test_keys_may_be_given_again_where_that_is_wanted(shared):
    one, other = shared.ledger(twice=True), shared.ledger(twice=True)
    claim(one, 1)
    assert len(claim(other, 1)[0]) == 1


def test_others_know_what_has_ended_in_the_order_of_its_end(shared):
    one, other = shared.ledger(), shared.ledger()
    first, second = claim(one, 1, 2)[0]
    (third,), _ = claim(other, 3)
    other.news()
    finish(one, second, value=2.0)
    finish(other, third, value=3.0)
    finish(one, first, value=1.0)
    news = other.news()
    assert news is not None and news.value.tolist() == [2.0, 1.0]
    assert other.news() is None
    assert (other.ended, one.ended) == (3, 2)
    assert one.news().value.tolist() == [3.0] and one.ended == 3
    assert shared.ledger().past().value.tolist() == [2.0, 3.0, 1.0]


def test_what_was_under_way_belongs_to_who_sits_there_next(shared):
    one = shared.ledger()
    mine, _ = claim(one, 1, 2, 3, memo={"asks": 4})
    finish(one, mine[1])
    one.close()
    later = Ledger(shared.path, LIKE, Store())
    assert (later.seat, later.memo, later.seconds) == (0, {"asks": 4}, 2.0)
    past = later.past()
    assert past.keys == [b"key 2"]
    assert [each.key for each in later.own()] == [b"key 1", b"key 3"]
    assert later.others == 0 and claim(later, 2)[0] != [], "its own keys are the asker's matter"
    later.close()


def test_orphans_are_taken_over_once(shared):
    dead, one, other = (shared.ledger(evaluations=4) for _ in range(3))
    claim(dead, 1, 2)
    one.news(), other.news()
    assert one.orphans() == [], "it lives"
    assert claim(one, 3)[0] != []
    shared.dies(dead)
    one._looked = other._looked = -math.inf
    taken = one.orphans()
    assert [each.key for each in taken] == [b"key 1", b"key 2"]
    other.news()
    assert other.orphans() == []
    finish(one, *taken)
    assert one.ended == 2 and one.others == 0
    assert shared.count() == 3


def test_the_dead_are_not_asked_after_all_the_time(shared):
    dead, one = shared.ledger(), shared.ledger()
    claim(dead, 1)
    one.news()
    assert one.orphans() == []
    shared.dies(dead)
    assert one.orphans() == [], "it has just looked"


def test_a_trial_that_was_taken_over_counts_once(shared):
    slow, one = shared.ledger(evaluations=2), shared.ledger(evaluations=2)
    mine, _ = claim(slow, 1)
    shared.dies(slow)
    one.news()
    (taken,) = one.orphans()
    assert finish(one, taken, value=5.0) == [True]
    assert finish(slow, *mine, value=6.0) == [False]
    assert shared.ledger().past().value.tolist() == [5.0]
    assert slow.news().value.tolist() == [5.0]
    assert slow.ended == 1 and slow.others == 0


def test_who_was_replaced_may_claim_nothing_more(shared):
    slow = shared.ledger()
    shared.dies(slow)
    shared.ledger()
    with pytest.raises(StorageError, match=r"silent for so long.*Start it again"):
        claim(slow, 1)
    assert shared.count() == 0


def test_rounds_have_one_process_and_are_written_when_they_end(shared):
    one = shared.ledger(rounds=True)
    rows, _ = claim(one, 1, 2)
    assert len(rows) == 2 and shared.count() == 0
    assert finish(one, rows[1]) == [True]
    assert one.ended == 1 and shared.count("COUNT(ended)") == 1
    with pytest.raises(StorageError, match="come in rounds has one process"):
        shared.ledger(rounds=True)


def test_values_of_python_parameters_are_shared(shared):
    stores = Store(), Store()
    one, other = (Ledger(shared.path, LIKE, store) for store in stores)
    stores[0].put(b"a", {"tour": [2, 0, 1], "at": (1, None)})
    claim(one, 1)
    assert b"a" not in stores[1]
    other.news()
    assert stores[1].get(b"a") == {"tour": [2, 0, 1], "at": (1, None)}
    stores[1].put(b"b", "other")
    claim(other, 2)
    one.news()
    assert stores[0].get(b"b") == "other"
    one.close(), other.close()
    later = Store()
    read_trials(shared.path, None, later)
    assert set(later.values) == {b"a", b"b"}


def test_a_damaged_row_counts_as_not_evaluated(shared):
    ledger = shared.ledger()
    finish(ledger, *claim(ledger, 1, 2)[0])
    ledger.close()
    with contextlib.closing(sqlite3.connect(shared.path)) as connection, connection:
        connection.execute("UPDATE trial SET value=-9 WHERE id=1")
    past, _, notes = read_trials(shared.path, LIKE, None)
    assert past.keys == [b"key 2"] and "1 of 2 trials are damaged" in notes[0]
    later = Ledger(shared.path, LIKE, Store(), evaluations=2)
    assert later.past().keys == [b"key 2"] and "count as not evaluated" in later.notes[0]
    assert later.ended == 1 and len(claim(later, 1, 3)[0]) == 1
    later.close()


def test_another_space_is_told(shared):
    ledger = shared.ledger()
    finish(ledger, *claim(ledger, 1)[0])
    ledger.close()
    with pytest.raises(StorageError, match="of another space"):
        read_trials(shared.path, LIKE[:1], None)


def test_closing_twice_is_closing(shared):
    ledger = shared.ledger()
    ledger.close()
    ledger.close()
    assert shared.ledger().seat == 0
