"""What Lighthouse asks of a page, asked in Chromium: light, steady, for everybody, installable, and there without a network."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.web import looks
from tests.web.site import LIMIT_S, Host, hosting, opened, processed, wait_for

KEY_MS = 5000
PHONE, WALL = ViewportSize(width=320, height=640), ViewportSize(width=3840, height=2160)
LOOKS = [("en-GB", "light", PHONE), ("zh-CN", "dark", PHONE), ("zh-CN", "light", WALL), ("en-GB", "dark", WALL)]
ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look[0]} {look[1]} {look[2]['width']}")
def visitor(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A language, a preference and a screen."""
    locale, scheme, screen = request.param
    context = browser.new_context(locale=locale, color_scheme=scheme, viewport=screen)
    page = context.new_page()
    page.add_init_script(looks.SHIFTS)
    yield page
    context.close()


def test_everybody_can_use_the_page(visitor: Page, host: Host, picture: Path) -> None:
    """Names, contrast, sizes, headings, language, and nothing that stands out to the side or moves, before and after a picture."""
    page = opened(visitor, host.url)
    language = page.evaluate("navigator.language")[:2]
    for _ in range(2):
        assert page.get_attribute("html", "lang") == language
        assert looks.unnamed(page) == []
        assert looks.find_faint_texts(page) == []
        assert looks.find_small_targets(page) == []
        levels = looks.headings(page)
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate("window.shifted") < looks.STEADY
        processed(page, picture)


def test_the_benchmark_page_is_for_everybody_too(visitor: Page, host: Host) -> None:
    """The same questions, with its table filled."""
    page = opened(visitor, f"{host.url}bench.html")
    page.click("#measure")
    wait_for(lambda: not page.is_disabled("#records"), "the measurement")
    assert looks.unnamed(page) == []
    assert looks.find_faint_texts(page) == []
    assert looks.find_small_targets(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("window.shifted") < looks.STEADY


def test_a_keyboard_alone_does_all(host: Host, page: Page, picture: Path, tmp_path: Path) -> None:
    """Choose, compare, set the strength and save; each stop of the Tab key is marked, and they go downwards."""
    opened(page, host.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "files"
    choose_by_key(page, picture)
    wait_for(lambda: not page.is_disabled("#save"), "the picture")
    stops = looks.find_tab_stops(page)
    assert [stop.name for stop in stops if not stop.marked] == []
    tops = [stop.top for stop in stops]
    assert all(after > before - 60 for before, after in pairwise(tops)), stops
    for name, key in (("#pair input", "ArrowRight"), ("#strength", "ArrowLeft")):
        reach(page, name)
        before = page.input_value(name)
        page.keyboard.press(key)
        assert page.input_value(name) != before
    reach(page, "#save")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    download.value.save_as(tmp_path / "saved.png")
    Image.open(tmp_path / "saved.png").verify()


def choose_by_key(page: Page, picture: Path) -> None:
    """Space opens the list of files. A browser that is busy lost the key once in some thirty runs, and a user presses it again."""
    for last in (False, False, True):
        try:
            with page.expect_file_chooser(timeout=LIMIT_S * 1000 if last else KEY_MS) as chooser:
                page.keyboard.press("Space")
        except PlaywrightTimeout:
            if last:
                raise
            continue
        chooser.value.set_files(picture)
        return


def reach(page: Page, name: str) -> None:
    """By the Tab key alone."""
    page.evaluate("document.activeElement?.blur()")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("(name) => document.activeElement?.matches(name)", name):
            return
    pytest.fail(f"the Tab key does not reach {name}")


def test_a_visit_is_light(site: Path, host: Host, page: Page) -> None:
    """One style sheet before the first paint, which comes; scripts wait for nobody, and all of it together is small."""
    opened(page, host.url)
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint').length")
    assert painted == 1
    blocking = page.evaluate(
        "[...document.querySelectorAll('script:not([defer]), link[rel=stylesheet]')].map((one) => one.localName)"
    )
    assert blocking == ["link"]
    names = ("index.html", "app.js", "sw.js", "style.css", "icon.svg", "app.webmanifest")
    assert sum(len(gzip.compress((site / name).read_bytes(), 9)) for name in names) < 45_000


def test_the_page_installs_as_an_app(site: Path, host: Host, page: Page) -> None:
    """Chromium finds no reason against it; systems that draw no SVG have icons too."""
    opened(page, host.url)
    tools = page.context.new_cdp_session(page)
    told: dict[str, Any] = tools.send("Page.getAppManifest")
    assert told["errors"] == []
    assert told["data"]
    errors = [entry["errorId"] for entry in tools.send("Page.getInstallabilityErrors")["installabilityErrors"]]
    assert [error for error in errors if error != "in-incognito"] == []  # a test's profile is a private one
    for icon in json.loads((site / "app.webmanifest").read_text())["icons"]:
        if icon["type"] == "image/png":
            with Image.open(site / icon["src"]) as drawn:
                assert f"{drawn.width}x{drawn.height}" == icon["sizes"]


def test_one_visit_is_enough_for_offline_where_the_host_isolates(site: Path, page: Page, picture: Path) -> None:
    """There the page is never loaded a second time, so that its service worker keeps it when it is installed."""
    with hosting(site, headers=ISOLATED) as host:
        opened(page, host.url)
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        assert processed(page, picture)[0].endswith(" ms")
        page.context.set_offline(True)
        page.goto(host.url)
        assert processed(page, picture)[0].endswith(" ms")
        page.goto(f"{host.url}bench.html")
        assert page.inner_text("#measure") == "Measure this browser"
