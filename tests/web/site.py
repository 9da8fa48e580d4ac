"""A page of the small bundle, served as any plain file server serves it, and a Chromium that opens it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

LIMIT_S = 90.0
# WebGPU in software, which Chromium hides from ordinary pages.
FLAGS = (
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
)  # fmt: skip


class Quiet(SimpleHTTPRequestHandler):
    """Sets no header that a plain file server does not set; notes what it was asked for."""

    def log_message(self, format: str, *words: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        for start, elsewhere in self.server.moved.items():  # type: ignore[attr-defined]
            if self.path.startswith(start):
                self.send_response(302)
                self.send_header("Location", elsewhere + self.path.removeprefix(start))
                self.end_headers()
                return
        super().do_GET()

    def end_headers(self) -> None:
        for name, value in self.server.headers.items():  # type: ignore[attr-defined]
            self.send_header(name, value)
        super().end_headers()


class Host(ThreadingHTTPServer):
    """A folder on this machine's loopback. `asked` is what browsers asked for, in order, `moved` what is elsewhere."""

    def __init__(self, folder: Path, moved: Mapping[str, str], headers: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
        self.folder = folder
        self.asked: list[str] = []
        self.moved = moved
        self.headers = headers

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


@contextmanager
def hosting(
    folder: Path, moved: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> Iterator[Host]:
    """Serve a folder until the end of the block; what is `moved` is redirected, and `headers` go with every answer."""
    host = Host(folder, moved or {}, headers or {})
    thread = threading.Thread(target=host.serve_forever, daemon=True)
    thread.start()
    try:
        yield host
    finally:
        host.shutdown()
        host.server_close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Ask again and again; the page's policy forbids the browser to evaluate texts, so that it cannot wait for us."""
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {LIMIT_S:g} s"
        time.sleep(0.05)


def opened(page: Page, url: str) -> Page:
    """The page after its one reload, by which it became isolated."""
    page.goto(url)
    page.locator('html[data-isolated="true"]').wait_for(state="attached", timeout=LIMIT_S * 1000)
    page.wait_for_load_state()
    return page


def processed(page: Page, *pictures: Path) -> list[str]:
    """What the queue says of each picture, once all are done or failed."""
    before = page.locator("#queue li").count()
    page.set_input_files("#files", [str(path) for path in pictures])
    rows = page.locator("#queue li.finished, #queue li.failed")
    wait_for(lambda: rows.count() == before + len(pictures), f"{len(pictures)} pictures")
    return page.locator("#queue li output").all_inner_texts()[before:]
