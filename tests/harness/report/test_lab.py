"""The lab's page: what it shows of devices and sessions, that it only reads, and that it fits a phone's screen."""

from __future__ import annotations

import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.commands.serve import make_server
from harness.errors import UsageError
from harness.records.run import GoldenResult
from harness.records.store import open_store
from tests.harness.browser import chromium
from tests.harness.runs import device, make_run, rounds

WIDTH = "<script>document.title = JSON.stringify([innerWidth, document.documentElement.scrollWidth])</script>"
WRONG = GoldenResult(id="0", passed=False, psnr_db=9.0, max_abs_error=0.8, min_psnr_db=45.0)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A served store of two devices and two sessions, one of which went wrong."""
    path = tmp_path / "runs.sqlite"
    store = open_store(str(path), create=True)
    bad = {"golden": WRONG, "verdict": "invalid: golden 0 reached 9.0 dB"}
    for run in (
        *rounds(0, 3, session="first"),
        *rounds(10, 3, session="second<b>", device=device("android", "R5"), **bad),
    ):
        store.append(run)
    store.close()
    server = make_server(str(path), "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", path
    server.shutdown()
    server.server_close()


def got(address: str) -> str:
    with urllib.request.urlopen(address, timeout=60) as answer:
        return str(answer.read().decode())


def test_devices_and_sessions_are_shown(lab: tuple[str, Path]) -> None:
    """Each device with its state and verdicts, each session with a page of its own, and the report."""
    address, _ = lab
    page = got(address)
    assert "android:R5" in page
    assert '<span class="invalid">1 invalid</span>' in page
    assert "second<b>" not in page
    link = re.search(r'href="(/session\?id=second[^"]*)"', page)
    assert link is not None
    session = got(address + "/session?id=second%3Cb%3E")
    assert session.count("invalid: golden 0 reached 9.0 dB") == 3
    assert "<!doctype html>" in got(address + "/report")


def test_it_only_reads(lab: tuple[str, Path]) -> None:
    """Another method, another path and another session are refused; a run that is appended is there at the next look."""
    address, path = lab
    for request in (
        urllib.request.Request(address, method="POST", data=b"x"),
        urllib.request.Request(address, method="DELETE"),
        urllib.request.Request(address + "/../etc/passwd"),
        urllib.request.Request(address + "/session?id=none"),
    ):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=60)
        assert caught.value.code in (404, 501)
        caught.value.close()
    store = open_store(str(path))
    store.append(make_run(id="new", device=device("android", "NEW1")))
    store.close()
    assert "android:NEW1" in got(address)


def test_a_store_that_breaks_is_a_sentence(lab: tuple[str, Path]) -> None:
    """A visitor gets the store's own words and no traceback; the page is there again with the store."""
    address, path = lab
    path.rename(path.with_suffix(".away"))
    with pytest.raises(urllib.error.HTTPError) as caught:
        got(address)
    assert "does not exist" in caught.value.read().decode()
    caught.value.close()
    path.with_suffix(".away").rename(path)
    assert "android:R5" in got(address)
    with pytest.raises(UsageError, match="cannot be listened at"):
        make_server(str(path), "256.1.1.1", 0)


def test_the_page_fits_a_narrow_screen(lab: tuple[str, Path], tmp_path: Path) -> None:
    """In Chromium nothing is wider than the window, at 500 pixels (its least) and at 1200."""
    page = tmp_path / "lab.html"
    page.write_text(got(lab[0]).replace("</html>", WIDTH + "</html>"), encoding="utf-8")
    for width in (500, 1200):
        done = chromium(page, tmp_path / f"profile{width}", f"--window-size={width},900", "--dump-dom")
        title = re.search(r"<title>(\[.*?\])</title>", done.stdout.decode())
        assert title is not None
        window, content = json.loads(title.group(1))
        assert content <= window
