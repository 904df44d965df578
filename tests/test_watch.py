"""Searches that are followed from outside: what is read of them, and how a terminal shows it."""

import io
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from commands import call, mistake
from rich.console import Console
from searched import StopAt

import jaxhop
from jaxhop import _watch
from jaxhop._budget import Budget
from jaxhop._keeper import read_budget
from jaxhop._live import Folder, View, line

RED = "\x1b[31m[bold]red"
SPACE = {"x": jaxhop.float(-1, 1), "kind": jaxhop.choice("plain", RED, init=RED, confidence=1)}


def loss(params):
    return (params["x"] - 0.5) ** 2 + (params["kind"] != RED)


def search(directory, fn=loss, evaluations=12, **settings):
    return jaxhop.search(
        fn, SPACE, evaluations=evaluations, dir=directory, progress=False,
        backend="python", surrogate=False, **settings,
    )  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A directory with a search that is over."""
    path = tmp_path_factory.mktemp("runs") / "lr"
    search(path)
    return path


@pytest.fixture
def copied(finished, tmp_path):
    """A directory of one's own with such a search."""
    return shutil.copytree(finished, tmp_path / "lr")


def seen(path):
    [view] = Folder(path).look()
    return view


def again(folder, state):
    """The view when it has another state; directories are not read all the time."""
    deadline = time.monotonic() + 20
    while (view := folder.look()[0]).state != state:
        assert time.monotonic() < deadline, view
        time.sleep(0.02)
    return view


def test_a_search_that_is_over(finished):
    view, loaded = seen(finished), jaxhop.load(finished)
    assert (view.name, view.state, view.direction) == ("lr", "finished", "min")
    assert float(view.best) == loaded.best_value
    assert dict(view.facts)["evaluations"].startswith("12, ")
    assert dict(view.facts)["budget"] == "100% of evaluations 12"
    assert dict(view.params)["kind"] == r"\x1b[31m[bold]red"
    assert view.curve[-1] == (12, loaded.best_value) and view.curve[0][0] == 1
    number, _, value = view.improvements[0]
    assert int(number) == 1 + loaded.history["evaluation"][loaded.history.improvements[-1]]
    assert value == f"{loaded.best_value:.6g}"


def test_looking_changes_nothing(copied):
    def state():
        return {each.name: (each.stat().st_mtime_ns, each.read_bytes()) for each in files}

    files = sorted(copied.iterdir())
    before = state()
    seen(copied)
    assert sorted(copied.iterdir()) == files and state() == before


def test_a_search_that_goes_on_is_seen_from_within(tmp_path):
    views = []

    def looking(params):
        views.append(seen(tmp_path / "run"))
        return loss(params)

    search(tmp_path / "run", looking)
    assert {view.state for view in views} == {"running"}
    facts = dict(views[6].facts)
    assert facts["evaluations"].startswith("6, ") and facts["budget"] == "50% of evaluations 12"
    assert facts["under way"] == "1" and str(os.getpid()) in facts["processes"]
    assert "left" in facts["time"] and "temperature" in facts["phase"]
    assert views[0].best == "" and float(views[6].best) >= float(views[11].best)
    assert seen(tmp_path / "run").state == "finished"


def test_a_jax_search_in_blocks(tmp_path):
    result = jaxhop.search(
        lambda params: (params["w"] ** 2).sum() + 1, {"w": jaxhop.float(-1, 1, shape=(200,))},
        evaluations=500, dir=tmp_path / "run", progress=False, direction="max",
        algorithm=jaxhop.algorithms.random_search(),
    )  # fmt: skip
    view = seen(tmp_path / "run")
    assert float(view.best) == result.best_value and view.direction == "max"
    assert view.params == (("w", "float32[200]"),) and view.hidden == 0
    assert view.curve[-1] == (500, result.best_value)


def test_those_that_failed_are_counted(tmp_path):
    def failing(params):
        return 1 / (params["x"] > 0)

    result = search(tmp_path / "run", failing, on_error="skip")
    failed = (result.history["status"] == "failed").sum()
    assert failed and dict(seen(tmp_path / "run").facts)["not completed"] == f"{failed} failed"


def test_of_very_many_parameters_some_are_shown(tmp_path):
    jaxhop.search(
        lambda params: sum(params["on"]), {"on": [jaxhop.bool()] * 150}, evaluations=2,
        dir=tmp_path / "run", progress=False, backend="python", surrogate=False,
    )  # fmt: skip
    view = seen(tmp_path / "run")
    assert len(view.params) == 100 and view.hidden == 50 and view.params[99][0] == "on.99"


def test_one_that_was_interrupted_and_one_that_was_killed(tmp_path):
    search(tmp_path / "run", callbacks=[StopAt(5)])
    assert seen(tmp_path / "run").state == "interrupted"
    assert dict(seen(tmp_path / "run").facts)["ended by"] == "interrupted"
    (tmp_path / "run" / "best.json").unlink()  # which is what says how it ended
    assert seen(tmp_path / "run").state == "killed"


def test_one_that_has_only_begun(copied):
    (copied / "trials.sqlite").unlink()
    view = seen(copied)
    assert (view.state, view.best, view.direction) == ("starting", "", "min")


@pytest.mark.parametrize("name", ["space.json", "trials.sqlite"])
def test_damage_hides_nothing_that_was_seen(copied, name):
    folder = Folder(copied)
    before = folder.look()[0]
    whole = (copied / name).read_bytes()
    (copied / name).write_bytes(whole[: len(whole) // 2].replace(b"e", b"\0"))
    view = again(folder, "unreadable")
    assert view.best == before.best and "damaged" in view.notes[0]
    assert seen(copied).best == ""
    (copied / name).write_bytes(whole)
    assert again(folder, "finished") == before
    shutil.rmtree(copied)
    assert again(folder, "removed").best == before.best


def test_all_searches_of_a_folder(copied, tmp_path):
    folder = Folder(tmp_path)
    shutil.copytree(copied, tmp_path / "a" / "b" / "deep")
    shutil.copytree(copied, tmp_path / "a" / "b" / "c" / "deeper")
    shutil.copytree(copied, tmp_path / ".hidden")
    (tmp_path / "link").symlink_to(copied)
    assert [view.name for view in folder.look()] == ["a/b/deep", "lr"]
    shutil.copytree(copied, tmp_path / "later")
    assert [view.name for view in folder.look()] == ["a/b/deep", "later", "lr"]
    assert not folder.single and not Folder(tmp_path / "a" / "b" / "c").single


def test_the_budget_is_read_as_it_was_given(tmp_path):
    given = [{"runtime": "1h"}, {"evaluations": 10**6, "cost": 2.5}, {"target": -1e-9}]
    for number, each in enumerate([*given, {"patience": 7}]):
        budget = Budget.of(**each)
        with open(tmp_path / "log", "a") as file:
            file.write(f"2026-01-01 00:00:0{number} start: seed 0, 2 coordinates, {budget}\n")
            file.write(f"2026-01-01 00:00:0{number} stopped by Budget(runtime=3)\n")
        assert read_budget(tmp_path) == budget
    (tmp_path / "log").write_text("2026-01-01 00:00:00 start: seed 0, x, Budget(runtime=x)\n")
    assert read_budget(tmp_path) is None and read_budget(tmp_path / "none") is None


def test_a_log_gets_a_line_for_each_change(finished, capsys, monkeypatch):
    looks = []

    def sleep(seconds):
        looks.append(seconds)
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(_watch.time, "sleep", sleep)
    _watch.watch(str(finished), 0.5, once=False)
    [only] = capsys.readouterr().out.splitlines()
    assert only.isprintable() and "lr: finished, best " in only and looks == [0.5] * 3


def test_once_is_one_line_a_search(finished):
    text = call("watch", finished.parent, "--once")
    assert text.count("\n") == 1 and text[:-1].isprintable()
    assert f"best {jaxhop.load(finished).best_value!r} (min), evaluations 12" in text


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_pictures_fit(finished, tmp_path, width, encoding):
    folder, view = Folder(finished), seen(finished)
    names = tuple((f"opt.{'long' * 20}.{n}", "value " * 30) for n in range(100))
    many = View(**{**vars(view), "params": names, "notes": ("a note " * 30,), "hidden": 5})
    for views, several in [([view], False), ([many], False), ([view, many] * 20, True)]:
        file = io.TextIOWrapper(io.BytesIO(), encoding, errors="replace")
        console = Console(file=file, width=width, height=24, force_terminal=False)
        place = Folder(tmp_path) if several else folder
        if not several:
            folder.look()
        console.print(_watch._picture(place, views, console))
        file.seek(0)
        lines = file.read().splitlines()
        assert max(map(len, lines)) <= width and f"{float(view.best):.6g}"[:6] in "\n".join(lines)
        assert all(text.isprintable() for text in lines) and len(lines) <= 30
        assert (r"\x1b[31m[bold]red" in "\n".join(lines)) == (views == [view])


def test_the_curve_falls_from_left_to_right():
    values = tuple((number, 10.0**-number) for number in range(1, 9))
    heights = _watch._heights(View(name="a", curve=values, log=True), 8, 70)
    assert heights == [70, 60, 50, 40, 30, 20, 10, 1]
    flat = View(name="a", curve=((1, 2.0), (5, 2.0)))
    assert _watch._heights(flat, 3, 7) == [0, 0, 0]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_terminal_is_left_as_it_was(finished, number, status):
    """The screen of before comes back, with the last picture, and the cursor."""
    parent, child = pty.openpty()
    command = [sys.executable, "-W", "error", "-m", "jaxhop", "watch", str(finished)]
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    pipes: dict[str, Any] = {"stdin": child, "stdout": child, "stderr": child}
    process = subprocess.Popen(command, env=environment, start_new_session=True, **pipes)
    os.close(child)
    written = b""
    try:
        while b"best value" not in written:
            written += os.read(parent, 4096)
        process.send_signal(number)
        while process.poll() is None or b"\x1b[?1049l" not in written:
            written += os.read(parent, 4096)
    except OSError:  # the other end is closed
        pass
    finally:
        process.kill()
        os.close(parent)
    assert process.wait() == status and b"Traceback" not in written
    screen, left = written.split(b"\x1b[?1049l")
    assert b"\x1b[?1049h" in screen and b"\x1b[?25h" in written.rpartition(b"\x1b[?25l")[2]
    assert b"best value" in left


def test_mistakes_are_one_sentence(tmp_path):
    assert "there is no such directory" in mistake("watch", tmp_path / "none")
    script = 'import sys; sys.modules["rich"] = None; from jaxhop.__main__ import main; main()'
    command = [sys.executable, "-c", script, "watch", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == 'Error: `jaxhop watch` needs rich. Run `pip install "jaxhop[cli]"`.\n'


def test_a_view_on_one_line_has_its_notes():
    text = line(View(name="a", state="unreadable", notes=("it is damaged",)))
    assert text == "a: unreadable, it is damaged"
