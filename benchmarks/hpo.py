"""Run hyperparameter searches of few evaluations, and write tables of regrets and ranks."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np

from benchmarks.compare import ranks
from benchmarks.hpo_rivals import RIVALS
from benchmarks.hpo_tasks import TASKS
from benchmarks.job import append
from benchmarks.provenance import ROOT, commit, stamp
from benchmarks.report import origin, table

Line = dict[str, Any]
Job = dict[str, Any]
"""A task, a rival, a number of evaluations, and seeds."""

JOB = ("task", "rival", "evaluations")

DEFAULT_OUT = Path("benchmarks/out/hpo.jsonl")

EXAMPLES = """examples:
  python -m benchmarks.hpo                                        # everything: hours on one core
  python -m benchmarks.hpo --task svr pipeline --rival jaxhop random --seeds 3
  python -m benchmarks.hpo --report benchmarks/out/hpo.jsonl      # tables only

Runs that stand in the file already are not repeated; those of jaxhop are if its source changed.
"""


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    line = argparse.ArgumentParser(
        prog="python -m benchmarks.hpo",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = line.add_argument
    for what, names in (("--task", TASKS), ("--rival", RIVALS)):
        known = f"of {', '.join(names)}; default all"
        add(what, nargs="+", choices=names, default=list(names), metavar="NAME", help=known)
    add("--evaluations", nargs="+", type=int, default=[30, 100], metavar="N", help="budgets")
    add("--seeds", type=int, default=21, metavar="N", help="how many seeds; default 21")
    add("--first-seed", type=int, default=0, metavar="K", help="the first of them; default 0")
    add("--out", type=Path, default=DEFAULT_OUT, metavar="FILE", help=f"default {DEFAULT_OUT}")
    add("--report", type=Path, metavar="FILE", help="only write the tables of this file")
    add("--job", help=argparse.SUPPRESS)
    return line


def jobs(options: argparse.Namespace) -> Iterator[Job]:
    """List what the command line asks for.

    A rival that is not told how long the search will be runs once, as long as the longest: the
    shorter searches are what that begins with.
    """
    for name in options.task:
        for rival in options.rival:
            ahead = RIVALS[rival].ahead
            for evaluations in options.evaluations if ahead else [max(options.evaluations)]:
                seeds = list(range(options.first_seed, options.first_seed + options.seeds))
                yield {"task": name, "rival": rival, "evaluations": evaluations, "seeds": seeds}


def execute(job: Job) -> Iterator[Line]:
    """Run one job in this process.

    Args:
        job: what to run, as `jobs` yields it.

    Yields:
        A line to store for each seed.
    """
    task, rival = TASKS[job["task"]], RIVALS[job["rival"]]
    objective = task.make()
    head = stamp([rival.package]) | {key: job[key] for key in JOB}
    for seed in job["seeds"]:
        values: list[float] = []

        def recorded(candidate: Mapping[str, Any], values: list[float] = values) -> float:
            values.append(objective(candidate))
            return values[-1]

        start = time.perf_counter(), time.process_time()
        rival.run(task.space, recorded, job["evaluations"], seed)
        yield {
            **head,
            "seed": seed,
            "optimum": task.optimum() if task.optimum else None,
            "best": np.minimum.accumulate(values[: job["evaluations"]]).tolist(),
            "seconds": time.perf_counter() - start[0],
            "cpu_seconds": time.process_time() - start[1],
        }


def execute_apart(job: Job, out: Path) -> None:
    """Run one job in a process of its own, and append each of its lines when it comes.

    Args:
        job: what to run.
        out: the file.

    Raises:
        RuntimeError: if that process failed; its text was shown.
    """
    command = [sys.executable, "-m", "benchmarks.hpo", "--job", json.dumps(job)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for text in process.stdout:
            if text.startswith("{"):
                append(out, json.loads(text))
    if process.returncode:
        raise RuntimeError(f"{_title(job)}: failed with code {process.returncode}")


def left(job: Job, lines: Sequence[Line], source: str) -> Job:
    """What of a job is still to do.

    Args:
        job: what was asked for.
        lines: what stands in the file.
        source: the present state of the source.

    Returns:
        The job with the seeds that are missing.
    """
    done = {
        line["seed"]
        for line in lines
        if all(line[field] == job[field] for field in JOB)
        and (job["rival"] != "jaxhop" or line["commit"] == source)
    }
    return {**job, "seeds": [seed for seed in job["seeds"] if seed not in done]}


def load(path: Path) -> list[Line]:
    """Read lines; of runs that differ only in commit or date, the newest counts."""
    newest: dict[Any, Line] = {}
    for text in path.read_text().splitlines() if path.exists() else []:
        line = json.loads(text)
        newest[line["task"], line["rival"], line["evaluations"], line["seed"]] = line
    return list(newest.values())


def found(lines: Iterable[Line], evaluations: int) -> dict[str, dict[str, dict[int, float]]]:
    """The best value of each run after some evaluations, by task, rival and seed.

    Args:
        lines: what `load` returned.
        evaluations: how many.

    Returns:
        Runs of that length, and the beginnings of longer ones of rivals that do not know it.
    """
    best: dict[str, dict[str, dict[int, float]]] = {}
    for line in lines:
        asked = line["evaluations"]
        if asked == evaluations or (asked > evaluations and not RIVALS[line["rival"]].ahead):
            own = best.setdefault(line["task"], {}).setdefault(line["rival"], {})
            own[line["seed"]] = line["best"][:evaluations][-1]
    return best


def render(lines: Sequence[Line]) -> Iterator[str]:
    """Write the tables: for each budget median regrets, and ranks.

    Args:
        lines: what `load` returned.

    Yields:
        Lines of Markdown.
    """
    yield from origin(lines)
    lowest = {
        line["task"]: min(each["best"][-1] for each in lines if each["task"] == line["task"])
        for line in lines
    }
    lowest |= {line["task"]: line["optimum"] for line in lines if line["optimum"] is not None}
    for evaluations in sorted({line["evaluations"] for line in lines}):
        best = found(lines, evaluations)
        names = [name for name in RIVALS if all(name in runs for runs in best.values())]
        if not names:
            continue
        seeds = min(len(best[task][name]) for task in best for name in names)
        yield from ("", f"### {evaluations} evaluations, {seeds} seeds", "")
        rows, placed = [], {name: [] for name in names}
        for task, runs in best.items():
            place = ranks({name: runs[name] for name in names})
            cells = []
            for name in names:
                placed[name].append(place[name])
                regret = median(value - lowest[task] for value in runs[name].values())
                cells.append(f"{regret:.3g} ({place[name]:.1f})")
            rows.append([task, *cells])
        rows.append(["mean rank", *(f"**{fmean(placed[name]):.2f}**" for name in names)])
        yield from table(["median regret (mean rank)", *names], rows)


def _title(job: Job) -> str:
    return f"{job['task']}, {job['rival']}, {job['evaluations']} evaluations"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for, and print the tables.

    Args:
        arguments: the command line, that of the process if None.

    Returns:
        0, or 1 if a run failed.
    """
    line = parser()
    options = line.parse_args(arguments)
    if options.job:
        for record in execute(json.loads(options.job)):
            print(json.dumps(record), flush=True)
        return 0
    failed, (source, _) = 0, commit()
    for job in [] if options.report else jobs(options):
        missing = left(job, load(options.out), source)
        print(f"{_title(job)}: {len(missing['seeds'])} runs to do", file=sys.stderr, flush=True)
        if missing["seeds"]:
            try:
                execute_apart(missing, options.out)
            except RuntimeError as error:
                # One rival that cannot do one task must not cost the others their night.
                print(error, file=sys.stderr)
                failed = 1
    lines = load(options.report or options.out)
    if not lines:
        line.error("there is no run to report on. Run some first.")
    print("\n".join(render(lines)))
    return failed


if __name__ == "__main__":
    sys.exit(main())
