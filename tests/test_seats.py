"""Who sits in a run directory: every process has a number, and the dead leave theirs."""

import contextlib
import os
import subprocess
import time

import pytest

from jaxhop.storage import StorageError, _seats
from jaxhop.storage._database import connect, transaction
from jaxhop.storage._seats import SCHEMA, Seats, born, this_host


class Room:
    """A database with seats; each sitter has a connection of its own."""

    def __init__(self, path, stack):
        self.path, self._stack = path, stack

    def sitter(self, lease=60.0):
        connection = connect(self.path, SCHEMA)
        seats = Seats(connection, self.path, lease)
        self._stack.callback(connection.close)
        self._stack.callback(seats.leave)
        return seats

    def change(self, number, **columns):
        connection = connect(self.path, SCHEMA)
        with transaction(connection):
            for name, value in columns.items():
                connection.execute(f"UPDATE seat SET {name}=? WHERE number=?", (value, number))
        connection.close()

    def row(self, number):
        connection = connect(self.path, SCHEMA)
        found = connection.execute("SELECT * FROM seat WHERE number=?", (number,)).fetchone()
        connection.close()
        return found


@pytest.fixture
def room(tmp_path):
    with contextlib.ExitStack() as stack:
        yield Room(tmp_path / "trials.sqlite", stack)


def test_everybody_has_a_seat_and_the_lowest_free_one_is_taken(room):
    sitters = [room.sitter() for _ in range(3)]
    assert [sitter.take().number for sitter in sitters] == [0, 1, 2]
    sitters[1].leave()
    assert room.sitter().take().number == 1
    assert room.sitter().take().number == 3


def test_leaving_twice_is_leaving(room):
    sitter = room.sitter()
    sitter.take()
    sitter.leave()
    sitter.leave()
    assert room.row(0)[1] is None
    assert not sitter.held()


def test_what_was_noted_is_for_who_sits_there_next(room):
    one, other = room.sitter(), room.sitter()
    one.take(), other.take()
    one.note(2.5, "first")
    other.note(7.0, "second")
    one.note(3.0)
    one.leave(), other.leave()
    later = room.sitter()
    assert later.take() == (0, 7.0, "first", ())
    assert room.sitter().take()[:3] == (1, 7.0, "second")


def test_a_fresh_seat_has_nothing(room):
    assert room.sitter().take()[:3] == (0, 0.0, None)


@pytest.mark.parametrize(
    ("columns", "lives"),
    [
        ({}, True),
        ({"pid": 2**22 + 5}, False),  # no system gives such a number
        ({"born": "another time"}, False),
        ({"beat": 0.0}, False),
        ({"host": "elsewhere boot space"}, True),
        ({"host": "elsewhere boot space", "beat": 0.0}, False),
    ],
)
def test_who_lives(room, columns, lives):
    sitter, other = room.sitter(), room.sitter()
    sitter.take()
    room.change(0, **columns)
    assert other.take().number == int(lives)
    assert other.dead() == []


def test_the_dead_are_known(room):
    one, other = room.sitter(), room.sitter()
    one.take(), other.take()
    assert other.dead() == []
    room.change(0, born="another time")
    assert other.dead() == [0]
    assert one.held(), "nobody has taken it yet"
    assert room.sitter().take().number == 0
    assert not one.held() and other.held()


def test_who_lost_a_seat_notes_nothing_there(room):
    one = room.sitter()
    one.take()
    room.change(0, born="another time")
    other = room.sitter()
    other.take()
    other.note(5.0, "other")
    one.note(9.0, "one")
    one.leave()
    assert other.held()
    other.leave()
    assert room.sitter().take()[:3] == (0, 5.0, "other")


def test_a_search_in_rounds_has_one_process(room):
    room.sitter().take(alone=True)
    with pytest.raises(StorageError, match=f"process {os.getpid()} on .* searches there now"):
        room.sitter().take(alone=True)


def test_a_search_in_rounds_follows_a_dead_one(room):
    room.sitter().take(alone=True)
    room.change(0, born="another time")
    assert room.sitter().take(alone=True).number == 0


def test_one_of_another_machine_is_waited_for_until_its_lease_is_over(room):
    room.sitter(lease=3600).take()
    room.change(0, host="elsewhere boot space", beat=time.time() - 59.5)
    begin = time.monotonic()
    assert room.sitter().take(alone=True).number == 0
    assert 0.1 < time.monotonic() - begin < 5


def test_one_of_another_machine_that_shows_life_is_no_longer_waited_for(room, monkeypatch):
    room.sitter(lease=3600).take()
    room.change(0, host="elsewhere boot space", beat=time.time() - 1)
    monkeypatch.setattr(_seats.time, "sleep", lambda seconds: room.change(0, beat=time.time() + 1))
    with pytest.raises(StorageError, match="on elsewhere searches there now"):
        room.sitter().take(alone=True)


def test_the_heart_beats_beside_the_search(room):
    sitter = room.sitter(lease=0.2)
    sitter.take()
    first = room.row(0)[5]
    time.sleep(0.5)
    assert room.row(0)[5] > first + 0.1
    assert room.sitter(lease=0.2).take().number == 1, "it lives, and its lease is renewed"
    sitter.leave()
    last = room.row(0)[5]
    time.sleep(0.2)
    assert room.row(0)[5] == last


def test_processes_are_told_apart():
    assert born(os.getpid()) == born(os.getpid()) is not None
    assert born(2**22 + 5) is None
    assert born(1) != born(os.getpid())


def test_a_zombie_is_dead():
    child = subprocess.Popen(["true"])
    try:
        for _ in range(500):
            if born(child.pid) is None:
                break
            time.sleep(0.01)
        assert born(child.pid) is None
    finally:
        child.wait()


def test_this_machine_is_always_called_the_same():
    assert this_host() == this_host() != ""
