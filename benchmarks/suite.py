"""Run a suite: every rival on every task, resumed where it was left, and report on it."""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from benchmarks import hpo, network, tables
from benchmarks.job import Job, Line, add_job, answer, append, load, stream_apart
from benchmarks.problems import Problem
from benchmarks.provenance import source, stamp, versions
from benchmarks.record import thin
from benchmarks.rivals import RIVALS
from benchmarks.suites import SUITES, Task

FIRST_SEED = 1000
"""Development had the seeds below it."""

CURVE_POINTS = 40

ELSEWHERE = ("hpo", "network")

EXAMPLES = """examples:
  python -m benchmarks.suite classic --workers 2
  python -m benchmarks.suite bbob --rival jaxhop "pycma sep" --dim 40 --first-seed 0 --seeds 1
  python -m benchmarks.suite classic --report                      # tables and pictures only

A run that stands in the file is not repeated, unless the version of the rival is another one, or
for jaxhop its source. An interrupted command is given again and goes on.
"""


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    line = argparse.ArgumentParser(
        prog="python -m benchmarks.suite",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = line.add_argument
    add(
        "suite",
        choices=[*SUITES, *ELSEWHERE],
        metavar="SUITE",
        help=f"of {', '.join(SUITES)}, {', '.join(ELSEWHERE)}",
    )
    add("--rival", nargs="+", choices=RIVALS, metavar="NAME", help="default: the suite's")
    add("--problem", nargs="+", metavar="NAME", help="default: all of the suite")
    add("--dim", nargs="+", type=int, metavar="D", help="default: all of the suite")
    add("--evaluations", type=int, metavar="N", help="only the tasks with this budget")
    add("--seeds", type=int, metavar="N", help="how many; default: the suite's")
    add("--first-seed", type=int, default=FIRST_SEED, metavar="K", help=f"default {FIRST_SEED}")
    add("--workers", type=int, default=1, metavar="N", help="processes, each on one core")
    add("--out", type=Path, metavar="FILE", help="default benchmarks/out/SUITE.jsonl")
    add("--report", action="store_true", help="run nothing; print tables, draw pictures")
    add("--pictures", type=Path, metavar="DIR", help="default benchmarks/pictures")
    add_job(line)
    return line


def jobs(options: argparse.Namespace) -> Iterator[Job]:
    """List what the command line asks for: a job for each rival and number of coordinates.

    Yields:
        A suite, a rival, and runs: lists of problem, number of coordinates, budget and seed.

    Raises:
        ValueError: if no task is left.
    """
    suite = SUITES[options.suite]
    seeds = range(options.first_seed, options.first_seed + (options.seeds or suite.seeds))
    tasks = [
        task
        for task in suite.tasks()
        if (not options.problem or task.problem in options.problem)
        and (not options.dim or task.dim in options.dim)
        and options.evaluations in (None, task.budget)
    ]
    if not tasks or not seeds:
        raise ValueError(
            f"`{options.suite}`: a problem, a size and a seed must be left, but none is. "
            "Drop --problem, --dim, --evaluations or --seeds."
        )
    for dim in dict.fromkeys(task.dim for task in tasks):
        for rival in options.rival or suite.rivals_at(dim):
            own = seeds[:1] if rival in suite.slow and not options.seeds else seeds
            runs = [[*task, seed] for task in tasks if task.dim == dim for seed in own]
            yield {"suite": options.suite, "rival": rival, "runs": runs}


def execute(job: Job) -> Iterator[Line]:
    """Run a job in this process.

    What one run compiled serves the next. Of a task on which a rival was stopped for its time it
    runs no further seeds.

    Args:
        job: what to run, as `jobs` yields it.

    Yields:
        A line to store for each run, or one with `failed`.
    """
    rival = RIVALS[job["rival"]]
    head = stamp([rival.package]) | {"source": source()}
    head |= {"suite": job["suite"], "rival": job["rival"], "version": version(job["rival"])}
    stopped: set[Task] = set()
    for name, dim, budget, seed in job["runs"]:
        task = Task(name, dim, budget)
        if task in stopped:
            continue
        what = {**head, **task._asdict(), "seed": seed}
        try:
            problem = Problem.of(name, dim)
            run = rival.run(problem, seed, evaluations=budget)
        except Exception as error:
            # One rival that cannot do one problem must not cost the others their night.
            yield {**what, "failed": repr(error)}
            continue
        if run.stopped:
            stopped.add(task)
        found = {**asdict(run), "curve": thin(run.curve, CURVE_POINTS)}
        yield {**what, "optimum": problem.make(seed).optimum, **found}


def version(rival: str) -> str:
    """What a stored run of a rival must have been made by: its version, jaxhop's source."""
    package = RIVALS[rival].package
    return source() if package == "jaxhop" else str(versions([package])[package])


def left(job: Job, lines: Iterable[Line]) -> Job:
    """What of a job is still to do.

    Args:
        job: what was asked for.
        lines: what stands in the file.

    Returns:
        The job with the runs that are missing.
    """
    now = version(job["rival"])
    own = [line for line in lines if line["rival"] == job["rival"] and line["version"] == now]
    done = {(*_task(line), line["seed"]) for line in own}
    stopped = {_task(line) for line in own if line["stopped"]}
    runs = [run for run in job["runs"] if tuple(run) not in done and Task(*run[:3]) not in stopped]
    return {**job, "runs": runs}


def _task(line: Line) -> Task:
    return Task(line["problem"], line["dim"], line["budget"])


def execute_apart(job: Job, out: Path, cores: SimpleQueue[int]) -> bool:
    """Run a job in a process of its own on one core, and append its lines when they come.

    Args:
        job: what to run.
        out: the file.
        cores: those that are free.

    Returns:
        Whether all went well.
    """
    core = cores.get()
    flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = {**os.environ, **threads, "XLA_FLAGS": flags, "BENCHMARK_CORE": str(core)}
    well = True
    try:
        for line in stream_apart("benchmarks.suite", job, job["suite"], environment=environment):
            print(_title(line), flush=True)
            if "failed" in line:
                well = False
            else:
                append(out, line)
    except RuntimeError:  # its text was shown
        well = False
    finally:
        cores.put(core)
    return well


def _title(line: Line) -> str:
    title = f"{line['problem']} D={line['dim']:,} {line['rival']} seed {line['seed']}: "
    if "failed" in line:
        return title + f"failed: {line['failed']}"
    found = f"{line['best'] - (line['optimum'] or 0.0):.4g} in {line['cpu_seconds']:.1f} CPU s"
    return title + found + (", stopped" if line["stopped"] else "")


def run_all(wanted: Sequence[Job], out: Path, workers: int) -> int:
    """Run jobs, several at a time.

    Args:
        wanted: the jobs.
        out: where their lines go.
        workers: how many processes at once; each has one of the cores this process may use.

    Returns:
        0, or 1 if a run failed.
    """
    lines = load(out)
    missing = [job for job in (left(job, lines) for job in wanted) if job["runs"]]
    print(f"{sum(len(job['runs']) for job in missing)} runs to do", flush=True)
    free: SimpleQueue[int] = SimpleQueue()
    cores = sorted(os.sched_getaffinity(0))
    for number in range(workers):
        free.put(cores[number % len(cores)])
    with ThreadPoolExecutor(workers) as pool:
        return int(not all(list(pool.map(partial(execute_apart, out=out, cores=free), missing))))


def pass_on(options: argparse.Namespace, rest: Sequence[str]) -> int:
    """Run a suite that is a command of its own; `rest` are further options of it."""
    seeds = options.seeds or 3
    own = [*rest, *(["--out", str(options.out)] if options.out else [])]
    if options.suite == "hpo":
        own += ["--rival", *options.rival] if options.rival else []
        own += ["--seeds", str(options.seeds)] if options.seeds else []
        own += ["--report", str(options.out or hpo.DEFAULT_OUT)] if options.report else []
        return hpo.main([*own, "--first-seed", str(options.first_seed)])
    first = options.first_seed
    return max(network.main([*own, "--seed", str(seed)]) for seed in range(first, first + seeds))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for.

    Args:
        arguments: the command line, that of the process if None.

    Returns:
        0, or 1 if a run failed.
    """
    line = parser()
    options, rest = line.parse_known_args(arguments)
    if options.suite in ELSEWHERE:
        return pass_on(options, rest)
    if rest:
        line.error(f"unrecognized arguments: {' '.join(rest)}")
    if options.job:
        os.sched_setaffinity(0, {int(os.environ["BENCHMARK_CORE"])})
        return answer(execute(options.job))
    out = options.out or Path(f"benchmarks/out/{options.suite}.jsonl")
    if options.report:
        lines = load(out)
        if not lines:
            line.error(f"{out}: there must be a run to report on, but there is none. Run some.")
        return tables.main(lines, options)
    try:
        wanted = list(jobs(options))
    except ValueError as error:
        line.error(str(error))
    return run_all(wanted, out, options.workers)


if __name__ == "__main__":
    sys.exit(main())
