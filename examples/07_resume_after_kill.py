"""Kills a search in the middle, starts it again, and shows that nothing was lost.

With `dir=` a search writes down each trial when it is evaluated. This script starts itself as a
child process, which searches, and kills the child by SIGKILL, as a power cut would. Then it runs
the same line itself: the trials of the child are there, and the rest is added. A third search,
that nobody disturbs, ends with the same candidates and the same values, bit for bit.

Run it: `python 07_resume_after_kill.py --picture resumed.png`
"""

import argparse
import subprocess
import sys
import tempfile
import time

import jaxhop

EVALUATIONS = 60
KILLED_AFTER = 25

parser = argparse.ArgumentParser(description="Resumes a search that was killed.")
parser.add_argument("--dir", help="run directory; default: a new one for temporary files")
parser.add_argument("--child", action="store_true", help="search in --dir, nothing else")
parser.add_argument("--picture", help="file to draw the search into; default: none")
arguments = parser.parse_args()

space = {"lr": jaxhop.float(1e-4, 1.0, log=True), "layers": jaxhop.int(1, 8)}


def loss(params):
    time.sleep(0.05)  # in place of what takes long
    return (params["lr"] - 0.01) ** 2 + 0.1 * (params["layers"] - 3) ** 2


def search(directory=None, callbacks=()):
    return jaxhop.search(
        loss, space, evaluations=EVALUATIONS, dir=directory, callbacks=callbacks, progress=False
    )


class Say:
    """A callback that prints a line for each trial."""

    def on_trial(self, trial):
        print(f"trial {trial.number}: {trial.value:.3g}", flush=True)


if arguments.child:
    search(arguments.dir, [Say()])
    sys.exit()

directory = arguments.dir or tempfile.mkdtemp()
command = [sys.executable, __file__, "--child", "--dir", directory]
with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
    assert child.stdout is not None
    for count, line in enumerate(child.stdout, start=1):
        print(f"child: {line}", end="")
        if count == KILLED_AFTER:
            child.kill()
            break
print(f"killed; the child ended with {child.returncode}")
before = jaxhop.load(directory)
print(f"{directory} has {before.evaluations} trials, the best {before.best_value:.3g}")

result = search(directory)
print(f"resumed: {result.evaluations} trials, the best {result.best_value:.3g}")
undisturbed = search()
assert list(result.history["value"]) == list(undisturbed.history["value"])
assert result.best == undisturbed.best
print(f"undisturbed: {undisturbed.evaluations} trials, the same, bit for bit")

if arguments.picture:
    import matplotlib.pyplot as plt

    ax = jaxhop.plots.history(result)
    ax.axvline(before.evaluations - 0.5, color="red", linestyle="--", label="killed, resumed")
    ax.legend(fontsize=8)
    plt.savefig(arguments.picture)
