"""Damaged run directories: a sentence, or a search that is right and says what it lost."""

import contextlib
import json
import math
import os
import pickle
import shutil
import sqlite3
import sys
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from processes import start

import jaxhop
from jaxhop.storage import StorageError

PLAIN = {"x": jaxhop.float(-1, 1), "n": jaxhop.int(1, 9), "kind": jaxhop.choice("a", "b")}
WIDE = {"x": jaxhop.float(-1, 1, shape=(3,)), "n": jaxhop.int(1, 9)}
TOTALS = {"python": 24, "jax": 600}
KNOWN = {"python-killed": 15, "python-done": 24, "jax-begun": 400, "jax-done": 600}
ADVICE = ("Put ", "Choose ", "overwrite=True", "Install ", "Make room", "Give ")
USUAL = (" start: ", " goes on after ", " stopped by ")  # lines of a log that say nothing else
calls = []


def loss(params):
    calls.append(params)
    return (params["x"] - 0.3) ** 2 + abs(params["n"] - 6) + (params["kind"] == "a")


def compiled(params):
    return jnp.sum((params["x"] - 0.3) ** 2) + 0.1 * (params["n"] - 6) ** 2


def search(kind, directory, evaluations, fn=loss, **settings):
    settings |= {"evaluations": evaluations, "dir": directory}
    if kind == "python":
        return jaxhop.search(fn, PLAIN, surrogate=False, backend="python", **settings)
    return jaxhop.search(compiled, WIDE, population=8, **settings)


def die(directory):
    """A process that is gone at its 16th evaluation."""

    def ends(params):
        if len(calls) == KNOWN["python-killed"]:
            os._exit(0)
        return loss(params)

    ends.__name__ = "loss"
    search("python", directory, TOTALS["python"], ends)


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """Directories that nothing is wrong with."""
    place = tmp_path_factory.mktemp("whole")
    script = "import sys; sys.path.insert(0, sys.argv[1]); import test_damaged_directories as t"
    script += "; t.die(sys.argv[2])"
    process = start(script, Path(__file__).parent, place / "python-killed")
    search("python", place / "python-done", TOTALS["python"])
    for evaluations in (200, 400):
        search("jax", place / "jax-begun", evaluations)
    shutil.copytree(place / "jax-begun", place / "jax-done")
    search("jax", place / "jax-done", TOTALS["jax"])
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    assert (place / "python-killed" / "trials.sqlite-wal").stat().st_size
    return place


class Seen:
    """Which evaluation was the first that was made, if any was."""

    def __init__(self, total):
        self.first = total

    def on_round(self, report):
        self.first = min(self.first, report.first)


def assert_clear(error, directory):
    """An error names the place and says what to do."""
    text = str(error)
    assert str(directory) in text, text
    assert any(advice in text for advice in ADVICE), text
    assert "Traceback" not in text


def assert_true(kind, result):
    """The best value is that of the best candidate, and the best of the history."""
    fn = loss if kind == "python" else jax.jit(compiled)
    assert math.isclose(float(fn(result.best)), result.best_value, rel_tol=1e-5, abs_tol=1e-7)
    assert result.best_value <= min(result.history["value"], default=math.inf)


def read(kind, directory):
    """Reads a directory without going on; False if it is refused."""
    space = PLAIN if kind == "python" else WIDE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            result = jaxhop.load(directory, space)
        except (StorageError, ValueError) as error:
            assert_clear(error, directory)
            return False
    if result.best is not None:
        assert_true(kind, result)
    return True


def go_on(name, directory, silent=False):
    """Goes on with a search, which must be refused, or right and say what it lost.

    Returns:
        None if it was refused, else whether it said that something was lost.
    """
    kind = name.split("-")[0]
    seen = Seen(TOTALS[kind])
    log = directory / "log"
    before = log.read_bytes() if log.is_file() else b""
    calls.clear()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            result = search(kind, directory, TOTALS[kind], callbacks=[seen])
        except (StorageError, ValueError) as error:
            assert_clear(error, directory)
            return None
    assert {warning.category for warning in told} <= {RuntimeWarning}
    new = log.read_bytes()[len(before) :].decode(errors="replace").splitlines()
    told += [line for line in new if not any(usual in line for usual in USUAL)]
    made = len(calls) if kind == "python" else TOTALS[kind] - seen.first
    assert result.evaluations == TOTALS[kind]
    missing = TOTALS[kind] - len(result.history)
    if made > TOTALS[kind] - KNOWN[name] or missing:
        assert silent or told, f"{made} evaluations were made again, {missing} are missing"
    assert_true(kind, result)
    best = json.loads((directory / "best.json").read_text())
    assert best["value"] == result.best_value
    return bool(told)


def empty(data):
    return b""


def half(data):
    return data[: len(data) // 2]


def short(data):
    return data[:-1]


def flipped(*shares):
    def change(data):
        changed = bytearray(data)
        for share in shares:
            changed[int(share * (len(data) - 1))] ^= 0xFF
        return bytes(changed)

    change.__name__ = f"flipped{'-'.join(f'{share:g}' for share in shares)}"
    return change


def torn(data):
    """A page of zeros, as a file system leaves it."""
    middle = len(data) // 2 // 512 * 512
    return data[:middle] + bytes(min(512, len(data) - middle)) + data[middle + 512 :]


HARM = [empty, half, short, flipped(0.02), flipped(0.3, 0.6), flipped(0.97), torn, None]
TRIALS, LOG = "trials.sqlite", "trials.sqlite-wal"
STATE = "checkpoints/state_*"
ARRAYS = STATE + "/state/ocdbt.process_0/d/*"
PYTHON_FILES = [
    ("python-done", "space.json"), ("python-done", TRIALS), ("python-done", "best.json"),
    ("python-killed", TRIALS), ("python-killed", LOG),
]  # fmt: skip
JAX_FILES = [
    ("jax-begun", TRIALS), ("jax-begun", STATE + "/facts/metadata"), ("jax-begun", ARRAYS),
    ("jax-done", "space.json"), ("jax-done", "best.json"), ("jax-done", TRIALS),
    ("jax-done", STATE), ("jax-done", STATE + "/state"), ("jax-done", STATE + "/facts"),
    ("jax-done", STATE + "/commit_success.txt"), ("jax-done", STATE + "/_CHECKPOINT_METADATA"),
    ("jax-done", STATE + "/state/_METADATA"), ("jax-done", STATE + "/state/manifest.ocdbt"),
]  # fmt: skip
QUICK = [
    *((*file, harm) for file in PYTHON_FILES for harm in HARM[:: 2 if "best" in file[1] else 1]),
    *(("python-killed", TRIALS + "-shm", harm) for harm in (empty, flipped(0.001), None)),
    ("jax-begun", TRIALS, flipped(0.97)), ("jax-begun", ARRAYS, flipped(0.97)),
    ("jax-done", STATE, None),
]  # fmt: skip
SLOW = [  # each compiles its search again
    pytest.param("jax-done", "checkpoints", None, marks=pytest.mark.slow),
]
SLOW += [pytest.param(*file, harm, marks=pytest.mark.slow) for file in JAX_FILES for harm in HARM]


def copy(whole, name, tmp_path):
    return Path(shutil.copytree(whole / name, tmp_path / "run"))


def damage(directory, file, harm):
    """Harms a file, the last one of such a name; of a directory, all that is inside."""
    path = sorted(directory.glob(file))[-1]
    if harm is None:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        return
    for each in [path] if path.is_file() else path.rglob("*"):
        if each.is_file():
            each.write_bytes(harm(each.read_bytes() or b"?"))


def case_name(value):
    return getattr(value, "__name__", "missing" if value is None else str(value).strip("/*"))


@pytest.mark.parametrize(("name", "file", "harm"), [*QUICK, *SLOW], ids=case_name)
def test_damage_is_refused_in_a_sentence_or_made_good(name, file, harm, whole, tmp_path):
    directory = copy(whole, name, tmp_path)
    damage(directory, file, harm)
    read(name.split("-")[0], directory)
    # SQLite takes what is wrong in its log for a write that was cut off.
    go_on(name, directory, silent=file == LOG)


@pytest.mark.parametrize("name", KNOWN)
def test_nothing_is_made_again_where_nothing_is_damaged(name, whole, tmp_path):
    assert go_on(name, copy(whole, name, tmp_path)) is False


def sql(path, statement):
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def settings(directory, **changed):
    path = directory / "space.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


def replaced(directory, data):
    (directory / TRIALS).write_bytes(data)


def foreign(directory):
    (directory / TRIALS).unlink()
    sql(directory / TRIALS, "CREATE TABLE holiday (place TEXT)")


REFUSED = {
    "space.json of a newer version": lambda at: settings(at, version=99),
    "trials.sqlite of a newer version": lambda at: sql(at / TRIALS, "PRAGMA user_version=99"),
    "space.json is a list": lambda at: (at / "space.json").write_text("[1, 2]"),
    "space.json is a number": lambda at: settings(at, space=3),
    "no algorithm in space.json": lambda at: settings(at, algorithm=3),
    "neither rounds nor none in space.json": lambda at: settings(at, rounds="yes"),
    "text in place of trials.sqlite": lambda at: replaced(at, b"Dear diary,\n" * 500),
    "short text in place of trials.sqlite": lambda at: replaced(at, b"Dear diary"),
    "another program's database": foreign,
    "a directory in place of trials.sqlite": lambda at: [
        (at / TRIALS).unlink(), (at / TRIALS).mkdir()
    ],
    "a directory in place of space.json": lambda at: [
        (at / "space.json").unlink(), (at / "space.json").mkdir()
    ],
    "other files and no search": lambda at: [
        *(path.unlink() for path in at.iterdir()), (at / "thesis.tex").write_text("...")
    ],
    "a file": lambda at: [shutil.rmtree(at), at.write_text("...")],
}  # fmt: skip


@pytest.mark.parametrize("wrong", REFUSED)
def test_what_is_not_a_search_of_this_version_is_refused(wrong, whole, tmp_path):
    directory = copy(whole, "python-done", tmp_path)
    REFUSED[wrong](directory)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    read("python", directory)
    assert go_on("python-done", directory) is None
    assert all(at.name == "log" or at.read_bytes() == data for at, data in before.items())


NOTES = {
    "no JSON": "UPDATE seat SET notes = '{\"asks\": '",
    "another type": "UPDATE seat SET notes = '[1]'",
    "no text": "UPDATE seat SET notes = x'80'",
    "infinite": "UPDATE seat SET notes = '{\"asks\": 1e999}'",
    "seconds": "UPDATE seat SET seconds = 'long'",
    "beat": "UPDATE seat SET owner = 'x', beat = 'never'",
    "phase": "UPDATE trial SET phase = 'dream' WHERE id = 3",
    "status": "UPDATE trial SET status = NULL WHERE id = 4",
    "key": "UPDATE trial SET key = 3 WHERE id = 5",
    "order": "UPDATE trial SET ended = 'last' WHERE id = 6",
    "open": "UPDATE trial SET point = x'0102', key = 1 WHERE ended IS NULL",
    "value": "UPDATE trial SET value = -100 WHERE id = 7",
    "column": "ALTER TABLE trial RENAME COLUMN value TO worth",
}


@pytest.mark.parametrize("statement", NOTES, ids=str)
def test_rows_that_are_changed_are_refused_or_made_good(statement, whole, tmp_path):
    directory = copy(whole, "python-killed", tmp_path)
    sql(directory / TRIALS, NOTES[statement])
    read("python", directory)
    go_on("python-killed", directory)


@pytest.mark.parametrize("name", ["jax-done", pytest.param("jax-begun", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE block SET phases = '{', rows = 'many', columns = x'00'",
        "UPDATE block SET last = last - 8 WHERE first = 0",
        "DELETE FROM block WHERE first = (SELECT MAX(first) FROM block)",
    ],
)
def test_blocks_that_are_changed_are_refused_or_made_good(statement, name, whole, tmp_path):
    directory = copy(whole, name, tmp_path)
    sql(directory / TRIALS, statement)
    read("jax", directory)
    go_on(name, directory)


def test_a_file_where_checkpoints_should_be(whole, tmp_path):
    directory = copy(whole, "jax-begun", tmp_path)
    shutil.rmtree(directory / "checkpoints")
    (directory / "checkpoints").write_text("...")
    go_on("jax-begun", directory)
    assert (directory / "checkpoints").read_text() == "..."


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
@pytest.mark.parametrize("mode", [0o000, 0o555])
def test_a_directory_that_cannot_be_written_to(mode, whole, tmp_path):
    directory = copy(whole, "python-killed", tmp_path)
    directory.chmod(mode)
    try:
        assert go_on("python-killed", directory) is None
    finally:
        directory.chmod(0o755)


class Trap:
    """What makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    ("name", "files"),
    [
        *(("python-done", file) for file in ["space.json", TRIALS, "best.json", "best.npz"]),
        ("jax-begun", TRIALS),
        ("jax-begun", "checkpoints/**/*"),
    ],
)
def test_no_file_is_unpickled(name, files, whole, tmp_path):
    directory = copy(whole, name, tmp_path)
    trap = tmp_path / "sprung"
    data = pickle.dumps(Trap(trap))
    for path in [each for each in directory.glob(files) if each.is_file()] or [directory / files]:
        path.write_bytes(data)
    with contextlib.suppress(StorageError), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        jaxhop.load(directory)
    go_on(name, directory)
    assert not trap.exists()
    pickle.loads(data)
    assert trap.exists()


@pytest.mark.parametrize("name", ["python-killed", "python-done"])
def test_reading_a_directory_executes_nothing(name, whole, tmp_path, monkeypatch):
    directory = copy(whole, name, tmp_path)

    def refuse(*arguments, **settings):
        raise AssertionError(f"{arguments} was to be executed")

    ours = [module for key, module in sys.modules.items() if key.split(".")[0] == "jaxhop"]
    for name_of in ("eval", "exec"):
        for module in ours:
            monkeypatch.setattr(module, name_of, refuse, raising=False)
    monkeypatch.setattr(pickle, "loads", refuse)
    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr(pickle, "Unpickler", refuse)
    assert jaxhop.load(directory).best is not None
    assert go_on(name, directory) is False
