"""Draws the picture of the first page, by running the code there: `python docs/draw_home.py`."""

import os
import re
import tempfile
from pathlib import Path

from matplotlib import pyplot
from PIL import Image

PAGE = Path(__file__).with_name("index.md")
PICTURE = Path(__file__).parent / "pictures" / "first-search.png"


def main() -> None:
    """Runs the blocks of the page in a folder of their own, and keeps what they draw."""
    pyplot.switch_backend("Agg")
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        exec(compile("\n".join(blocks), str(PAGE), "exec"), {})
        image = Image.open("search.png").convert("RGB")
        os.chdir(PAGE.parent)
    # So many colours are enough, and take a third of the room.
    image.quantize(64, Image.Quantize.MAXCOVERAGE).save(PICTURE, optimize=True)
    print(f"{PICTURE.name}: {PICTURE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
