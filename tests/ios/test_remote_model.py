"""The Swift SDK's last resort, run on Linux: against the real server target, and against servers that do not behave."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

import builder
from tests.harness.small_bundle import make_small_bundle
from tests.ios.swift import ROOT, Swift, build_folder, find_ios_sources
from tests.server.test_server import picture, running

CORE = "edgebundle/Sources/EdgebundleCore"
FACTS = {"name": "small", "variant": "tflite-fp32", "width": 8, "height": 8}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)

Ask = Callable[..., list[str]]


@pytest.fixture(scope="module")
def ask() -> Ask:
    """Compiles the two files that ask a server with a program around them; what that program prints for an address."""
    work = build_folder("remote")
    swift = Swift(find_ios_sources(), work)
    (work / "main.swift").write_text((ROOT / "tests" / "ios" / "remote" / "main.swift").read_text())
    (work / "picture.png").write_bytes(picture())
    files = [f"{swift.source_path}/{CORE}/{name}.swift" for name in ("BundleError", "RemoteModel", "RemoteCall")]
    words = ["swiftc", "-swift-version", "6", "-warnings-as-errors", "-module-cache-path", f"{swift.work_path}/cache"]
    done = swift.run(*words, "-o", f"{swift.work_path}/remote", *files, f"{swift.work_path}/main.swift", check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    def asked(address: str, mode: str = "yes") -> list[str]:
        found = swift.run(f"{swift.work_path}/remote", address, f"{swift.work_path}/picture.png", mode, check=False)
        assert found.returncode == 0, found.stdout + found.stderr
        return found.stdout.splitlines()

    asked.work = work  # type: ignore[attr-defined]
    return asked


class Handler(BaseHTTPRequestHandler):
    """Serves the facts, and `answer` decides about pictures."""

    def log_message(self, format: str, *words: object) -> None:
        pass

    def do_GET(self) -> None:
        self.say(200, json.dumps(FACTS).encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.server.answer(self)  # type: ignore[attr-defined]

    def say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def answering(answer: Callable[[Handler], None]) -> Iterator[tuple[str, list[str]]]:
    """The address of such a server, and the paths that pictures were sent to."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.answer, server.asked = answer, []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.asked  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()


def test_swift_and_the_server_agree(ask: Ask, tmp_path: Path) -> None:
    """The user is asked, the picture comes back in the network's size, and what was sent is told and recorded."""
    folder = builder.package(make_small_bundle(tmp_path / "bundle"), target="server", out=tmp_path / "dist").files[0]
    with running(folder, tmp_path / "log") as server:
        told = ask(f"http://127.0.0.1:{server.port}")
    work: Path = ask.work  # type: ignore[attr-defined]
    with Image.open(work / "made.png") as made:
        assert told[1] == f"size: {made.width} x {made.height}", told
    place = f"127.0.0.1:{server.port}"
    assert told[0] == f"asked: {place} no variant works."
    assert told[2].startswith(f"sent: {(work / 'picture.png').stat().st_size} bytes were sent to {place}")
    assert told[3] == "record: true"


def test_nothing_is_sent_before_the_user_agrees(ask: Ask) -> None:
    """Whoever says no is not asked again, and no server hears of it."""
    with answering(lambda handler: handler.say(200, PNG)) as (address, asked):
        told = ask(address, "no")
    assert told[-1].startswith("refused: no variant works.")
    assert told[-1].endswith("since nobody agreed.")
    assert asked == []


def test_vectors_go_into_the_address(ask: Ask) -> None:
    """As the server's schema says."""
    with answering(lambda handler: handler.say(200, PNG)) as (address, asked):
        assert ask(address, "vectors")[-1] == "record: true"
    query = parse_qs(urlsplit(asked[0]).query)
    assert json.loads(query["vectors"][0]) == {"style": [1, 0.5]}


def test_a_busy_server_is_asked_once_more(ask: Ask) -> None:
    """After the time that it says; a second 429 is told, and one that is busy for an hour is not waited for."""
    waits = ["0"]

    def once(handler: Handler) -> None:
        if waits:
            handler.say(429, b"{}", Retry_After=waits.pop())
        else:
            handler.say(200, PNG)

    with answering(once) as (address, asked):
        assert ask(address)[-1] == "record: true"
        assert len(asked) == 2
    full = json.dumps({"detail": "the queue is full."}).encode()
    for wait, times in (("0", 2), ("3600", 1)):
        with answering(partial(Handler.say, status=429, body=full, Retry_After=wait)) as (address, asked):
            assert ask(address)[-1].endswith("answered 429: the queue is full.")
            assert len(asked) == times


def test_sizes_times_and_places_are_bounded(ask: Ask) -> None:
    """A picture and an answer that are too large, one that drips, one that leads elsewhere, one that is no picture."""

    def drip(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.1)

    cases: list[tuple[Callable[[Handler], None], str, str]] = [
        (lambda handler: handler.say(200, PNG), "large", "at most 10 are sent"),
        (lambda handler: handler.say(200, bytes(50_000)), "long", "more than 10000 bytes"),
        (drip, "slow", "did not answer within 1.0 s"),
        (lambda handler: handler.say(307, b"", Location="/elsewhere"), "yes", "answered 307"),
        (lambda handler: handler.say(200, b"hello"), "yes", "no PNG picture"),
    ]
    for answer, mode, said in cases:
        with answering(answer) as (address, asked):
            assert said in ask(address, mode)[-1]
            assert not any("elsewhere" in path for path in asked)


@pytest.mark.parametrize(
    "address",
    ["http://example.org/", "http://127.0.0.1.example.org/", "https://user:word@example.org/", "https://example.org/?key=1",
     "ftp://127.0.0.1/", "example.org"],
)  # fmt: skip
def test_an_address_that_others_could_listen_to_is_refused(ask: Ask, address: str) -> None:
    """Before anybody is asked."""
    told = ask(address)
    assert len(told) == 1
    assert told[0].startswith("refused: ")
    assert "use https" in told[0]
