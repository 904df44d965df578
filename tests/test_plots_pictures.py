"""Pictures look as they did: compared with those in `tests/pictures`, within a tolerance.

To draw the references anew, set JAXHOP_DRAW=1, run this file, and look at what changed.
"""

import os
import shutil
from pathlib import Path

import pytest
from pictured import made, toured

from jaxhop import plots

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import pyplot  # noqa: E402
from matplotlib.testing.compare import compare_images  # noqa: E402

REFERENCES = Path(__file__).parent / "pictures"
_RMS = 8.0  # of 255: texts may move by a pixel between versions of matplotlib, curves may not

PICTURES = {
    "contour": lambda: plots.contour(made(), "opt.lr", "layers"),
    "contour_options": lambda: plots.contour(made(), "opt.lr", "activation"),
    "edf": lambda: plots.edf({"few": made(20), "many": made(400, seed=1)}),
    "overview": lambda: made().plot()[0],
    "history": lambda: plots.history(made()),
    "history_many": lambda: plots.history(made(100_000)),
    "history_max": lambda: plots.history(made(direction="max", confirmed=20), x="seconds"),
    "importance": lambda: plots.importance(made()),
    "parallel_coordinates": lambda: plots.parallel_coordinates(made(60)),
    "slice": lambda: plots.slice(made()),
    "slice_conditional": lambda: plots.slice(made(), "opt.momentum"),
    "timeline": lambda: plots.timeline(made(60)),
    "tour": lambda: plots.tour(*toured()),
}


@pytest.mark.parametrize("name", PICTURES)
def test_picture(name, tmp_path):
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        drawn = tmp_path / f"{name}.png"
        PICTURES[name]().figure.savefig(drawn, dpi=50, metadata={"Software": None})
        pyplot.close("all")
    reference = REFERENCES / drawn.name
    if os.environ.get("JAXHOP_DRAW"):
        shutil.copy(drawn, reference)
    expected = shutil.copy(reference, tmp_path / "expected.png")
    assert compare_images(str(expected), str(drawn), tol=_RMS) is None


def test_another_picture_is_noticed(tmp_path):
    drawn = tmp_path / "drawn.png"
    plots.history(made(seed=1)).figure.savefig(drawn, dpi=50)
    pyplot.close("all")
    expected = shutil.copy(REFERENCES / "history.png", tmp_path / "expected.png")
    assert compare_images(str(expected), str(drawn), tol=_RMS) is not None
