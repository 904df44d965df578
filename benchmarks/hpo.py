"""Run hyperparameter searches of few evaluations, and write tables of regrets and ranks."""

import argparse
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
from benchmarks.job import Job, Line, add_job, answer, append, newest, stream_apart
from benchmarks.provenance import commit, stamp
from benchmarks.report import origin, table

JOB = ("task", "rival", "evaluations")
"""The fields of a job beside `seeds`."""

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
    add_job(line)
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
    return newest([path], (*JOB, "seed"))


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
        return answer(execute(options.job))
    failed, (source, _) = 0, commit()
    for job in [] if options.report else jobs(options):
        missing = left(job, load(options.out), source)
        print(f"{_title(job)}: {len(missing['seeds'])} runs to do", file=sys.stderr, flush=True)
        if missing["seeds"]:
            try:
                for record in stream_apart("benchmarks.hpo", missing):
                    append(options.out, record)
            except RuntimeError as error:
                # One rival that cannot do one task must not cost the others their night.
                print(f"{_title(job)}: {error}", file=sys.stderr)
                failed = 1
    lines = load(options.report or options.out)
    if not lines:
        line.error("there is no run to report on. Run some first.")
    print("\n".join(render(lines)))
    return failed


if __name__ == "__main__":
    sys.exit(main())
