"""README's code runs as it stands, only shorter."""

import os
import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
COMMANDS = (
    'pip install ".[examples]" && python examples/tune_digits_mlp.py',
    'pip install ".[test]" && pytest',
)


@pytest.mark.usefixtures("quick_compilation")
def test_every_python_block_runs_in_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # one of them writes a file
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
    names = {}
    for block in blocks:
        block, _ = re.subn(r'runtime="\d+s"', 'runtime="1s"', block)
        exec(compile(block, str(README), "exec"), names)
    assert len(blocks) == 18
    assert sorted(os.listdir(tmp_path)) == [
        "first.png",
        "history.csv",
        "history.png",
        "plot.png",
        "runs",
        "search.json",
    ]


def test_the_two_commands_stand_in_readme_word_for_word():
    lines = README.read_text().splitlines()
    assert all(command in lines for command in COMMANDS)
