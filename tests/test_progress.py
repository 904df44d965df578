"""Callbacks: the live line, the table at the end, the log and the one who calls them."""

import io
import logging
import os
import re
import select
import sys

import numpy as np
import pytest
from reports import make_report

import jaxhop
from jaxhop._budget import Budget
from jaxhop._history import History
from jaxhop._phases import Phase
from jaxhop._result import Result
from jaxhop._trials import Start
from jaxhop.callbacks import Callback, Callbacks, Log, Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self):
        return True


def start(**budget):
    space = jaxhop.Space({"x": jaxhop.float(0, 1, shape=(3,))})
    return Start(
        budget=Budget.of(**budget or {"runtime": "30s"}), direction="min", seed=0, size=space.size,
        space=space, decode=space.to_python_many,
    )  # fmt: skip


def report(evaluations=1_234_567, elapsed=13.0, progress=0.43, best_value=0.0123, **fields):
    return make_report(
        [1.0], evaluations - 1, elapsed=elapsed, progress=progress, best_value=best_value, **fields
    )


def result():
    phases = (Phase("initial", 1, 2.5, 0.02), Phase("anneal", 2_000_000, 0.0123, 29.0))
    return Result(
        best={"x": 0.5}, best_value=0.0123, history=History("min", tuple), stop_reason="runtime",
        evaluations=2_000_001, seconds=30.0, compile_seconds=1.0, nan_share=0.0, phases=phases,
        direction="min", seed=0, flat=dict,
    )  # fmt: skip


def follow(progress, reports, **budget):
    progress.on_start(start(**budget))
    for one in reports:
        progress.on_round(one)
    progress.on_end(result())
    progress.close()


def lines(text):
    return [line for line in re.split("[\r\n]", text) if line.strip()]


def test_the_line_says_where_the_search_stands():
    stream = Terminal()
    follow(Progress(stream=stream), [report()])
    expected = " 43%|████▎     | 00:13<00:17 | 1,234,567 evals, 95k/s | best 0.0123"
    assert expected in [line.rstrip() for line in lines(stream.getvalue())]


def test_the_table_follows_on_lines_of_its_own():
    stream = Terminal()
    follow(Progress(stream=stream), [report()])
    last, heading, initial, anneal = stream.getvalue().rstrip("\n").split("\n")
    assert "best 0.0123" in last
    assert heading.split() == ["phase", "evaluations", "best", "value", "time"]
    assert initial.split() == ["initial", "1", "2.5", "20", "ms"]
    assert anneal.split() == ["anneal", "2,000,000", "0.0123", "29", "s"]


def test_with_a_target_only_there_is_no_percentage():
    stream = Terminal()
    follow(Progress(stream=stream), [report()], target=0.0)
    assert "%" not in stream.getvalue()
    assert "00:13 | 1,234,567 evals, 95k/s | best 0.0123" in stream.getvalue()


@pytest.mark.parametrize(
    ("show", "stream"), [(None, io.StringIO()), (False, io.StringIO()), (False, Terminal())]
)
def test_nothing_is_written_when_it_is_not_shown(show, stream):
    follow(Progress(show, stream), [report()])
    assert stream.getvalue() == ""


def test_nothing_is_written_to_stderr_that_is_no_terminal(capsys):
    follow(Progress(), [report()])
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_there_may_be_no_stderr(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    follow(Progress(), [report()])


def test_it_can_be_shown_where_there_is_no_terminal(capsys):
    follow(Progress(show=True), [report()])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "43%" in captured.err and "anneal" in captured.err


def test_a_log_has_a_line_every_ten_seconds_and_no_control_characters():
    stream = io.StringIO()
    reports = [report(1000 + i, elapsed=i / 10, progress=i / 300) for i in range(300)]
    follow(Progress(show=True, stream=stream), reports)
    text = stream.getvalue()
    first, second, third, last, *table = text.splitlines()
    assert first == "  0% | 00:00<? | 1,000 evals, 0/s | best 0.0123"
    assert second.startswith(" 33% | 00:10<00:20 | 1,100 evals") and third.startswith(" 67% | ")
    assert last.startswith("100% | 00:29<00:00 | 1,299 evals")
    assert [line.split()[0] for line in table] == ["phase", "initial", "anneal"]
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text) is None


def test_a_notebook_has_the_live_line():
    class OutStream(io.StringIO):
        """As ipykernel's, which says that it is no terminal."""

    OutStream.__module__ = "ipykernel.iostream"
    stream = OutStream()
    follow(Progress(stream=stream), [report()])
    assert "\r 43%" in stream.getvalue() and "anneal" in stream.getvalue()


def test_the_line_is_drawn_a_few_times_a_second_at_most():
    stream = Terminal()
    reports = [report(1000 + i, elapsed=i / 1000, progress=i / 1000) for i in range(1000)]
    follow(Progress(stream=stream), reports)
    assert 4 <= stream.getvalue().count("evals") <= 8
    assert "1,999 evals" in stream.getvalue(), "the last report is shown in any case"


EXTREMES = [
    {"evaluations": 1, "elapsed": 0.0, "progress": 0.0, "best_value": np.nan},
    {"evaluations": 9_999_999, "elapsed": 3.5e5, "progress": 0.5, "best_value": -1.2345678e-12},
    {"evaluations": 10**10, "elapsed": 1e6, "progress": 0.001, "best_value": -1.2345678e-123},
    {"evaluations": 12_345_678, "elapsed": 35_999.0, "progress": 1.0, "best_value": -123_456.7},
]


@pytest.mark.parametrize("fields", EXTREMES)
@pytest.mark.parametrize("budget", [{"runtime": 1}, {"target": 0.0}])
def test_the_line_fits_into_80_columns(fields, budget, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("LINES", "50")
    stream = Terminal()
    follow(Progress(stream=stream), [report(**fields)], **budget)
    drawn = [line.rstrip() for line in lines(stream.getvalue())]
    assert any("evals" in line for line in drawn)
    assert max(map(len, drawn)) <= 80


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
@pytest.mark.parametrize("columns", [200, 80, 40])
@pytest.mark.parametrize("budget", [{"runtime": 1}, {"target": 0.0}])
def test_on_a_real_terminal(columns, budget):
    import fcntl
    import struct
    import termios

    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with open(slave, "w", encoding="utf-8") as stream, open(master, "rb", buffering=0) as screen:
        progress = Progress(stream=stream)
        progress.on_start(start(**budget))
        progress.on_round(report())
        progress.close()
        stream.flush()
        written = b""
        while not written.endswith(b"\n") and select.select([master], [], [], 5)[0]:
            written += screen.read(65536)
    text = written.decode()
    assert "00:13" in text
    assert max(map(len, lines(text))) <= columns
    assert text.endswith("\n")


def test_the_line_is_ended_when_the_search_fails():
    stream = Terminal()
    with pytest.raises(RuntimeError), Callbacks([Progress(stream=stream)]) as callbacks:
        callbacks.on_start(start())
        callbacks.on_round(report())
        raise RuntimeError
    assert stream.getvalue().endswith("\n")
    assert "phase" not in stream.getvalue()


def test_a_search_may_end_without_a_report():
    stream = Terminal()
    follow(Progress(stream=stream), [])
    assert "starting" in stream.getvalue()


def test_notes_stand_on_lines_of_their_own(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    handler = logging.StreamHandler(stream)
    logging.getLogger("jaxhop").addHandler(handler)
    try:
        jaxhop.search(lambda params: params["x"], {"x": jaxhop.float(0, 1)}, evaluations=2)
    finally:
        logging.getLogger("jaxhop").removeHandler(handler)
    note, line, *_ = lines(stream.getvalue())
    assert note.startswith("`<lambda>` runs in Python") and note.endswith("silence this line.")
    assert line.endswith("starting")


def test_log_is_silent_unless_turned_on(capsys):
    assert not logging.getLogger("jaxhop").handlers
    callbacks = Callbacks([Log()])
    callbacks.on_round(report())
    callbacks.on_end(result())
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_log_tells_of_phases_improvements_and_the_end(caplog):
    caplog.set_level(logging.INFO, "jaxhop")
    log = Log()
    log.on_start(start())
    log.on_round(make_report([3.0, 2.0]))
    log.on_round(make_report([5.0], first=2, improved=np.array([False])))
    log.on_round(make_report([]))
    log.on_round(make_report([1.0], first=3, phase=np.array([2], np.int8)))
    log.on_end(result())
    assert [record.getMessage() for record in caplog.records] == [
        "start: seed 0, 3 coordinates, Budget(runtime=30.0)",
        "phase explore at evaluation 2",
        "best value 2 at evaluation 2",
        "phase anneal at evaluation 4",
        "best value 1 at evaluation 4",
        "stopped by runtime after 2000001 evaluations in 30 s: best value 0.0123",
    ]


class Recorder:
    """Writes down what it is told."""

    def __init__(self):
        self.told = []

    def on_start(self, info):
        self.told.append(info)

    def on_round(self, report):
        self.told.append(report)

    def on_end(self, result):
        self.told.append(result)

    def close(self):
        self.told.append("close")


def test_every_callback_is_told_in_order():
    recorder, reports = Recorder(), []
    info, one, end = start(), report(), result()
    with Callbacks([recorder, reports.append]) as callbacks:
        callbacks.on_start(info)
        assert callbacks.on_round(one) is False
        callbacks.on_end(end)
    assert recorder.told == [info, one, end, "close"]
    assert reports == [one]


def test_any_callback_can_ask_to_stop_and_all_are_told():
    reports = []
    callbacks = Callbacks([lambda report: np.True_, reports.append])
    assert callbacks.on_round(report()) is True
    assert len(reports) == 1


def test_an_object_needs_one_method_only():
    class OnlyEnd:
        ended = False

        def on_end(self, result):
            self.ended = True

    class Both:
        """Callable for reasons of its own."""

        def on_end(self, result): ...

        def __call__(self, report):
            raise AssertionError

    only_end = OnlyEnd()
    callbacks = Callbacks([only_end, Both()])
    callbacks.on_start(start())
    assert callbacks.on_round(report()) is False
    callbacks.on_end(result())
    assert only_end.ended


def test_a_callback_may_inherit_the_contract():
    class Patience(Callback):
        def on_round(self, report):
            return report.evaluations > 10

    callbacks = Callbacks([Patience()])
    callbacks.on_start(start())
    assert callbacks.on_round(report()) is True
    callbacks.on_end(result())


@pytest.mark.parametrize(
    ("callbacks", "text"),
    [
        ([3], "a function of the report"),
        ([io.StringIO()], "a function of the report"),
        ([Progress], "Say `Progress()`"),
        (print, "Put it in a list"),
        (Log(), "Put it in a list"),
        (None, "a list of callbacks"),
    ],
)
def test_what_is_no_callback_is_refused_at_the_door(callbacks, text):
    with pytest.raises(TypeError) as error:
        Callbacks(callbacks)
    assert text in str(error.value)


def test_an_error_in_a_callback_names_it():
    def broken(report):
        return 1 / 0

    with pytest.raises(ZeroDivisionError) as error:
        Callbacks([broken]).on_round(report())
    assert "`test_an_error_in_a_callback_names_it.<locals>.broken` in `on_round`" in str(
        error.value.__notes__
    )
    with pytest.raises(AttributeError) as error:
        Callbacks([Log()]).on_end(None)  # pyright: ignore[reportArgumentType]
    assert error.value.__notes__ == ["Raised by the callback `Log` in `on_end`."]
