"""What a page, or whoever else reaches the harness's port, may not do: plain requests, without a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from harness.devices.browser import listener
from harness.devices.browser.answers import Answer, Failure
from harness.devices.browser.server import Order, PageServer
from harness.errors import DeviceLost

HELLO = {"agent": "Chrome/1.0", "model": None, "architecture": "x86", "gpu": None, "screen": "1x1x1"}
ANSWER = {
    "accelerator": "wasm",
    "threads": 1,
    "runtime_version": "2.5.3",
    "runtime_start": 100.0,
    "load": 5.0,
    "first": 2.0,
    "latencies": [1.5, 1.5],
    "timer": 0.005,
    "heap_bytes": 1000,
    "isolated": True,
    "gpu": None,
    "hidden": False,
}


@pytest.fixture
def server() -> Iterator[PageServer]:
    with PageServer() as server:
        yield server


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "app.js").write_text("1")
    (tmp_path / "secret").write_text("secret")
    (folder / "linked").symlink_to(tmp_path / "secret")
    return folder


def ask(
    server: PageServer, path: str, body: bytes | None = None, key: str = "", token: str | None = None
) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        method = "GET" if body is None else "POST"
        connection.request(method, f"/{token or server.token}/{path}", body, {listener.KEY: key})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def hello(server: PageServer) -> str:
    status, text = ask(server, "hello", json.dumps(HELLO).encode())
    assert status == 200
    return str(json.loads(text)["key"])


def order(site: Path) -> Order:
    return Order(site=site, variant="v", threads=1, warmup=1, runs=2, inputs={"image": b"1234"}, outputs={"out": 4})


def test_an_order_is_handed_out_once_and_answered(server: PageServer, site: Path) -> None:
    """Inputs as bytes, outputs as bytes of exactly the size that the manifest says, and then the answer."""
    key, wanted = hello(server), order(site)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(server.measure, wanted, timeout_s=20, silent_s=20)
        _, text = ask(server, "next", key=key)
        told = json.loads(text)
        assert (told["site"], told["inputs"], told["outputs"]) == (0, ["image"], ["out"])
        assert ask(server, f"input/{wanted.id}/0", key=key) == (200, b"1234")
        assert ask(server, f"answer/{wanted.id}", json.dumps(ANSWER).encode(), key)[0] == 400  # no output yet
        assert ask(server, f"output/{wanted.id}/0", b"12345", key)[0] == 413
        assert ask(server, f"output/{wanted.id}/0", b"123", key)[0] == 400
        assert ask(server, f"output/{wanted.id}/1", b"1234", key)[0] == 404
        assert ask(server, f"output/{wanted.id}/0", b"1234", key)[0] == 200
        assert ask(server, f"answer/{'0' * 32}", json.dumps(ANSWER).encode(), key)[0] == 404
        assert ask(server, f"answer/{wanted.id}", json.dumps(ANSWER).encode(), key)[0] == 200
        assert future.result(20) == Answer(**ANSWER)
    assert ask(server, f"answer/{wanted.id}", json.dumps(ANSWER).encode(), key)[0] == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("latencies", [1.5]),
        ("latencies", [1.5, -1.0]),
        ("latencies", [1.5, 1e300]),
        ("latencies", [1.5, None]),
        ("threads", "2"),
        ("threads", 0),
        ("accelerator", "rocket"),
        ("gpu", "x" * 1000),
        ("heap_bytes", 1.5),
        ("hidden", 1),
        ("path", "../../etc/passwd"),
    ],
)
def test_an_answer_with_a_wrong_field_is_refused(server: PageServer, site: Path, field: str, value: Any) -> None:
    """The page is told which field; the order is still open, so that nothing is lost by it."""
    key, wanted = hello(server), order(site)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(server.measure, wanted, timeout_s=20, silent_s=20)
        ask(server, "next", key=key)
        ask(server, f"output/{wanted.id}/0", b"1234", key)
        assert ask(server, f"answer/{wanted.id}", json.dumps({**ANSWER, field: value}).encode(), key)[0] == 400
        assert ask(server, f"answer/{wanted.id}", b"{", key)[0] == 400
        assert ask(server, f"failure/{wanted.id}", b'{"reason": "no"}', key)[0] == 200
        assert future.result(20) == Failure(reason="no")


@pytest.mark.parametrize(
    "path",
    [
        "site/0/../secret", "site/0/%2e%2e/secret", "site/0//etc/passwd", "site/0/linked", "site/0/", "site/-1/app.js", "site/1/app.js",
        "../index.html", "site/0/app.js/", "site/00/app.js",
    ],
)  # fmt: skip
def test_no_path_leaves_the_page(server: PageServer, site: Path, path: str) -> None:
    """What is served is a table of the page's own files; a link in it is none."""
    hello(server)
    with pytest.raises(DeviceLost, match="did not ask for its work"):
        server.measure(order(site), timeout_s=1, silent_s=0.01)
    assert ask(server, "site/0/app.js") == (200, b"1")
    assert ask(server, path)[0] == 404


def test_a_wrong_token_sees_nothing_and_guessing_ends(server: PageServer) -> None:
    """An address that guesses is not answered any more, with the right token neither."""
    for _ in range(listener.MOST_WRONG):
        assert ask(server, "", token="guess")[0] == 404
    assert ask(server, "", token="guess")[0] == 429
    assert ask(server, "")[0] == 429


def test_who_asks_too_often_is_told(server: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that runs wild does not keep the harness busy."""
    monkeypatch.setattr(listener, "MOST_REQUESTS", 5)
    assert [ask(server, "")[0] for _ in range(6)] == [200] * 5 + [429]


def test_nothing_is_taken_from_who_did_not_say_hello(server: PageServer, site: Path) -> None:
    """The token alone opens the landing page; orders are for the page that came first."""
    key = hello(server)
    assert ask(server, "next")[0] == 403
    assert ask(server, "next", key="guess")[0] == 403
    assert ask(server, "hello", json.dumps(HELLO).encode())[0] == 410
    assert ask(server, "hello", json.dumps(HELLO).encode(), key)[0] == 200  # the same page after a reload


def test_sizes_are_limited(server: PageServer) -> None:
    """A body that is too large is not read, and one of unknown length neither."""
    assert ask(server, "hello", b" " * (listener.MOST_HELLO + 1))[0] == 413
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("POST", f"/{server.token}/hello", iter([b"{}"]), encode_chunked=True)
    assert connection.getresponse().status == 411
    connection.close()


def test_it_listens_on_loopback_alone(server: PageServer) -> None:
    """Nobody else of the network reaches it."""
    assert server.url().startswith("http://127.0.0.1:")
