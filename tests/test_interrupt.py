"""Ctrl-C and the handler of it, as seen from outside of a search."""

import json
import signal
import threading
import time

import jax.numpy as jnp
import pytest
from processes import finish, start

import jaxhop
from jaxhop._codegen import compiled

SCRIPT = """
import json, signal, time
import jax.numpy as jnp, jaxhop

def mine(number, frame):
    raise AssertionError("the search has a handler of its own")

signal.signal(signal.SIGINT, mine)

def search(callback):
    result = jaxhop.search(
        lambda params: jnp.sum((params["x"] - 1) ** 2),
        {"x": jaxhop.float(-5, 5, shape=(3,))},
        runtime=100, population=16, callbacks=[callback],
    )
    return dict(stop=result.stop_reason, seconds=result.seconds, best_value=result.best_value,
                start=result.history["value"][0], evaluations=result.evaluations)

def say(what):
    print(json.dumps(what), flush=True)

reports = []

def once(report):
    if not reports:
        say("running")
    reports.append(report.evaluations)

say(search(once) | {"reports": reports[-1]})
assert signal.getsignal(signal.SIGINT) is mine

def long(report):
    say("sleeping")
    time.sleep(100)

try:
    search(long)
except KeyboardInterrupt:
    say("KeyboardInterrupt")
assert signal.getsignal(signal.SIGINT) is mine
"""


def test_once_ends_the_search_and_twice_raises():
    process = start(SCRIPT)
    try:
        assert process.stdout is not None

        def said():
            return json.loads(process.stdout.readline() or "null")

        assert said() == "running"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        result = said()
        assert result["stop"] == "interrupted"
        assert 0.2 < result["seconds"] < 50
        assert result["best_value"] < result["start"]
        assert result["evaluations"] == result["reports"] > 1000

        assert said() == "sleeping"
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
        assert said() == "KeyboardInterrupt"
        finish(process)
    finally:
        process.kill()


def loss(params):
    return jnp.sum((params["x"] - 1) ** 2)


def search(**settings):
    space = {"x": jaxhop.float(-5, 5, shape=(3,))}
    return jaxhop.search(loss, space, population=16, **settings)


def test_a_search_leaves_the_handler_as_it_was():
    def handler(number, frame): ...

    within = []
    before = signal.signal(signal.SIGINT, handler)
    try:
        search(
            evaluations=50, callbacks=[lambda _: within.append(signal.getsignal(signal.SIGINT))]
        )
        assert within and within[0] is not handler
        assert signal.getsignal(signal.SIGINT) is handler
        with pytest.raises(ZeroDivisionError):
            search(evaluations=50, callbacks=[lambda report: 1 / 0])
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_signal_before_the_first_evaluation_is_no_failure():
    class Early:
        def on_start(self, info):
            signal.raise_signal(signal.SIGINT)

    result = search(evaluations=10**6, callbacks=[Early()])
    assert result.stop_reason == "interrupted"
    assert 1 <= result.evaluations < 10**6
    assert result.best_value == result.history["value"].min()


def test_off_the_main_thread_no_handler_is_touched():
    found, handlers = [], []

    def work():
        found.append(search(evaluations=50, callbacks=[look]))

    def look(report):
        handlers.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(120)
    assert found[0].stop_reason == "evaluations" and found[0].evaluations == 50
    assert set(handlers) == {before}
    assert signal.getsignal(signal.SIGINT) is before


class Compiler:
    """What is compiled, while somebody presses Ctrl-C."""

    ended = False

    def compile(self, compiler_options):
        signal.raise_signal(signal.SIGINT)
        self.ended = True


def test_what_is_compiled_is_never_interrupted_in_the_midst():
    compiler = Compiler()
    with pytest.raises(KeyboardInterrupt):
        compiled(compiler, "tpu")
    assert compiler.ended
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_the_users_own_is_called_while_something_is_compiled():
    calls = []
    before = signal.signal(signal.SIGINT, lambda number, frame: calls.append(number))
    try:
        compiled(Compiler(), "tpu")
    finally:
        signal.signal(signal.SIGINT, before)
    assert calls == [signal.SIGINT]
