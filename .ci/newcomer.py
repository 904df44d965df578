"""Goes through the README's ten minutes as somebody new would, and checks each thing it says.

Run by `.ci/run` with the Python of an environment that has what the README says to install.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def main() -> None:
    """Goes through all steps in an empty directory."""
    section = re.search(
        r"^## Ten minutes\n(.*?)^## ", README.read_text(), re.DOTALL | re.MULTILINE
    )
    assert section is not None
    code = re.search(r"```python\n(.*?)```", section[1], re.DOTALL)
    line = re.search(r'`("kernel": .*?,)`', section[1])
    assert code is not None and line is not None
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        Path("first.py").write_text(code[1])

        say("run, and see a picture")
        out = run()
        assert "40 evaluations" in out, out
        assert Path("first.png").read_bytes().startswith(b"\x89PNG")

        say("more evaluations, Ctrl-C, and on")
        change("evaluations=40", "evaluations=80")
        out = run(interrupt_after=50)
        assert "stopped by interrupted" in out, out
        assert 40 < evaluations(out) < 80, out
        out = run()
        assert evaluations(out) == 80, out
        shown = subprocess.run(["jaxhop", "show", "runs/first"], capture_output=True, text=True)
        assert shown.returncode == 0 and "80" in shown.stdout, shown

        say("another space")
        change('SVC(C=params["C"], gamma=params["gamma"])', "SVC(**params)")
        change("space = {\n", "space = {\n    " + line[1] + "\n")
        refusal = subprocess.run([sys.executable, "first.py"], capture_output=True, text=True)
        assert refusal.returncode == 1 and 'space["kernel"]: is new' in refusal.stderr, refusal
        change("runs/first", "runs/second")
        assert "kernel" in run()

        say("two cores")
        change("runs/second", "runs/third")
        change("evaluations=80", "evaluations=80, n_jobs=2")
        out = run()
        assert evaluations(out) == 80, out
    say("all of the README's ten minutes is true")


def say(text: str) -> None:
    """Prints where it is."""
    print(f"-- {text}", flush=True)


def change(old: str, new: str) -> None:
    """Replaces text of the script, which must be there."""
    text = Path("first.py").read_text()
    assert old in text, (old, text)
    Path("first.py").write_text(text.replace(old, new))


def evaluations(out: str) -> int:
    """How many evaluations a printed result tells of."""
    found = re.search(r"([\d,]+) evaluations in", out)
    assert found is not None, out
    return int(found[1].replace(",", ""))


def run(interrupt_after: int | None = None) -> str:
    """Runs the script; what it printed.

    Args:
        interrupt_after: Ctrl-C once so many evaluations are in the directory.
    """
    process = subprocess.Popen([sys.executable, "first.py"], stdout=subprocess.PIPE, text=True)
    if interrupt_after is not None:
        import jaxhop

        while jaxhop.load("runs/first").evaluations < interrupt_after:
            assert process.poll() is None, "it ended before it was interrupted"
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=300)
    print(out, flush=True)
    assert process.returncode == 0, process.returncode
    return out


if __name__ == "__main__":
    main()
