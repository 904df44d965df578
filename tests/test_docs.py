"""Every page of the documentation: its code runs, and the site has a place for it."""

import contextlib
import io
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import pytest
import yaml

pytestmark = pytest.mark.docs

TOP = Path(__file__).parents[1]
PAGES = sorted(path.relative_to(TOP / "docs").as_posix() for path in TOP.glob("docs/**/*.md"))
# `python` runs; `py` is code of a tool that cannot run here, and is only parsed.
LANGUAGES = {"python", "py", "bash", "text", "yaml", "json", "csv"}
FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


@dataclass
class Block:
    """A fence of a page."""

    language: str
    title: str
    text: str
    line: int


def blocks(page):
    """The fences of a page, those in tabs and admonitions too, without their indentation."""
    text = (TOP / "docs" / page).read_text(encoding="utf-8")
    found = []
    for fence in FENCE.finditer(text):
        line = text.count("\n", 0, fence.start(3))
        language, _, title = fence[2].partition(" ")
        found.append(Block(language, title, textwrap.dedent(fence[3]), line))
    assert 2 * len(found) == len(re.findall(r"^ *```", text, re.MULTILINE)), "a fence has no end"
    return found


def compiled(block, page):
    """The code of a block, which knows its line of the page."""
    return compile("\n" * block.line + block.text, str(TOP / "docs" / page), "exec")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("quick_compilation")
def test_the_code_of_a_page_runs_in_order(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")
    printed = io.StringIO()
    names = {"__name__": "__main__"}  # what a block defines, workers get by value
    for block in blocks(page):
        assert block.language in LANGUAGES, f"line {block.line}: {block.language!r}"
        if included := re.fullmatch(r'--8<-- "(.+)"\n', block.text):
            assert (TOP / included[1]).is_file()  # which is run where it is
        elif block.language == "py":
            compiled(block, page)
        elif block.language == "python":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compiled(block, page), names)
        elif block.title == 'title="prints"':  # what the code above prints, but for line breaks
            assert printed.getvalue().split() == block.text.split(), f"line {block.line}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("from/")])
def test_what_you_wrote_stands_beside_what_you_write(page):
    text = (TOP / "docs" / page).read_text(encoding="utf-8")
    grids = re.findall(
        r'^<div class="grid" markdown>\n(.*?)^</div>$', text, re.DOTALL | re.MULTILINE
    )
    assert len(grids) >= 4
    for grid in grids:
        columns = list(FENCE.finditer(grid))
        titles = [fence[2].partition("title=")[2] for fence in columns]
        assert [title[:15] for title in titles] == ['"What you wrote', '"What you write']
        # As much as fits in half of a page.
        assert max(len(line) for fence in columns for line in fence[3].splitlines()) <= 49


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_one_title(page):
    text = FENCE.sub("", (TOP / "docs" / page).read_text(encoding="utf-8"))
    assert len(re.findall(r"^# .", text, re.MULTILINE)) == 1


def test_the_navigation_has_every_page_once():
    def listed(entry):
        if isinstance(entry, str):
            return [entry]
        inner = entry.values() if isinstance(entry, dict) else entry
        return [page for each in inner for page in listed(each)]

    nav = yaml.safe_load((TOP / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    assert sorted(listed(nav)) == PAGES


def test_pictures_are_small_and_used():
    used = "".join((TOP / "docs" / page).read_text(encoding="utf-8") for page in PAGES)
    for path in TOP.glob("docs/pictures/**/*.*"):
        assert path.name in used
        assert path.stat().st_size < (600_000 if path.suffix == ".gif" else 100_000)
