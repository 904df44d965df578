"""Calls the command line in this process, and makes results to show."""

import math

import numpy as np
from click.testing import CliRunner

import jaxhop
from jaxhop._cli import cli
from jaxhop._phases import PhaseTable
from jaxhop._result import Result
from jaxhop._trials import Report


def found(values=(2.0, 1.0, math.nan), stop_reason="evaluations", **changes):
    """A result, made by hand."""
    rows = len(values)
    history = jaxhop.History("min", lambda point: candidate(float(point[0])))
    table = PhaseTable("min")
    report = Report(
        first=0, values=np.array(values), phase=np.ones(rows, np.int8), step=np.arange(rows),
        seconds=np.arange(rows) / 10, temperature=np.ones(rows), accepted=np.ones(rows, bool),
        improved=np.ones(rows, bool), kept=np.arange(rows),
        points=(np.arange(rows) / 4,), best_value=1.0, elapsed=0.2, progress=1.0,
    )  # fmt: skip
    history.append(report)
    table.add(report)
    settings = {
        "best": candidate(0.25), "best_value": 1.0, "history": history, "evaluations": rows,
        "stop_reason": stop_reason, "seconds": 65.0, "compile_seconds": 0.0, "nan_share": 0.0,
        "phases": table.phases(), "direction": "min", "seed": 0,
        "flat": lambda best: {"x": best["x"], "w": best["w"], **best["opt"]},
    }  # fmt: skip
    return Result(**settings | changes)


def candidate(x):
    return {"x": x, "w": np.ones((2, 3), np.float32), "opt": {"act": "\x1b[31mred", "n": 3}}


def call(*arguments, status=0):
    """What a command writes to its output; mistakes are one sentence elsewhere."""
    done = CliRunner().invoke(cli, list(map(str, arguments)))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == status, done.output
    return done.stdout


def mistake(*arguments):
    """What a command says of a mistake."""
    done = CliRunner().invoke(cli, list(map(str, arguments)))
    assert done.exit_code == 2 and done.stdout == "", done.output
    assert isinstance(done.exception, SystemExit), done.exception
    return done.stderr
