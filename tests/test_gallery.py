"""The gallery shows every numbered example, with its code and its picture."""

from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
SCRIPTS = sorted((TOP / "examples").glob("[0-9]*.py"))


def test_the_numbers_have_no_gap():
    assert [int(script.name[:2]) for script in SCRIPTS] == list(range(1, len(SCRIPTS) + 1))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_gallery_shows_its_code_and_its_picture(script):
    page = (TOP / "docs" / "gallery.md").read_text(encoding="utf-8")
    picture = next((TOP / "docs" / "pictures" / "gallery").glob(f"{script.stem}.*"))
    assert f'--8<-- "examples/{script.name}"' in page
    assert f"(pictures/gallery/{picture.name})" in page
