"""Run algorithms on problems and append one JSON line a run."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.job import (
    Job,
    Line,
    add_options,
    answer,
    execute_apart,
    key,
    perform,
    settings,
    stored,
)
from benchmarks.problems import PROBLEMS, Problem
from benchmarks.provenance import commit, stamp
from benchmarks.rivals import RIVALS
from benchmarks.suites import CLASSIC

JOB = ("problem", "dim", "algorithm", "seed", "budget", "settings")
"""The fields of a job, which tell one run from another."""

SUITES: Mapping[str, Mapping[str, Any]] = {
    "classic": {"problem": CLASSIC, "dim": [100], "evaluations": 20_000},
}
"""Sets of problems with a size and a budget, by name."""

DEFAULT_OUT = Path("benchmarks/out/runs.jsonl")

EXAMPLES = """examples:
  python -m benchmarks.run --suite classic --algorithm jaxhop pyhopper SNES
  python -m benchmarks.run --problem sphere --dim 1000 --evaluations 50000 --seeds 5
  python -m benchmarks.run --problem tsp --dim 200 --algorithm jaxhop pyhopper --seconds 20
  python -m benchmarks.run --problem digits_mlp --population 64 --evaluations 20000
  python -m benchmarks.run --problem sphere --algorithm SNES --set std=1.0 --out trial.jsonl

A run that already stands in the file with the same commit (and the same changes to it) is not
repeated, so an interrupted command is simply given again. Read the file with
`python -m benchmarks.report FILE`.
"""


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    line = argparse.ArgumentParser(
        prog="python -m benchmarks.run",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = line.add_argument
    add("--problem", nargs="+", choices=PROBLEMS, metavar="NAME", help=f"of {', '.join(PROBLEMS)}")
    add("--dim", nargs="+", type=int, metavar="D", help="coordinates; the problem's own if absent")
    add("--suite", choices=SUITES, help="problems, size and budget by name; options override it")
    add(
        "--algorithm",
        nargs="+",
        choices=RIVALS,
        default=["jaxhop"],
        metavar="NAME",
        help=f"of {', '.join(RIVALS)}; default jaxhop",
    )
    add("--evaluations", type=int, metavar="N", help="budget; default 20000, or the suite's")
    add("--seconds", type=float, metavar="S", help="budget in seconds instead")
    add("--seeds", type=int, default=3, metavar="N", help="seeds 0 to N-1; default 3")
    add_options(line, DEFAULT_OUT)
    add("--in-process", action="store_true", help="run here, not in a fresh process for each run")
    return line


def jobs(options: argparse.Namespace) -> Iterator[Job]:
    """List the runs that the command line asks for, one seed after the other.

    Raises:
        ValueError: if the options do not say what to run.
    """
    suite = SUITES.get(options.suite, {})
    names = options.problem or suite.get("problem")
    if not names:
        raise ValueError("`--problem` or `--suite` must be given, but neither was. Add one.")
    for name in ("evaluations", "seconds", "seeds", "population"):
        amount = getattr(options, name)
        if amount is not None and amount <= 0:
            raise ValueError(f"--{name} {amount}: must be positive. Raise it or leave it out.")
    if options.evaluations and options.seconds:
        raise ValueError(
            f"--evaluations {options.evaluations} and --seconds {options.seconds}: "
            "the budget must be one of the two. Drop one."
        )
    evaluations = options.evaluations or suite.get("evaluations", 20_000)
    budget = {"seconds": options.seconds} if options.seconds else {"evaluations": evaluations}
    problems = [
        Problem.of(name, dim)
        for name in names
        for dim in options.dim or suite.get("dim") or [None]
    ]
    for seed in range(options.seeds):
        for problem in problems:
            for algorithm in options.algorithm:
                yield {
                    "problem": problem.name,
                    "dim": problem.dim,
                    "algorithm": algorithm,
                    "seed": seed,
                    "budget": budget,
                    "settings": settings(options),
                }


def execute(job: Job) -> Line:
    """Run one job in this process.

    Args:
        job: what to run, as `jobs` yields it.

    Returns:
        The line to store.
    """
    rival, problem = RIVALS[job["algorithm"]], Problem.of(job["problem"], job["dim"])
    run = rival.run(problem, job["seed"], **job["budget"], **job["settings"])
    instance = problem.make(job["seed"])
    known = {"optimum": instance.optimum, "reference": instance.reference}
    # The machine is described last: looking for devices takes memory.
    return {**stamp([rival.package]), **job, **known, **asdict(run)}


def left(wanted: Iterable[Job], out: Path) -> Iterator[Job]:
    """Pass on the jobs that do not stand in a file, and say which do."""
    name, _ = commit()
    seen = stored(out, JOB, name)
    for job in wanted:
        if key(job, JOB) in seen:
            print(f"{_title(job)}: stands in {out} already")
        else:
            yield job


def _title(job: Job) -> str:
    return f"{job['problem']} D={job['dim']:,} {job['algorithm']} seed {job['seed']}"


def _found(line: Line) -> str:
    return (
        f"{line['best']:.4g} after {line['evaluations']:,} evaluations "
        f"in {line['seconds']:.2f} s (+ {line['compile_seconds']:.2f} s compilation)"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for.

    Args:
        arguments: the command line, that of the process if None.

    Returns:
        0, or 1 if a run failed.
    """
    line = parser()
    options = line.parse_args(arguments)
    if options.job:
        return answer([execute(options.job)])
    try:
        wanted = list(jobs(options))
    except ValueError as error:
        line.error(str(error))
    do = execute if options.in_process else partial(execute_apart, "benchmarks.run")
    _, failed = perform(left(wanted, options.out), do, options.out, _title, _found)
    return failed


if __name__ == "__main__":
    sys.exit(main())
