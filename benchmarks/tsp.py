"""Solve travelling salesman problems for equal seconds: jaxhop, and what else there is."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.job import (
    Job,
    Line,
    add_options,
    answer,
    execute_apart,
    key,
    load,
    perform,
    settings,
    stored,
)
from benchmarks.provenance import commit, stamp
from benchmarks.report import table
from benchmarks.tsp_rivals import ROWS, Cities, Tour

DEFAULT_OUT = Path("benchmarks/out/tsp.jsonl")
RANDOM = (100, 300, 1000)
"""Cities of the random instances, where no folder is given."""

JOB = ("instance", "folder", "algorithm", "seed", "seconds", "settings")
"""The fields of a line that say what was run."""

EXAMPLES = """examples:
  python -m benchmarks.tsp --folder tsplib --instance kroA100 a280 --seconds 20 60 --seeds 3
  python -m benchmarks.tsp --only jaxhop "jaxhop incremental" elkai

For one core: taskset -c 0, and in the environment
  XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
"""


def read(path: Path) -> Cities:
    """Read an instance of TSPLIB.

    Args:
        path: a .tsp file whose distances are EUC_2D.

    Returns:
        The cities.

    Raises:
        ValueError: if distances are of another kind.
    """
    head, _, body = path.read_text().partition("NODE_COORD_SECTION")
    if "EUC_2D" not in head:
        raise ValueError(
            f"{path}: EDGE_WEIGHT_TYPE must be EUC_2D, but is not. Leave this instance out."
        )
    lines = (line.split() for line in body.splitlines())
    return Cities(np.array([line[1:3] for line in lines if len(line) == 3], float), rounded=True)


def make(instance: str, folder: str | None) -> tuple[Cities, float | None]:
    """Get an instance and its optimum.

    Args:
        instance: its name in the folder, or `random` and a number of cities.
        folder: of .tsp files, with an `optima.json` if optima are known; None for random ones.

    Returns:
        The cities, and the length of the shortest tour, None if nobody knows.
    """
    if folder is None:
        n = int(instance.removeprefix("random"))
        return Cities(np.random.default_rng(n).uniform(size=(n, 2)), rounded=False), None
    optima = Path(folder, "optima.json")
    known = json.loads(optima.read_text()) if optima.exists() else {}
    return read(Path(folder, f"{instance}.tsp")), known.get(instance)


def execute(job: Job) -> Line:
    """Run one job in this process; return the line to store.

    Raises:
        RuntimeError: if what was found is no tour.
    """
    cities, optimum = make(job["instance"], job["folder"])
    row = ROWS[job["algorithm"]]
    found: Tour = row.run(cities, job["seconds"], job["seed"], **job["settings"])
    if not np.array_equal(np.sort(found.order), np.arange(len(cities.points))):
        raise RuntimeError(f"{job['algorithm']} on {job['instance']} returned no tour.")
    return {
        **stamp([row.package]),
        **job,
        "optimum": optimum,
        "length": cities.length(found.order),
        "evaluations": found.evaluations,
        "took": found.seconds,
    }


def jobs(options: argparse.Namespace) -> Iterator[Job]:
    """List the runs that the command line asks for, one seed after the other."""
    folder = None if options.folder is None else str(options.folder.resolve())
    there = [f"random{n}" for n in RANDOM]
    if folder is not None:
        there = sorted(path.stem for path in Path(folder).glob("*.tsp"))
    chosen = settings(options)
    for seed in range(options.seeds):
        for seconds in options.seconds:
            for instance in options.instance or there:
                for algorithm in options.only:
                    row = ROWS[algorithm]
                    again = seed and not row.seeded
                    if again or (seconds != options.seconds[0] and not row.timed):
                        continue
                    yield {
                        "instance": instance,
                        "folder": folder,
                        "algorithm": algorithm,
                        "seed": seed,
                        "seconds": seconds,
                        "settings": chosen if algorithm == "jaxhop" else {},
                    }


def render(records: Sequence[Mapping[str, Any]]) -> str:
    """Write the table: per cent over the optimum, median and quartiles over the seeds.

    Where the optimum is not known it is per cent over the shortest tour of all records.
    """
    shortest: dict[str, float] = {}
    for record in records:
        name = record["instance"]
        shortest[name] = min(record["length"], shortest.get(name, np.inf))
    groups: dict[tuple[str, str, float], list[Mapping[str, Any]]] = {}
    for record in records:
        key = (record["instance"], record["algorithm"], record["seconds"])
        groups.setdefault(key, []).append(record)
    head = ["instance", "algorithm", "s", "% over", "quartiles", "evaluations", "took s", "seeds"]
    rows = []
    for (instance, algorithm, seconds), own in sorted(groups.items()):
        best = own[0]["optimum"] or shortest[instance]
        over = [100 * (record["length"] / best - 1) for record in own]
        low, middle, high = np.percentile(over, [25, 50, 75])
        evaluations = np.median([record["evaluations"] for record in own])
        rows.append(
            [
                instance,
                algorithm,
                f"{seconds:g}" if ROWS[algorithm].timed else "",
                f"{middle:.2f}",
                f"{low:.2f} to {high:.2f}",
                f"{evaluations:,.0f}" if evaluations else "",
                f"{np.median([record['took'] for record in own]):.1f}",
                str(len(own)),
            ]
        )
    return "\n".join(table(head, rows))


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    line = argparse.ArgumentParser(
        prog="python -m benchmarks.tsp",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = line.add_argument
    add("--folder", type=Path, metavar="DIR", help="of TSPLIB's .tsp files; default: random ones")
    add("--instance", nargs="+", metavar="NAME", help="names without .tsp; default: all")
    add("--seconds", nargs="+", type=float, default=[20.0], metavar="S", help="default: 20")
    add("--seeds", type=int, default=3, metavar="N", help="seeds 0 to N-1; default: 3")
    add(
        "--only",
        nargs="+",
        choices=ROWS,
        default=[name for name, row in ROWS.items() if find_spec(row.package)],
        metavar="NAME",
        help=f"of {', '.join(ROWS)}; default: what is installed",
    )
    add_options(line, DEFAULT_OUT)
    return line


def _title(job: Job) -> str:
    return f"{job['instance']} {job['algorithm']} {job['seconds']:g} s seed {job['seed']}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for and print the table of all that is in the file.

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
    name, _ = commit()
    seen = stored(options.out, JOB, name)
    _, failed = perform(
        [job for job in wanted if key(job, JOB) not in seen],
        partial(execute_apart, "benchmarks.tsp"),
        options.out,
        _title,
        lambda line: f"{line['length']:.6g}",
        sys.stderr,
    )
    print(render(load(options.out)))
    return failed


if __name__ == "__main__":
    sys.exit(main())
