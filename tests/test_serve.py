"""The page that follows searches: what it answers, whom it refuses, and how a browser shows it."""

import contextlib
import http.client
import json
import re
import shutil
import signal
import subprocess
import sys
from importlib import resources

import pytest
from commands import mistake
from processes import finish, start

import jaxhop

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SCRIPT = "from jaxhop.__main__ import main; main()"
EVIL = "<img src=x onerror=alert(1)>"
SEARCH = """
import os, sys, time
import jaxhop

calls = []

def loss(params):
    calls.append(params)
    while len(calls) > 30 and not os.path.exists(sys.argv[1] + ".go"):
        time.sleep(0.05)  # until it was seen running
    return (params["x"] - 0.5) ** 2 + 1

jaxhop.search(
    loss, {"x": jaxhop.float(-1, 1)}, evaluations=60, dir=sys.argv[1], progress=False,
    backend="python", surrogate=False,
)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a search that is over, whose texts are markup."""
    path = tmp_path_factory.mktemp("runs")
    space = {"x": jaxhop.float(-1, 1), EVIL: jaxhop.choice(EVIL)}
    jaxhop.search(
        lambda params: (params["x"] - 0.5) ** 2, space, evaluations=5, dir=path / "<b>over",
        progress=False, backend="python", surrogate=False,
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def served(folder):
    """The port at which that folder is served, by another process."""
    process = start(SCRIPT, "serve", folder, "--port", 0)
    assert process.stdout is not None
    said = process.stdout.readline()
    found = re.match(r"http://127\.0\.0\.1:(\d+) ", said)
    assert found, said
    yield int(found[1])
    process.send_signal(signal.SIGINT)
    output, error = process.communicate(timeout=30)
    assert (process.returncode, output, error) == (0, "", "")


def ask(port, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer, answer.read()


def test_the_state_is_json(folder, served):
    answer, body = ask(served, "/state")
    [view] = json.loads(body)
    assert answer.getheader("content-type") == "application/json"
    assert (view["name"], view["state"]) == ("<b>over", "finished")
    assert float(view["best"]) == jaxhop.load(folder / "<b>over").best_value


@pytest.mark.parametrize("path", ["/", "/page.js", "/page.css", "/icon.svg", "/state", "/none"])
def test_nobody_else_may_read_or_add_anything(served, path):
    answer, body = ask(served, path, Origin="http://evil.example")
    names = [name.lower() for name, _ in answer.getheaders()]
    assert not [name for name in names if name.startswith("access-control")]
    policy = answer.getheader("content-security-policy") or ""
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    sources = {word for part in policy.split(";") for word in part.split()[1:]}
    assert sources == {"'none'", "'self'"}
    assert answer.getheader("cross-origin-resource-policy") == "same-origin"
    assert answer.status == (404 if path == "/none" else 200) and body


@pytest.mark.parametrize("path", ["/", "/state", "/none"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_another_host_is_refused(served, path, host):
    """A name of somebody else's may point to this machine, but says so."""
    assert ask(served, path, Host=host)[0].status == 400
    assert ask(served, "/", Host=f"localhost:{served}")[0].status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_it_only_reads(served, method):
    assert ask(served, "/state", method)[0].status == 405


@pytest.mark.parametrize("path", ["/../pyproject.toml", "/%2e%2e/_serve.py", "//etc/passwd"])
def test_there_is_nothing_else(served, path):
    assert ask(served, path)[0].status == 404


def test_all_that_is_needed_is_there():
    for each in resources.files("jaxhop").joinpath("_page").iterdir():
        text = each.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "//" not in re.sub(r"^//.*$|[;,{] // .*$", "", text, flags=re.MULTILINE), each.name


def test_mistakes_are_one_sentence(tmp_path, served):
    assert "there is no such directory" in mistake("serve", tmp_path / "none")
    assert "Say another one, or `--port 0`" in mistake("serve", tmp_path, "--port", served)
    script = f'import sys; sys.modules["uvicorn"] = None; {SCRIPT}'
    command = [sys.executable, "-c", script, "serve", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr == 'Error: `jaxhop serve` needs uvicorn. Run `pip install "jaxhop[serve]"`.\n'
    )


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_follows_a_search(folder, served):
    """The page shows what the directory holds, while it grows and at the end, without errors."""
    browsers = pytest.importorskip("playwright.sync_api")
    path = folder / "going"
    process = start(SEARCH, path)
    complaints: list[str] = []
    with browsers.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        asked: set[str] = set()
        page.on("request", lambda request: asked.add(request.url.split("/")[2]))
        page.goto(f"http://127.0.0.1:{served}/")
        card = page.locator("article", has=page.locator("h2", has_text="going"))
        card.locator(".running").wait_for(timeout=120_000)
        done = card.locator("tr", has_text="evaluations").locator("td").first
        card.locator("svg path").wait_for(timeout=60_000)
        first = int(done.inner_text().split(",")[0])
        path.with_name("going.go").touch()
        card.locator(".finished").wait_for(timeout=60_000)
        assert 0 < first < int(done.inner_text().split(",")[0]) == 60
        finish(process)
        best = card.locator("tr.best td").inner_text()
        over = page.locator("article", has=page.locator("h2", has_text="<b>over"))
        names = over.locator(".long").first.inner_text()
        images, height = page.locator("img").count(), card.locator("svg").bounding_box()
        browser.close()
    assert best == f"{jaxhop.load(path).best_value!r} (min)"
    assert names.count(EVIL) == 2 and images == 0 and height is not None
    assert complaints == [] and asked == {f"127.0.0.1:{served}"}


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_says_that_nobody_answers(tmp_path):
    browsers = pytest.importorskip("playwright.sync_api")
    process = start(SCRIPT, "serve", tmp_path, "--port", 0)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split()[0]
        with browsers.sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(address)
            page.get_by_text("no search is here yet").wait_for()
            process.send_signal(signal.SIGINT)
            page.get_by_text("the server does not answer").wait_for()
            browser.close()
    finally:
        process.kill()
        process.communicate()
