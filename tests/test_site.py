"""The site: built without a warning, it loads nothing from elsewhere and fits a phone."""

import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

pytestmark = pytest.mark.docs

TOP = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=TOP, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def address(site):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_nothing_is_loaded_from_elsewhere(site):
    tags = r'<(?:script|link|img|iframe)[^>]*?(?:src|href)="((?:https?:)?//[^"]*)"'
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    assert not {found for page in pages for found in re.findall(tags, page.read_text("utf-8"))}


@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")
@pytest.mark.parametrize("page", ["", "guide/spaces/", "reference/searching/"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_browser_shows_a_page_without_an_error(address, page, width, scheme):
    from playwright.sync_api import sync_playwright

    said, asked = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        shown.on("console", lambda message: said.append(message.text))
        shown.on("pageerror", lambda error: said.append(str(error)))
        shown.on("request", lambda request: asked.append(request.url))
        shown.goto(address + page)
        assert shown.evaluate("document.documentElement.scrollWidth") == width
        dark = shown.evaluate("document.body.dataset.mdColorScheme") == "slate"
        browser.close()
    assert dark == (scheme == "dark")
    assert not said
    assert all(url.startswith(address) for url in asked)


@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")
@pytest.mark.parametrize(("width", "columns"), [(1280, 2), (390, 1)])
def test_two_columns_where_there_is_room(address, width, columns):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": width, "height": 900})
        shown.goto(address + "from/optuna/")
        lefts, hidden = shown.evaluate(
            """[[...document.querySelector(".grid").children].map(fence => fence.offsetLeft),
            Math.max(...[...document.querySelectorAll(".grid code")].map(
                code => code.scrollWidth - code.clientWidth))]"""
        )
        browser.close()
    assert len(lefts) == 2
    assert len(set(lefts)) == columns
    assert width < 1280 or hidden == 0
