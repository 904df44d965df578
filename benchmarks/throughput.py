"""Measure evaluations per second, peak memory, time to the first improvement, and scale."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.extras import require
from benchmarks.measure import Meter
from benchmarks.problems import Problem
from benchmarks.provenance import ROOT, stamp
from benchmarks.report import table
from benchmarks.rivals import RIVALS
from benchmarks.scale import DTYPES, MODEL, NOISE, Job, jobs, scale, scale_lines
from benchmarks.scale import RIVALS as STRATEGIES

Record = dict[str, Any]
Writer = Callable[[Sequence[Record]], Iterator[str]]

SIZES = ((10, 4096), (100, 1024), (1_000, 256), (10_000, 64))
"""Coordinates and candidates a round."""

QUICKSTART = """
import jax.numpy as jnp
import jaxhop

first = []

def report_improvement(report):
    first.append(report.best_value)
    if report.best_value < first[0]:
        print("improved", flush=True)
        return True

jaxhop.search(
    lambda point: jnp.sum((point["x"] - 0.3) ** 2),
    {"x": jaxhop.float(-1, 1, shape=(10,))},
    runtime=60.0,
    callbacks=[report_improvement],
    progress=False,
)
"""
"""A first program: it ends at the first report with a better value than the first one's."""

EXAMPLES = """examples:
  python -m benchmarks.throughput                    rate, memory and startup
  python -m benchmarks.throughput --rate --seconds 10 --repeat 5
  python -m benchmarks.throughput --memory --dim 10000000 --population 256
  python -m benchmarks.throughput --startup --out benchmarks/out/throughput.jsonl
  python -m benchmarks.throughput --scale --one-core --noise lowrank sign
  python -m benchmarks.throughput --scale --one-core --dim 10000 --population 1024
  python -m benchmarks.throughput --scale --model 8192 8192 --batch 1 --population 1024 \\
      --dtype bfloat16
"""


class Stopwatch:
    """A callback that notes wall and processor time at every report.

    The rate between its first and its last report leaves compilation and set-up out.
    """

    def __init__(self) -> None:
        self._notes: list[tuple[int, float, float]] = []

    def __call__(self, report: Any) -> None:
        """Note how far the search is."""
        self._notes.append((report.evaluations, time.perf_counter(), time.process_time()))

    def rates(self) -> tuple[float, float]:
        """Evaluations per second of wall time and of processor time.

        Raises:
            RuntimeError: if there were fewer than two reports.
        """
        if len(self._notes) < 2:
            raise RuntimeError(
                f"a rate must span two reports, but the search gave {len(self._notes)}. "
                "Raise `--seconds`."
            )
        (count, wall, cpu), (last_count, last_wall, last_cpu) = self._notes[0], self._notes[-1]
        count = last_count - count
        return count / (last_wall - wall), count / (last_cpu - cpu)


def rate(dim: int, population: int, seconds: float, repeat: int) -> Record:
    """Compare jaxhop's evaluations per second with PyHopper's, taking turns in this process.

    Args:
        dim: coordinates of the sphere.
        population: jaxhop's candidates a round.
        seconds: how long each of the searches may take.
        repeat: how often each of the two is run; medians are kept.

    Returns:
        Rates by wall time and by processor time, and jaxhop's rates over PyHopper's.
    """
    problem = Problem.of("sphere", dim)
    ours, theirs = [], []
    for seed in range(repeat):
        watch = Stopwatch()
        RIVALS["jaxhop"].run(
            problem, seed, seconds=seconds, population=population, callbacks=[watch]
        )
        ours.append(watch.rates())
        run = RIVALS["pyhopper"].run(problem, seed, seconds=seconds)
        theirs.append((run.evaluations / run.seconds, run.evaluations / run.cpu_seconds))
    (wall, cpu), (their_wall, their_cpu) = _medians(ours), _medians(theirs)
    return {
        "dim": dim,
        "population": population,
        "seconds": seconds,
        "repeat": repeat,
        "wall": wall,
        "cpu": cpu,
        "pyhopper_wall": their_wall,
        "pyhopper_cpu": their_cpu,
        "wall_ratio": wall / their_wall,
        "cpu_ratio": cpu / their_cpu,
    }


def _medians(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)


def memory(dim: int, population: int, rounds: int) -> Record:
    """Measure how much memory a search takes above the process before it.

    Args:
        dim: coordinates of the sphere.
        population: candidates a round.
        rounds: how many rounds are run.

    Returns:
        Peak of the process in MB, on an accelerator its peak as well, and the size of one
        candidate and of a whole round's to compare with.
    """
    jaxhop = require("jaxhop")
    # The first computation starts JAX's backend, which is no part of the search.
    jax.block_until_ready(jax.jit(lambda x: x + 1)(0.0))
    with Meter() as meter:
        result = jaxhop.search(
            # Without an array of its own, which would count as the search's.
            lambda x: jnp.mean((x - 1.7) ** 2),
            jaxhop.float(-5, 5, shape=(dim,)),
            evaluations=population * rounds,
            population=population,
            seed=0,
            progress=False,
        )
    on_device = jax.devices()[0].memory_stats() or {}
    return {
        "dim": dim,
        "population": population,
        "evaluations": int(result.evaluations),
        "seconds": meter.seconds,
        "compile_seconds": float(result.compile_seconds),
        "peak_mb": meter.peak_mb,
        "device_peak_mb": on_device.get("peak_bytes_in_use", 0) / 2**20,
        "candidate_mb": 4 * dim / 2**20,
        "population_mb": 4 * dim * population / 2**20,
    }


def memory_apart(dim: int, population: int, rounds: int) -> Record:
    """Run `memory` in a process of its own."""
    code = (
        "import json; from benchmarks.throughput import memory; "
        f"print(json.dumps(memory({dim}, {population}, {rounds})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def startup(repeat: int) -> Record:
    """Time a first program from the start of Python to its first improvement.

    Args:
        repeat: how often it is started; the median is kept.

    Returns:
        Seconds to the first improvement, and the same for `import jaxhop` alone.
    """
    improved = median(_seconds_to_line(QUICKSTART) for _ in range(repeat))
    imported = median(
        _seconds_to_line("import jaxhop; print('imported', flush=True)") for _ in range(repeat)
    )
    return {"repeat": repeat, "seconds": improved, "import_seconds": imported}


def _seconds_to_line(code: str) -> float:
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - start
    if not line or process.returncode:
        raise RuntimeError(f"the program must print one line, but ended with {process.returncode}")
    return seconds


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    line = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = line.add_argument
    add("--rate", action="store_true", help="evaluations per second, against PyHopper")
    add("--memory", action="store_true", help="peak memory of one large search")
    add("--startup", action="store_true", help="seconds from process start to an improvement")
    add("--seconds", type=float, default=3.0, metavar="S", help="of each timed search; default 3")
    add("--repeat", type=int, default=3, metavar="N", help="of each timing; default 3")
    size = "of --memory, default 1000000; or of the sphere of --scale, in place of a network"
    add("--dim", type=int, metavar="D", help=size)
    size = "of --memory, default 1024; of --scale, default 256"
    add("--population", type=int, metavar="N", help=size)
    add("--rounds", type=int, default=2, metavar="N", help="of --memory; default 2")
    add("--out", type=Path, metavar="FILE", help="append the JSON lines to it, too")
    add = line.add_argument_group("the part --scale").add_argument
    add("--scale", action="store_true", help="time of an evaluation beside pure inference's")
    units = f"units of each layer; default {' '.join(map(str, MODEL))}"
    add("--model", type=int, nargs="+", metavar="N", help=units)
    add("--batch", type=int, default=256, metavar="N", help="inputs a candidate; default 256")
    add("--dtype", choices=DTYPES, default=DTYPES[0], help="of the network; default float32")
    kinds = f"of search_gradient; default {' '.join(NOISE[1:])}"
    add("--noise", nargs="*", choices=NOISE, default=NOISE[1:], metavar="KIND", help=kinds)
    names = f"default {' '.join(STRATEGIES)}"
    add("--rivals", nargs="*", choices=STRATEGIES, default=STRATEGIES, metavar="NAME", help=names)
    bound = "a rival is left out that would hold more; default 4"
    add("--rival-memory", type=float, default=4.0, metavar="GB", help=bound)
    add("--one-core", action="store_true", help="keep each process to one core and thread")
    return line


def scale_jobs(options: argparse.Namespace) -> list[Job]:
    """List what `--scale` is asked to measure.

    Raises:
        ValueError: if the task is not one network or one sphere.
    """
    if options.dim and options.model:
        raise ValueError(
            f"--dim {options.dim} --model {options.model}: --scale measures a sphere or a "
            "network. Leave one of them out."
        )
    if options.dim and options.dtype != DTYPES[0]:
        raise ValueError(
            f"--dtype {options.dtype}: the sphere is searched in {DTYPES[0]}. Leave it out."
        )
    if options.model and len(options.model) < 2:
        raise ValueError(
            f"--model {options.model[0]}: a network must have inputs and outputs. Say "
            "--model 784 10."
        )
    what: Record = {"dim": options.dim}
    if not options.dim:
        sizes = tuple(options.model or MODEL)
        what = {"sizes": sizes, "batch": options.batch, "dtype": options.dtype}
    return list(
        jobs(
            options.noise,
            options.rivals,
            population=options.population or 256,
            seconds=options.seconds,
            repeat=options.repeat,
            **what,
        )
    )


def rate_lines(records: Sequence[Record]) -> Iterator[str]:
    """Write the table of rates."""
    head = ["D", "population", "evaluations/s", "/ PyHopper", "per CPU s", "/ PyHopper"]
    rows = [
        [
            f"{record['dim']:,}",
            f"{record['population']:,}",
            f"{record['wall']:,.0f}",
            f"{record['wall_ratio']:,.1f}",
            f"{record['cpu']:,.0f}",
            f"{record['cpu_ratio']:,.1f}",
        ]
        for record in records
    ]
    yield from table(head, rows)


def memory_lines(records: Sequence[Record]) -> Iterator[str]:
    """Write the table of peaks."""
    head = ["D", "population", "evaluations", "s", "compile s", "peak MB", "device peak MB"]
    rows = [
        [
            f"{record['dim']:,}",
            f"{record['population']:,}",
            f"{record['evaluations']:,}",
            f"{record['seconds']:.1f}",
            f"{record['compile_seconds']:.1f}",
            f"{record['peak_mb']:,.0f}",
            f"{record['device_peak_mb']:,.0f}",
        ]
        for record in records
    ]
    yield from table(head, rows)
    for record in records:
        yield (
            f"One candidate is {record['candidate_mb']:,.1f} MB, "
            f"a whole population {record['population_mb']:,.0f} MB."
        )


def startup_lines(records: Sequence[Record]) -> Iterator[str]:
    """Write the table of start-up times."""
    head = ["program", "seconds from process start"]
    for record in records:
        rows = [
            ["first improvement", f"{record['seconds']:.2f}"],
            ["`import jaxhop` alone", f"{record['import_seconds']:.2f}"],
        ]
        yield from table(head, rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for, all parts but `--scale` if it names none."""
    options = parser().parse_args(arguments)
    # Processes of their own come first: on an accelerator they would find its memory taken.
    parts: dict[str, tuple[Callable[[], list[Record]], Writer]] = {
        "scale": (
            lambda: scale(scale_jobs(options), int(options.rival_memory * 1e9), options.one_core),
            scale_lines,
        ),
        "memory": (
            lambda: [
                memory_apart(options.dim or 1_000_000, options.population or 1024, options.rounds)
            ],
            memory_lines,
        ),
        "startup": (lambda: [startup(options.repeat)], startup_lines),
        "rate": (
            lambda: [rate(dim, size, options.seconds, options.repeat) for dim, size in SIZES],
            rate_lines,
        ),
    }
    chosen = [part for part in parts if getattr(options, part)]
    chosen = chosen or ["memory", "startup", "rate"]
    measured = {part: parts[part][0]() for part in chosen}
    head = stamp(["pyhopper", "evosax"])
    for part, records in measured.items():
        text = "".join(json.dumps({**head, "part": part, **record}) + "\n" for record in records)
        if options.out:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            with options.out.open("a") as file:
                file.write(text)
        print(text, *parts[part][1](records), sep="\n", end="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
