"""Two processes share one search: start the same script as often as you like.

They meet in the run directory, on one machine or on several that see it. They share the budget
exactly and learn from each other's trials; one that dies is replaced by the others. This script
starts itself twice, waits for both, and draws which of them evaluated what.

Run it: `python 08_several_processes.py --picture processes.png`
"""

import argparse
import sqlite3
import subprocess
import sys
import tempfile
import time

import jaxhop

parser = argparse.ArgumentParser(description="Shares a search between two processes.")
parser.add_argument("--processes", type=int, default=2, help="default: 2")
parser.add_argument("--dir", help="run directory; default: a new one for temporary files")
parser.add_argument("--child", action="store_true", help="search in --dir, nothing else")
parser.add_argument("--picture", help="file to draw the search into; default: none")
arguments = parser.parse_args()

space = {
    "temperature": jaxhop.float(150, 250),
    "minutes": jaxhop.int(10, 90),
    "rack": jaxhop.choice("low", "middle", "high", ordinal=True),
}


def blandness(params):
    """How far a cake is from a good one; baking takes its time."""
    time.sleep(0.1 + params["minutes"] / 300)
    heat = params["temperature"] - 180 + {"low": -8, "middle": 0, "high": 8}[params["rack"]]
    return (heat / 20) ** 2 + ((params["minutes"] + heat / 4 - 45) / 10) ** 2


if arguments.child:
    jaxhop.search(blandness, space, evaluations=60, dir=arguments.dir, progress=False)
    sys.exit()

directory = arguments.dir or tempfile.mkdtemp()
command = [sys.executable, __file__, "--child", "--dir", directory]
children = [subprocess.Popen(command) for _ in range(arguments.processes)]
for child in children:
    if child.wait() != 0:
        raise RuntimeError(f"a process ended with {child.returncode}")

result = jaxhop.load(directory)
print(result)
print(result.best)

if arguments.picture:
    import matplotlib.pyplot as plt

    with sqlite3.connect(f"{directory}/trials.sqlite") as database:
        trials = database.execute("SELECT seat, seconds, duration FROM trial").fetchall()
    _, (above, below) = plt.subplots(
        2, 1, figsize=(8, 6), height_ratios=(3, 1), sharex=True, layout="constrained"
    )
    jaxhop.plots.history(result, x="seconds", ax=above)
    for seat, seconds, duration in trials:
        below.barh(seat, duration, left=seconds - duration, color=f"C{seat}", edgecolor="white")
    above.set(xlabel="", ylabel="blandness (lower is better)")
    below.set(xlabel="time (seconds)", ylabel="process", yticks=range(arguments.processes))
    plt.savefig(arguments.picture)
