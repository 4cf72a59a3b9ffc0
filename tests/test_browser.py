"""The rendered book in a real browser: what a reader sees, without a network."""

import functools
import http.server
import shutil
import threading

import pytest

from tests.conftest import ROOT
from tests.test_study import CLASSROOM, classroom  # noqa: F401  (a fixture)

# One process renders the book that all of them open.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Requests are not news."""


@pytest.fixture(scope="module")
def site(classroom):  # noqa: F811
    """Address of the rendered book on a local server."""
    folder = str(ROOT / "runs" / CLASSROOM / "book" / "html")
    handler = functools.partial(_Quiet, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        pytest.skip("Chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield launched
        launched.close()


def _pages() -> list[str]:
    html = ROOT / "runs" / CLASSROOM / "book" / "html"
    names = sorted(p.name for p in html.glob("*.html") if p.name != "index.html")
    return names or ["index.html"]  # The index only leads on to the first page.


@pytest.fixture(scope="module")
def visit(browser, site):
    """Open a page at a width; returns the page and what went wrong while it loaded."""
    opened = []

    def open_page(name: str, width: int = 1280):
        page = browser.new_page(viewport={"width": width, "height": 900})
        opened.append(page)
        wrong: list[str] = []
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: wrong.append(f"script error: {error}"))
        page.on(
            "request",
            lambda r: (
                wrong.append(f"outside: {r.url}")
                if not r.url.startswith((site, "data:", "blob:"))
                else None
            ),
        )
        page.on("response", lambda r: wrong.append(f"{r.status} {r.url}") if r.status >= 400 else 0)
        page.goto(f"{site}/{name}", wait_until="load")
        return page, wrong

    yield open_page
    for page in opened:
        page.close()


def test_pages_load_without_a_network_and_without_errors(visit):
    problems = {}
    for name in _pages():
        _, wrong = visit(name)
        if wrong:
            problems[name] = wrong
    assert not problems


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_scrolls_sideways(visit, width):
    for name in _pages():
        page, _ = visit(name, width)
        overflow = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 1, f"{name} is {overflow} px too wide at {width}"


def test_every_picture_is_drawn_and_described(visit):
    for name in _pages():
        page, _ = visit(name)
        broken = page.evaluate(
            "[...document.querySelectorAll('article img')]"
            ".filter(i => !i.complete || i.naturalWidth === 0 || !(i.alt || '').trim())"
            ".map(i => i.src.slice(0, 60))"
        )
        assert broken == [], name


def test_a_figures_table_downloads_as_csv(visit):
    page, _ = visit("01_store.html")
    with page.expect_download() as download:
        page.locator("a.table-download").first.click()
    lines = download.value.path().read_text().splitlines()
    assert len(lines) >= 2 and "," in lines[0]


def test_no_quoted_value_is_missing(visit):
    for name in set(_pages()) - {"api.html"}:  # The reference speaks about quoting.
        page, _ = visit(name)
        text = page.inner_text("body")
        assert "glue:text" not in text and "{doc}" not in text, name
        assert " nan " not in text and "NaN" not in text, name
