"""Checkpoints: what is saved comes back, when it is saved, and what becomes of damaged ones."""

import errno
import random
import shutil
import signal
import threading
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from processes import SECONDS, run, start

from jaxhop.storage import _orbax
from jaxhop.storage._checkpoints import Checkpoints


class Inner(NamedTuple):
    mean: object
    count: object


def make_state(step):
    return {
        "inner": Inner(jnp.arange(5, dtype=jnp.bfloat16) + step, np.array(step, np.int32)),
        "a/b's.c\n": [jnp.full((2, 3), step, jnp.float32), (), None, np.zeros((0, 3), np.uint32)],
        "flags": jnp.array([True, False]),
        "words": np.arange(7, dtype=np.uint32) * step,
        "large": np.random.default_rng(step).normal(size=1200),  # in a file of its own
    }


def abstract(tree):
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), tree)


def same(leaves, tree):
    for leaf, own in zip(leaves, jax.tree.leaves(tree), strict=True):
        np.testing.assert_array_equal(leaf, np.asarray(own))
        assert leaf.dtype == own.dtype


def names(directory):
    return sorted(path.name for path in directory.iterdir())


class Clock:
    """Seconds as a test says."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def saved(tmp_path):
    """A directory with the checkpoints 1 and 2."""
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    for step in (1, 2):
        checkpoints.save(step, make_state(step), {"step": step})
    checkpoints.close()
    return tmp_path / "checkpoints"


def test_what_is_saved_comes_back(tmp_path):
    facts = {
        "evaluations": 2**60,
        "best": 0.1 + 0.2,
        "most": float("inf"),
        "text": "é\n",
        "no": None,
    }
    checkpoints = Checkpoints(tmp_path / "a" / "b")
    assert checkpoints.newest(make_state(0)) is None
    checkpoints.save(3, make_state(3), facts)
    checkpoints.wait()
    restored = checkpoints.newest(abstract(make_state(0)))
    assert restored.step == 3
    assert restored.facts == facts
    assert restored.skipped == ()
    same(restored.leaves, make_state(3))
    checkpoints.close()
    checkpoints.close()


@pytest.mark.parametrize("state", [(), {"x": np.zeros((0, 4), np.float32)}])
def test_a_state_may_be_empty(tmp_path, state):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(0, state, {"a": 1})
    checkpoints.wait()
    restored = checkpoints.newest(state)
    assert (restored.step, restored.facts) == (0, {"a": 1})
    same(restored.leaves, state)
    checkpoints.close()


def test_what_is_saved_may_be_changed_or_donated_at_once(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    host, device = np.ones(1000), jnp.ones(1000)
    change = jax.jit(lambda x: x + 1, donate_argnums=0)
    checkpoints.save(1, [host, device], {})
    host += 1
    change(device).block_until_ready()
    checkpoints.wait()
    before = [np.ones(1000), np.ones(1000, np.float32)]
    same(checkpoints.newest(before).leaves, before)
    checkpoints.close()


def test_what_json_cannot_hold_is_refused_at_once(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(TypeError, match="not JSON serializable"):
        checkpoints.save(1, (), {"x": object()})
    checkpoints.close()
    assert names(tmp_path) == []


def test_the_newest_are_kept_and_a_step_is_saved_once(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in (1, 2, 30, 30):
        checkpoints.save(step, {"x": np.array(step)}, {})
    checkpoints.close()
    assert names(tmp_path) == ["state_2", "state_30"]
    again = Checkpoints(tmp_path, keep=3)
    again.save(30, {"x": np.array(30)}, {})
    again.save(31, {"x": np.array(31)}, {})
    again.close()
    assert names(tmp_path) == ["state_2", "state_30", "state_31"]


def test_other_devices_read_what_several_shared(tmp_path):
    script = """
import sys, jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxhop.storage._checkpoints import Checkpoints
mesh = Mesh(np.array(jax.devices()), ("all",))
assert len(jax.devices()) == 4
place = lambda *axes: NamedSharding(mesh, PartitionSpec(*axes))
x = np.arange(8, dtype=np.float32)
checkpoints = Checkpoints(sys.argv[1])
state = {"cut": jax.device_put(x, place("all")), "whole": jax.device_put(x + 1, place())}
checkpoints.save(5, state, {})
checkpoints.close()
"""
    run(script, tmp_path, devices=4)
    x = np.arange(8, dtype=np.float32)
    same(Checkpoints(tmp_path).newest({"cut": x, "whole": x}).leaves, [x, x + 1])


# When a checkpoint is due


def test_every_so_many_seconds(tmp_path):
    clock = Clock()
    checkpoints = Checkpoints(tmp_path, every=10, clock=clock)
    done = []
    for now in (0, 9.9, 10, 11, 19.9, 20.5, 30, 30.5):
        clock.now = now
        if checkpoints.offer(int(now), lambda: {"x": np.zeros(3)}, dict):
            done.append(now)
        checkpoints.wait()
    checkpoints.close()
    assert done == [10, 20.5, 30.5]


def test_a_share_of_the_time_by_what_the_last_one_cost(tmp_path, monkeypatch):
    clock = Clock()
    seconds = {"write": 0.2, "cpu": 0.0}

    def write(manager, step, packed, facts):
        clock.now += seconds["write"]
        seconds["cpu"] += 0.1

    monkeypatch.setattr(_orbax, "write", write)
    monkeypatch.setattr(time, "process_time", lambda: seconds["cpu"])
    checkpoints = Checkpoints(tmp_path, share=0.01, clock=clock)

    def due_at(now):
        clock.now = now
        due = checkpoints.offer(int(now), lambda: (), dict)
        checkpoints.wait()
        return due

    assert not due_at(0.99)
    assert due_at(1.0)
    assert not due_at(10.9)  # the processor took 0.1 of the 0.2 s: a hundredth of 10 s
    assert due_at(11.1)
    seconds["write"] = 0.05
    assert due_at(21.2)
    assert due_at(26.3)  # the processor took no longer than the clock says
    checkpoints.close()


def test_an_offer_neither_waits_nor_asks_for_the_state(tmp_path, monkeypatch):
    go = threading.Event()
    monkeypatch.setattr(_orbax, "write", lambda *_: go.wait(SECONDS))
    checkpoints = Checkpoints(tmp_path, every=0)
    assert checkpoints.offer(1, lambda: (), dict)
    assert not checkpoints.offer(2, lambda: pytest.fail("state"), lambda: pytest.fail("facts"))
    go.set()
    checkpoints.wait()
    assert checkpoints.offer(3, lambda: (), dict)
    checkpoints.close()


def test_an_offer_that_is_not_due_is_cheap(tmp_path):
    checkpoints = Checkpoints(tmp_path, every=1000)
    best = 1.0
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(1000):
            checkpoints.offer(1, dict, dict)
        best = min(best, (time.perf_counter() - began) / 1000)
    assert best < 5e-6


# What is not whole


def damage(path, how):
    if how == "missing":
        path.unlink()
    elif how == "a directory":
        path.unlink()
        path.mkdir()
    else:
        content = bytearray(path.read_bytes())
        if how == "flipped":
            content[len(content) // 2] ^= 4
        path.write_bytes(content[: len(content) // 2] if how == "cut" else content)


@pytest.mark.parametrize("how", ["missing", "a directory", "cut", "flipped"])
@pytest.mark.parametrize("file", ["facts/metadata", "state/_METADATA", "state/manifest.ocdbt"])
def test_an_older_one_is_read_if_the_newest_is_damaged(saved, capfd, file, how):
    damage(saved / "state_2" / file, how)
    checkpoints = Checkpoints(saved)
    restored = checkpoints.newest(make_state(0))
    if file.endswith("_METADATA") and how == "flipped":
        assert restored.step in (1, 2)  # not all of it is needed
    else:
        assert restored.step == 1
        [sentence] = restored.skipped
        assert str(saved / "state_2") in sentence and "is not whole: " in sentence
    same(restored.leaves, make_state(restored.step))
    assert restored.facts == {"step": restored.step}
    assert capfd.readouterr() == ("", "")


def test_no_damage_goes_unseen(saved, capfd):
    random.seed(0)
    before = saved.rename(saved.with_name("before"))
    files = sorted(p.relative_to(before) for p in (before / "state_2").rglob("*") if p.is_file())
    steps = []
    for file in files * 3:
        shutil.copytree(before, saved)
        content = bytearray((saved / file).read_bytes()) or bytearray(1)
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
        (saved / file).write_bytes(content)
        restored = Checkpoints(saved).newest(make_state(0))
        same(restored.leaves, make_state(restored.step))
        assert restored.facts == {"step": restored.step}
        assert len(restored.skipped) == 2 - restored.step
        steps.append(restored.step)
        shutil.rmtree(saved)
    assert set(steps) == {1, 2}
    assert capfd.readouterr() == ("", "")


def test_a_flipped_bit_of_an_array_is_seen(saved):
    file = max((saved / "state_2" / "state").rglob("*"), key=lambda path: path.stat().st_size)
    assert file.stat().st_size > 8000
    damage(file, "flipped")
    restored = Checkpoints(saved).newest(make_state(0))
    assert restored.step == 1
    assert restored.skipped[0].endswith("is not whole: the checksum of its arrays is wrong.")


def test_one_that_is_removed_while_it_is_read_is_not_damaged(saved, monkeypatch):
    read = _orbax.read

    def late(path, like):
        if path.name == "state_2":
            path.rename(saved / "state_3")
        return read(path, like)

    monkeypatch.setattr(_orbax, "read", late)
    restored = Checkpoints(saved).newest(make_state(0))
    assert (restored.step, restored.skipped) == (3, ())
    same(restored.leaves, make_state(2))


def test_none_is_whole(saved):
    for step in (1, 2):
        shutil.rmtree(saved / f"state_{step}" / "state")
    checkpoints = Checkpoints(saved)
    assert checkpoints.newest(make_state(0)) is None
    assert [sentence.rsplit(": ")[1] for sentence in checkpoints.skipped] == [
        "`state` is missing."
    ] * 2


def test_facts_of_others_are_no_checkpoint(saved):
    (saved / "state_2" / "facts" / "metadata").write_text('{"facts": {"step": 9}}')
    restored = Checkpoints(saved).newest(make_state(0))
    assert restored.step == 1
    assert restored.skipped[0].endswith("`facts` is not what jaxhop writes.")


def test_damaged_ones_are_set_aside_and_leftovers_removed(saved):
    damage(saved / "state_2" / "facts" / "metadata", "cut")
    (saved / "state_9.orbax-checkpoint-tmp" / "state").mkdir(parents=True)
    checkpoints = Checkpoints(saved)
    restored = checkpoints.newest(make_state(0))
    assert restored.step == 1
    assert "cut off" in restored.skipped[0]
    assert len(restored.skipped) == 2
    assert names(saved) == ["state_1", "state_2", "state_9.orbax-checkpoint-tmp"]
    checkpoints.save(2, make_state(7), {"step": 7})
    checkpoints.wait()
    assert names(saved) == ["state_1", "state_2", "state_2.damaged"]
    same(checkpoints.newest(make_state(0)).leaves, make_state(7))
    checkpoints.close()


def test_what_others_put_there_stays(saved):
    for name in ("notes", "7", "state_8", "state", "x.orbax-checkpoint-tmp"):
        (saved / name).mkdir()
        (saved / name / "mine.txt").write_text(name)
    (saved / "state_4").write_text("a file")
    checkpoints = Checkpoints(saved, keep=1)
    for step in (3, 4, 5):
        checkpoints.save(step, make_state(step), {"step": step})
    checkpoints.close()
    assert (saved / "state_4.damaged").read_text() == "a file"
    for name in ("notes", "7", "state_8.damaged", "state", "x.orbax-checkpoint-tmp"):
        assert (saved / name / "mine.txt").read_text() == name.removesuffix(".damaged")
    assert Checkpoints(saved).newest(make_state(0)).step == 5


def test_a_state_of_another_search_is_refused(saved):
    other = make_state(0)
    del other["flags"]
    other["more"] = np.zeros(2)
    other["words"] = np.zeros((7, 1), np.int32)
    with pytest.raises(ValueError) as refused:
        Checkpoints(saved).newest(other)
    assert str(refused.value) == (
        f"`{saved / 'state_2'}` is not a state of this search: it has `['flags']`, bool[2]; it"
        " has no `['more']`, float64[2]; `['words']` is uint32[7] in it and int32[7, 1] here."
        " Search as before, or in another directory."
    )


# Disks and processes that fail


@pytest.mark.parametrize("again", ["offer", "save", "wait", "close"])
def test_a_full_disk_is_said_once(tmp_path, monkeypatch, again):
    checkpoints = Checkpoints(tmp_path, every=0)
    checkpoints.save(1, {"x": np.ones(2)}, {})
    checkpoints.wait()

    def write(manager, *_):
        (tmp_path / "state_2.orbax-checkpoint-tmp").mkdir()
        # As tensorstore says it.
        raise ValueError("RESOURCE_EXHAUSTED: Failed to write 9 bytes [os_error_code='28']")

    with monkeypatch.context() as patched:
        patched.setattr(_orbax, "write", write)
        checkpoints.save(2, {"x": np.ones(2)}, {})
        checkpoints._thread.join()
    calls = {
        "offer": lambda: checkpoints.offer(3, dict, dict),
        "save": lambda: checkpoints.save(3, {"x": np.ones(2)}, {}),
        "wait": checkpoints.wait,
        "close": checkpoints.close,
    }
    with pytest.raises(OSError, match=r"state_2.*No space left on device") as raised:
        calls[again]()
    assert raised.value.errno == errno.ENOSPC
    assert names(tmp_path) == ["state_1"]
    checkpoints.save(3, {"x": np.ones(2)}, {})
    checkpoints.close()
    assert names(tmp_path) == ["state_1", "state_3"]


def test_a_disk_that_fails_while_orbax_writes(tmp_path):
    script = """
import os, resource, signal, sys
import numpy as np
from jaxhop.storage._checkpoints import Checkpoints
checkpoints = Checkpoints(sys.argv[1])
state = {"a": np.ones(90_000), "b": np.zeros(90_000)}
checkpoints.save(1, state, {})
checkpoints.wait()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, -1))
checkpoints.save(2, state, {})
try:
    checkpoints.close()
except OSError as error:
    print(error)
print(checkpoints.newest(state).step, checkpoints.skipped, os.listdir(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
checkpoints.save(2, state, {})
checkpoints.close()
print(checkpoints.newest(state).step)
"""
    process = start(script, tmp_path)
    written, error = process.communicate(timeout=SECONDS)
    assert error == ""
    said, rest, again = written.splitlines()
    path = tmp_path / "state_2"
    number = errno.EFBIG
    assert said == f"[Errno {number}] The checkpoint `{path}` could not be written: File too large"
    assert rest == "1 () ['state_1']"
    assert again == "2"


def test_a_place_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    checkpoints = Checkpoints(tmp_path / "file" / "checkpoints")
    checkpoints.save(1, {"x": np.ones(2)}, {})
    with pytest.raises(OSError, match="could not be written: Not a directory"):
        checkpoints.wait()
    assert checkpoints.newest({"x": np.ones(2)}) is None
    checkpoints.close()


def test_only_the_first_process_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    checkpoints = Checkpoints(tmp_path, every=0)
    assert not checkpoints.offer(1, lambda: (), dict)
    checkpoints.save(1, (), {})
    checkpoints.close()
    assert names(tmp_path) == []


def test_one_reads_while_another_writes(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save(0, make_state(0), {"step": 0})
    checkpoints.wait()
    last = 0
    for step in range(1, 30):
        checkpoints.save(step, make_state(step), {"step": step})
        restored = Checkpoints(tmp_path).newest(make_state(0))
        assert restored is not None and restored.step >= last
        last = restored.step
        same(restored.leaves, make_state(last))
    checkpoints.close()
    assert last > 0


def test_a_process_killed_while_it_saves_leaves_a_whole_one(tmp_path):
    script = """
import sys
import numpy as np
from jaxhop.storage._checkpoints import Checkpoints
checkpoints = Checkpoints(sys.argv[1])
for step in range(10_000):
    checkpoints.save(step, {"x": np.full(50_000, step)}, {"step": step})
    checkpoints.wait()
    print(step, flush=True)
"""
    random.seed(1)
    places = [tmp_path / str(number) for number in range(2)]
    processes = [start(script, place) for place in places]
    for process, place in zip(processes, places, strict=True):
        assert process.stdout is not None
        while process.stdout.readline() != "3\n":
            assert process.poll() is None
        time.sleep(random.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        written, error = process.communicate(timeout=SECONDS)
        assert error == ""
        waited = [int(line) for line in written.splitlines(True) if line.endswith("\n")]
        checkpoints = Checkpoints(place)
        restored = checkpoints.newest({"x": np.zeros(50_000, int)})
        assert restored.step >= max(waited, default=3)
        assert restored.facts == {"step": restored.step}
        assert (restored.leaves[0] == restored.step).all()
        following = restored.step + 1
        checkpoints.save(following, {"x": np.full(50_000, following)}, {})
        checkpoints.close()
        assert f"state_{following}" in names(place)
        assert not any("tmp" in name for name in names(place))
