"""What benchmarks that run jobs have in common: options, processes of their own, lines."""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from benchmarks.provenance import ROOT

Job = Mapping[str, Any]
"""What to run, in JSON values."""

Line = dict[str, Any]
"""What is stored of a run, in JSON values."""


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
    add_job(line)


def add_job(line: argparse.ArgumentParser) -> None:
    """Add the hidden `--job`, by which a command gives a job to a process of its own."""
    line.add_argument("--job", type=json.loads, help=argparse.SUPPRESS)


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


def answer(lines: Iterable[Line]) -> int:
    """Print the lines of a job when they come: what a command does that was given `--job`.

    Returns:
        0, the exit status.
    """
    for line in lines:
        print(json.dumps(line), flush=True)
    return 0


def execute_apart(module: str, job: Job) -> Line:
    """Run a job of one line in a process of its own: memory and compilations start fresh.

    Args:
        module: the command that takes `--job`.
        job: what to run.

    Returns:
        The line to store.

    Raises:
        RuntimeError: if that process failed; the text is its own.
    """
    command = _command(module, job)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout.splitlines()[-1])


def stream_apart(
    module: str, job: Job, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[Line]:
    """Run a job of many lines in a process of its own, whose errors are shown as they come.

    Args:
        module: the command that takes `--job`.
        job: what to run.
        arguments: what else the command must be given.
        environment: variables of that process; those of this one if None.

    Yields:
        A line to store, when it comes.

    Raises:
        RuntimeError: if that process failed; its text was shown.
    """
    command = _command(module, job, *arguments)
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for text in process.stdout:
            if text.startswith("{"):
                yield json.loads(text)
    if process.returncode:
        raise RuntimeError(f"failed with code {process.returncode}")


def _command(module: str, job: Job, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments, "--job", json.dumps(job)]


def perform(
    jobs: Iterable[Job],
    execute: Callable[[Job], Line],
    out: Path,
    title: Callable[[Job], str],
    found: Callable[[Line], str],
    shown: TextIO | None = None,
) -> tuple[list[Line], int]:
    """Run jobs one after the other, append their lines to a file and say what they found.

    Args:
        jobs: what to run.
        execute: runs one of them, here or in a process of its own.
        out: the file.
        title: names a job for people.
        found: tells people what a line holds.
        shown: where they read it; None is standard output, where no table is printed to it.

    Returns:
        The lines of the jobs that went well, and 0, or 1 if one failed.
    """
    lines, failed = [], 0
    for job in jobs:
        try:
            line = execute(job)
        except Exception as error:
            # One job that cannot be done must not cost the others their night.
            print(f"{title(job)}: failed\n{error}", file=sys.stderr)
            failed = 1
            continue
        append(out, line)
        lines.append(line)
        print(f"{title(job)}: {found(line)}", file=shown, flush=True)
    return lines, failed


def append(out: Path, line: Mapping[str, Any]) -> None:
    """Append a line to a file, whose folder is made if there is none."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a") as file:
        file.write(json.dumps(line) + "\n")


def load(path: Path) -> list[Line]:
    """Read the lines of a file; there are none if there is no file."""
    return [json.loads(text) for text in path.read_text().splitlines()] if path.exists() else []


def key(job: Job, fields: Sequence[str]) -> str:
    """Write down some fields of a job or a line, by which it is told from others."""
    return json.dumps([job[field] for field in fields], sort_keys=True)


def stored(path: Path, fields: Sequence[str], commit: str) -> set[str]:
    """Keys of the lines that stand in a file and were made by a commit."""
    return {key(line, fields) for line in load(path) if line["commit"] == commit}


def newest(paths: Iterable[Path], fields: Sequence[str]) -> list[Line]:
    """Read the lines of files; of those that have some fields in common, the newest counts."""
    kept: dict[str, Line] = {}
    for path in paths:
        for line in load(path):
            own = key(line, fields)
            if own not in kept or kept[own]["date"] <= line["date"]:
                kept[own] = line
    return list(kept.values())
