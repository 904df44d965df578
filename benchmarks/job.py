"""What benchmarks that run jobs have in common: options, processes of their own, lines."""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.provenance import ROOT


def add_options(line: argparse.ArgumentParser, out: Path) -> None:
    """Add `--population`, `--set`, `--out` and the hidden `--job` to a command line.

    Args:
        line: the command line.
        out: default of `--out`.
    """
    add = line.add_argument
    add("--population", type=int, metavar="N", help="candidates a round; each algorithm's default")
    add(
        "--set",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="further settings of the algorithms, values in JSON",
    )
    add(
        "--out",
        type=Path,
        default=out,
        metavar="FILE",
        help=f"JSON lines are appended to it; default {out}",
    )
    add("--job", help=argparse.SUPPRESS)


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """Collect `--population` and `--set`.

    Raises:
        ValueError: if a setting is not KEY=VALUE with a value in JSON.
    """
    found = {} if options.population is None else {"population": options.population}
    for text in options.set:
        key, equals, value = text.partition("=")
        try:
            found[key] = json.loads(value)
        except json.JSONDecodeError:
            raise ValueError(
                f"--set {text}: must be KEY=VALUE with VALUE in JSON. "
                f"Write numbers as they are and words as {key}{equals or '='}'\"word\"'."
            ) from None
    return found


def execute_apart(module: str, job: Mapping[str, Any]) -> dict[str, Any]:
    """Run one job in a process of its own, so that memory and compilations start fresh.

    Args:
        module: what takes `--job` and prints the line to store.
        job: what to run.

    Returns:
        The line to store.

    Raises:
        RuntimeError: if that process failed; the text is its own.
    """
    command = [sys.executable, "-m", module, "--job", json.dumps(job)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout.splitlines()[-1])


def append(out: Path, record: Mapping[str, Any]) -> None:
    """Append a line to a file, whose folder is made if there is none."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a") as file:
        file.write(json.dumps(record) + "\n")
