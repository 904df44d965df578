"""What one trial of a Python objective costs, in this process and with two workers.

The objective is trivial, of 10 floats, so that all that is measured is the tool. Each tool runs in
a process of its own. In one process the objective itself looks at the clock, at its 1,000th call
and at its last one, so that setting up does not count; of workers the rate is that of what a long
search takes more than a short one.
"""

import argparse
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.extras import require
from benchmarks.provenance import ROOT, stamp

_FIRST = 1_000
_DIM = 10


class Clock:
    """A trivial objective that notes the CPU time at some of its calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.seconds: dict[int, float] = {}

    def __call__(self, params: dict[str, float]) -> float:
        """Sum of squares around 0.3."""
        self.calls += 1
        if self.calls % _FIRST == 0:
            self.seconds[self.calls] = time.process_time()
        return plain(params)


def plain(params: dict[str, float]) -> float:
    """Sum of squares around 0.3."""
    return sum((value - 0.3) ** 2 for value in params.values())


def run_jaxhop(fn: Callable[[Any], float], evaluations: int, jobs: int) -> None:
    """Minimise with `jaxhop.search`."""
    jaxhop = require("jaxhop")
    space = {f"x{i}": jaxhop.float(-1, 1) for i in range(_DIM)}
    jaxhop.search(
        fn, space, evaluations=evaluations, n_jobs=jobs, backend="python", progress=False
    )


def run_pyhopper(fn: Callable[[Any], float], evaluations: int, jobs: int) -> None:
    """Minimise with PyHopper."""
    pyhopper = require("pyhopper")
    search = pyhopper.Search({f"x{i}": pyhopper.float(-1, 1) for i in range(_DIM)})
    search.run(fn, direction="min", steps=evaluations, n_jobs=jobs, quiet=True)


TOOLS = {"jaxhop": run_jaxhop, "pyhopper": run_pyhopper}


def measured(tool: str, evaluations: int, jobs: int) -> dict[str, float]:
    """Microseconds of CPU time a trial in this process, or trials a second of workers."""
    run = TOOLS[tool]
    if jobs > 1:
        seconds = []
        for number in (evaluations // 10, evaluations):
            begin = time.perf_counter()
            run(plain, number, jobs)
            seconds.append(time.perf_counter() - begin)
        rate = (evaluations - evaluations // 10) / (seconds[1] - seconds[0])
        return {"trials_per_second": rate}
    clock = Clock()
    begin = time.process_time()
    run(clock, evaluations, 1)
    first, last = clock.seconds[_FIRST], clock.seconds[evaluations]
    thousands = sorted(clock.seconds)
    each = [clock.seconds[b] - clock.seconds[a] for a, b in itertools.pairwise(thousands)]
    return {
        "microseconds": 1e6 * (last - first) / (evaluations - _FIRST),
        "last_over_first": each[-1] / each[0],
        "until_first_thousand": first - begin,
    }


def main() -> None:
    """Measure, and print a table."""
    line = argparse.ArgumentParser(prog="python -m benchmarks.trials", description=__doc__)
    line.add_argument("--evaluations", type=int, default=10_000, metavar="N")
    line.add_argument("--repeats", type=int, default=3, metavar="N")
    line.add_argument("--job", nargs=2, help=argparse.SUPPRESS)
    options = line.parse_args()
    if options.job:
        tool, jobs = options.job
        print(json.dumps(measured(tool, options.evaluations, int(jobs))))
        return
    print(json.dumps(stamp(["jaxhop", "pyhopper"])))
    for _ in range(options.repeats):
        for jobs in (1, 2):
            for tool in TOOLS:
                number = options.evaluations * jobs
                command = [sys.executable, "-m", "benchmarks.trials", "--job", tool, str(jobs)]
                done = subprocess.run(
                    [*command, "--evaluations", str(number)],
                    capture_output=True, text=True, check=True, cwd=ROOT,
                )  # fmt: skip
                found = json.loads(done.stdout.splitlines()[-1])
                shown = ", ".join(f"{name} {value:.3g}" for name, value in found.items())
                print(f"{tool:10} n_jobs={jobs}: {shown}", flush=True)


if __name__ == "__main__":
    main()
