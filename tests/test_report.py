"""The report: one page that a browser shows without a network, and that nobody can write into."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from pictured import made, toured

import jaxhop

pytest.importorskip("matplotlib").use("Agg")
pytest.importorskip("plotly")

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
in_a_browser = pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")


def shown(page, profile):
    """The page as a browser leaves it, and what it wrote to its console."""
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
            f"--user-data-dir={profile}", "--virtual-time-budget=3000", "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout, re.findall(r".*CONSOLE.*", done.stderr)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "out.html"
    result = made()
    result.report(path, title="digits <b>&amp;</b>")
    return result, path


# Clicks twice on the heading of the values, and writes down what is on top.
CLICKS = """<script>
const button = document.querySelectorAll("#trials th button")[1];
for (const turn of ["ascending", "descending"]) {
  button.click();
  const top = document.querySelector("#trials tbody").rows[0].cells[1].textContent;
  document.body.append(`${turn}: ${top};`);
}
</script></body>"""


@in_a_browser
def test_a_browser_shows_the_best_value_and_sorts_without_an_error(written, tmp_path):
    result, path = written
    page = tmp_path / "clicked.html"
    text = path.read_text(encoding="utf-8")
    page.write_text(text.replace("</body>", CLICKS), encoding="utf-8")
    dom, console = shown(page, tmp_path / "profile")
    assert not console
    assert f'<strong id="best-value">{result.best_value:.6g}</strong>' in dom
    assert dom.count('class="main-svg"') >= 2  # plotly has drawn
    assert "<title>digits &lt;b&gt;&amp;amp;&lt;/b&gt;</title>" in dom
    values = result.history["value"]
    assert f"ascending: {np.nanmin(values):.6g};" in dom
    assert f"descending: {np.nanmax(values):.6g};" in dom


@in_a_browser
def test_the_console_is_seen(tmp_path):
    page = tmp_path / "broken.html"
    page.write_text("<script>missing()</script>")
    assert shown(page, tmp_path)[1]


def test_nothing_is_loaded(written):
    text = written[1].read_text(encoding="utf-8")
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=(?![\"']?data:)", text)
    assert "default-src 'none'" in text
    assert text.count("plotly.js v") == 1


def test_the_table_holds_the_best_thousand_trials(tmp_path):
    result = made(1500, failed=0.0)
    result.report(tmp_path / "out.html")
    text = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "The best 1,000 of 1,500 trials" in text
    body = text[text.index("<tbody>") : text.index("</tbody>")]
    values = [float(cell) for cell in re.findall(r"<tr><td>\d+</td><td>([^<]*)</td>", body)]
    counted = np.sort(result.history["value"][result.history.usable])
    np.testing.assert_allclose(values, counted[:1000], rtol=1e-5)


def test_text_of_the_user_is_no_markup(tmp_path):
    bad = "</script><script>alert(1)</script>"
    space = {bad: jaxhop.choice(bad, "<img src=x onerror=alert(2)>"), "x": jaxhop.float(0, 1)}
    result = jaxhop.search(lambda p: p["x"], space, evaluations=20, backend="python")
    path = tmp_path / "out.html"
    result.report(path, title=bad)
    text = path.read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_a_space_without_numbers_has_a_report(tmp_path):
    toured()[0].report(tmp_path / "out.html")
    text = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "int64[60] mean 29.5" in text
    assert "Which parameters mattered" not in text
