"""HTTP for a page: paths, bodies and limits; what they mean is the page server's."""

from __future__ import annotations

import secrets
import socket
import ssl
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from harness.errors import UsageError

KEY = "x-edgebundle-key"
# A phone in the same network: who is silent for longer is gone.
SOCKET_S = 30.0
# Bytes: a page that greets or fails has a few sentences to say.
MOST_HELLO = 8 << 10
# A million samples with their digits.
MOST_ANSWER = 32 << 20
# Of a body that is refused.
MOST_UNREAD, LINGER_S = 1 << 20, 2.0
# Of one address.
MOST_REQUESTS, WINDOW_S = 600, 10.0
# Requests with a wrong token before an address is not answered any more.
MOST_WRONG = 20
# A browser opens six to a server: enough for several pages, and each takes a thread.
MOST_CONNECTIONS = 32
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",  # both make the page isolated, so that it has threads and a finer clock
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Refused(Exception):
    """A request that is not answered with what it asked for."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


class Page(Protocol):
    """What is behind the listener. Every method raises Refused."""

    token: str

    def file(self, parts: list[str]) -> tuple[bytes, str]: ...
    def greet(self, key: str, body: bytes) -> bytes: ...
    def check_key(self, key: str) -> None: ...
    def take_next_order(self) -> bytes: ...
    def input(self, order_id: str, number: int) -> bytes: ...
    def find_output_size(self, order_id: str, number: int) -> int: ...
    def take_output(self, order_id: str, number: int, body: bytes) -> None: ...
    def take_answer(self, order_id: str, body: bytes) -> None: ...
    def take_failure(self, order_id: str, body: bytes) -> None: ...


class Limits:
    """How often an address may ask."""

    def __init__(self) -> None:
        self._asked: dict[str, deque[float]] = defaultdict(deque)
        self._wrong: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()

    def check(self, address: str) -> None:
        """Raises Refused for an address that asks too often, or guessed too often."""
        now = time.monotonic()
        with self._lock:
            asked = self._asked[address]
            while asked and asked[0] < now - WINDOW_S:
                asked.popleft()
            if len(asked) >= MOST_REQUESTS or self._wrong[address] >= MOST_WRONG:
                raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "that is too often")
            asked.append(now)

    def wrong(self, address: str) -> None:
        with self._lock:
            self._wrong[address] += 1


class Listener(ThreadingHTTPServer):
    """Listens at `host` on any free port. Raises OSError."""

    daemon_threads = True

    def __init__(self, host: str, page: Page, tls: ssl.SSLContext | None) -> None:
        self.page, self.limits, self._tls = page, Limits(), tls
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__((host, 0), Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self._tls is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(SOCKET_S)
        with self._tls.wrap_socket(request, server_side=True) as secure:
            super().finish_request(secure, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks costs itself alone: browsers break them all the time."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = SOCKET_S
    server: Listener

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, make: Callable[[list[str]], tuple[bytes, str]]) -> None:
        try:
            self.server.limits.check(self.client_address[0])
            body, kind = make(self._parts())
            status = HTTPStatus.OK
        except Refused as refused:
            body, kind, status = f"{refused.why}\n".encode(), "text/plain; charset=utf-8", refused.status
            self.close_connection = True  # a body may be left unread
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        if self.close_connection and self.command == "POST":
            self._linger()

    def _linger(self) -> None:
        """Read what is still coming, within limits: a connection that is closed over it takes our answer with it."""
        left = MOST_UNREAD
        with suppress(OSError, ValueError):  # the other side is gone already
            self.connection.settimeout(LINGER_S)
            self.connection.shutdown(socket.SHUT_WR)
            while left > 0 and (data := self.connection.recv(1 << 16)):
                left -= len(data)

    def _parts(self) -> list[str]:
        """The path behind the token. Raises Refused for another token."""
        _, _, rest = self.path.partition("?")[0].partition("/")
        token, slash, path = rest.partition("/")
        if not slash or not secrets.compare_digest(token.encode(), self.server.page.token.encode()):
            self.server.limits.wrong(self.client_address[0])
            raise Refused(HTTPStatus.NOT_FOUND, "there is nothing here")
        return path.split("/") if path else []

    def _get(self, parts: list[str]) -> tuple[bytes, str]:
        page = self.server.page
        match parts:
            case ["next"]:
                page.check_key(self.headers.get(KEY, ""))
                return page.take_next_order(), "application/json"
            case ["input", order, number]:
                page.check_key(self.headers.get(KEY, ""))
                return page.input(order, _number(number)), "application/octet-stream"
            case _:
                return page.file(parts)

    def _post(self, parts: list[str]) -> tuple[bytes, str]:
        page, key, said = self.server.page, self.headers.get(KEY, ""), b"{}"
        if parts == ["hello"]:
            return page.greet(key, self._body(MOST_HELLO)), "application/json"
        page.check_key(key)
        match parts:
            case ["output", order, number]:
                page.take_output(order, _number(number), self._body(page.find_output_size(order, _number(number))))
            case ["answer", order]:
                page.take_answer(order, self._body(MOST_ANSWER))
            case ["failure", order]:
                page.take_failure(order, self._body(MOST_HELLO))
            case _:
                raise Refused(HTTPStatus.NOT_FOUND, "there is nothing here")
        return said, "application/json"

    def _body(self, most: int) -> bytes:
        """The request's body. Raises Refused for one that is larger, of no told length, or cut."""
        told = self.headers.get("Content-Length", "")
        if not (told.isascii() and told.isdecimal() and len(told) < 12):
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "the length is missing")
        if int(told) > most:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {most} bytes")
        body = self.rfile.read(int(told))
        if len(body) != int(told):
            raise Refused(HTTPStatus.BAD_REQUEST, "the body was cut")
        return body

    def log_message(self, format: str, *args: object) -> None:
        return None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        raise Refused(HTTPStatus.NOT_FOUND, "there is nothing here")
    return int(text)


def find_network_address() -> str:
    """This computer's address in its network: where packets to others would leave. Nothing is sent. Raises UsageError without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # RFC 5737: an address of nobody
        except OSError as error:
            raise UsageError(
                f"this computer is in no network ({error}); join the phone's, or leave --lan out."
            ) from error
        return str(probe.getsockname()[0])
