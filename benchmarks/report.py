"""Turn the lines of `benchmarks.run` into tables in Markdown."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.job import Line, newest
from benchmarks.run import JOB

BASE = "jaxhop"

Task = tuple[str, int, str]
"""Problem, number of coordinates and budget: what runs must share to be compared."""


def load(paths: Iterable[Path]) -> list[Line]:
    """Read lines; of runs that differ only in commit or date, the newest counts.

    Args:
        paths: files that `benchmarks.run` wrote.

    Returns:
        One line a run.
    """
    return newest(paths, JOB)


def task(line: Line) -> Task:
    """Name what a line's run was asked to do."""
    budget = " ".join(f"{amount:,g} {unit}" for unit, amount in line["budget"].items())
    return line["problem"], line["dim"], budget


def label(line: Line) -> str:
    """Name an algorithm with its settings."""
    settings = [f"{key}={value}" for key, value in line["settings"].items()]
    return " ".join([line["algorithm"], *settings])


def grouped(lines: Iterable[Line]) -> dict[Task, dict[str, list[Line]]]:
    """Sort lines by task, then by algorithm: jaxhop first, else in the order they came in."""
    groups: dict[Task, dict[str, list[Line]]] = {}
    for line in sorted(lines, key=lambda line: line["algorithm"] != BASE):
        groups.setdefault(task(line), {}).setdefault(label(line), []).append(line)
    return groups


def middle(lines: Sequence[Line], field: str) -> float:
    """Median of a field over runs."""
    return median(line[field] for line in lines)


def gap(lines: Sequence[Line]) -> float:
    """Median distance to the optimum, or of the value itself where no optimum is known."""
    return median(line["best"] - (line["optimum"] or 0.0) for line in lines)


def ratio(lines: Sequence[Line], base: Sequence[Line] | None) -> str:
    """How many times jaxhop's distance to the optimum an algorithm is left with."""
    if not base:
        return ""
    if gap(base) == 0:
        return "1" if gap(lines) == 0 else "inf"
    return f"{gap(lines) / gap(base):.3g}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Write a Markdown table: the first column to the left, numbers to the right."""
    yield f"| {' | '.join(head)} |"
    yield f"|---|{'---:|' * (len(head) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def overview(groups: dict[Task, dict[str, list[Line]]]) -> Iterator[str]:
    """Write the table of median best values, problems down and algorithms across."""
    labels = list(dict.fromkeys(name for runs in groups.values() for name in runs))
    rows = []
    for (problem, dim, budget), runs in groups.items():
        cells = [f"{middle(runs[name], 'best'):.3g}" if name in runs else "" for name in labels]
        rows.append([f"{problem} D={dim:,}, {budget}", *cells])
    yield from table(["median best", *labels], rows)


def details(name: Task, runs: dict[str, list[Line]]) -> Iterator[str]:
    """Write the table of one task: what each algorithm found and what it cost."""
    problem, dim, budget = name
    yield f"### {problem} D={dim:,}, {budget}"
    yield ""
    first = next(iter(runs.values()))
    reference = first[0]["reference"]
    if reference is not None:
        yield f"Reference value (seed 0): {reference:.4g}"
        yield ""
    extras = sorted({key for lines in runs.values() for line in lines for key in line["extra"]})
    head = ["algorithm", "best", "/ jaxhop", "worst", "evaluations", "s", "compile s", "CPU s"]
    # jaxhop as it comes, or, if it only ran with settings, with the first of them.
    base = runs.get(BASE) or (first if first[0]["algorithm"] == BASE else None)
    rows = []
    for algorithm, lines in runs.items():
        values = [
            f"{middle(lines, 'best'):.3g}",
            ratio(lines, base),
            f"{max(line['best'] for line in lines):.3g}",
            f"{middle(lines, 'evaluations'):,.0f}",
            f"{middle(lines, 'seconds'):.2f}",
            f"{middle(lines, 'compile_seconds'):.2f}",
            f"{middle(lines, 'cpu_seconds'):.2f}",
            f"{middle(lines, 'peak_mb'):.0f}",
            str(len(lines)),
        ]
        more = [f"{median(line['extra'][key] for line in lines):.4f}" for key in extras]
        rows.append([algorithm, *values, *more])
    yield from table([*head, "peak MB", "seeds", *extras], rows)


def origin(lines: Sequence[Line]) -> Iterator[str]:
    """Say which commits and machines the numbers come from."""
    for title, values in (
        ("Commits", {line["commit"] for line in lines}),
        ("Machines", {_machine(line["machine"]) for line in lines}),
        ("Versions", {f"{k} {v}" for line in lines for k, v in line["versions"].items() if v}),
    ):
        yield f"{title}: {'; '.join(sorted(values))}  "


def _machine(machine: dict[str, Any]) -> str:
    devices = ", ".join(machine["devices"])
    return f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB ({devices})"


def render(lines: Sequence[Line]) -> str:
    """Write the whole report.

    Args:
        lines: what `load` returned.

    Returns:
        Markdown: where the numbers come from, the overview, one table a task.
    """
    groups = grouped(lines)
    parts = [*origin(lines), "", *overview(groups)]
    for name, runs in groups.items():
        parts += ["", *details(name, runs)]
    return "\n".join(parts) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report on the files of the command line."""
    line = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    line.add_argument("file", nargs="+", type=Path, help="JSON lines of benchmarks.run")
    options = line.parse_args(arguments)
    for path in options.file:
        if not path.exists():
            line.error(f"{path}: must be a file, but there is none. Run benchmarks.run.")
    lines = load(options.file)
    if not lines:
        line.error("the files must hold at least one run, but are empty. Run benchmarks.run.")
    sys.stdout.write(render(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
