"""Runs the examples and keeps their pictures: `python docs/draw_gallery.py [NUMBER ...]`.

Run it by hand, with all examples (some minutes) or those of some numbers, such as `03`. Prints
how many seconds of a processor each of them took, child processes included.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

TOP = Path(__file__).parents[1]
FOLDER = TOP / "docs" / "pictures" / "gallery"


def main() -> None:
    parser = argparse.ArgumentParser(description="Draws the pictures of the gallery.")
    parser.add_argument("numbers", nargs="*", help="of examples; default: all")
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for script in sorted((TOP / "examples").glob("[0-9]*.py")):
        if not arguments.numbers or script.name[:2] in arguments.numbers:
            draw(script)


def draw(script: Path) -> None:
    """Runs a script and keeps its picture; a still one in 256 colours, to be small."""
    suffix = ".gif" if "tsp" in script.stem else ".png"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as directory:
        picture = Path(directory) / f"picture{suffix}"
        subprocess.run([sys.executable, script, "--picture", picture], check=True)
        kept = FOLDER / f"{script.stem}{suffix}"
        if suffix == ".gif":
            kept.write_bytes(picture.read_bytes())
        else:
            few = Image.open(picture).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
            few.save(kept, optimize=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    print(f"==> {script.name}: {seconds:.0f} s, {kept.name} {kept.stat().st_size // 1000} KB\n")


if __name__ == "__main__":
    main()
