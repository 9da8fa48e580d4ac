"""The harness's side of a page: files, orders and answers. One page opens the address, by a token that nobody else has.

A page can name no path: what is served is a table made before. What it posts is validated as any record from outside.
"""

from __future__ import annotations

import json
import secrets
import ssl
import threading
import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from pydantic import ValidationError

from builder.bundle import list_tree
from harness.clock import wait_until
from harness.devices.browser.answers import Answer, Failure, Hello, Said
from harness.devices.browser.listener import Listener, Refused
from harness.errors import DeviceLost, UsageError

LANDING = Path(__file__).with_name("landing")
# That a page waits for an order in one request.
POLL_S = 10.0
# Between two looks whether it is to end.
LOOK_S = 0.05
# For the page to hear that all is done.
FAREWELL_S = 1.0
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
}
Model = TypeVar("Model", bound=Said)


@dataclass(kw_only=True)
class Order:
    """One measurement for the page of `site`: bytes of the inputs, and how many each output has, by name."""

    site: Path
    variant: str
    threads: int
    warmup: int
    runs: int
    inputs: dict[str, bytes]
    outputs: dict[str, int]
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    posted: dict[int, bytes] = field(default_factory=dict)

    def to_json(self, site: int) -> bytes:
        facts = {
            "id": self.id,
            "site": site,
            "variant": self.variant,
            "threads": self.threads,
            "warmup": self.warmup,
            "runs": self.runs,
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
        }
        return json.dumps(facts).encode()


class PageServer:
    """Serves one page, at `url()`; a context manager. `tls` makes it https. Raises UsageError where `host` is not this computer's."""

    def __init__(self, host: str = "127.0.0.1", *, tls: ssl.SSLContext | None = None) -> None:
        self.token = secrets.token_urlsafe(16)
        self.hello: Hello | None = None
        self._page_key = ""
        self._landing = list_files(LANDING)
        self._sites: list[tuple[Path, dict[str, Path]]] = []
        self._order: Order | None = None
        self._handed_out, self._ended, self._farewell = False, False, False
        self._result: Answer | Failure | None = None
        self._changed = threading.Condition()
        try:
            self._http = Listener(host, self, tls)
        except OSError as error:
            raise UsageError(f"{host} cannot be listened at ({error}); check this computer's network.") from error
        self._scheme, self._host = "https" if tls else "http", host

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    def url(self, port: int | None = None) -> str:
        """The address for the page, where another port leads here too."""
        return f"{self._scheme}://{self._host}:{port or self.port}/{self.token}/"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(LOOK_S,), name="page-server", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
            if self.hello is not None:
                self._changed.wait_for(lambda: self._farewell, FAREWELL_S)
        self._http.shutdown()
        self._http.server_close()

    def wait_for_page(self, timeout_s: float) -> Hello | None:
        """The first page that opens the address; None when none does in time."""
        with self._changed:
            wait_until(self._changed, lambda: self.hello is not None, timeout_s)
            return self.hello

    def measure(self, order: Order, *, timeout_s: float, silent_s: float) -> Answer | Failure | None:
        """What the page answers, None when it does not within `timeout_s`. Raises DeviceLost when it does not ask for the order within
        `silent_s`: it was closed, or sleeps."""
        with self._changed:
            if order.site not in [folder for folder, _ in self._sites]:
                self._sites.append((order.site, list_files(order.site)))
            self._order, self._handed_out, self._result = order, False, None
            self._changed.notify_all()
            try:
                if not wait_until(self._changed, lambda: self._handed_out, silent_s):
                    raise DeviceLost(
                        f"the page did not ask for its work within {silent_s:g} s; leave it open and in front."
                    )
                wait_until(self._changed, lambda: self._result is not None, timeout_s)
            finally:
                self._order = None
            return self._result

    # What the page asks for. Each raises Refused.

    def file(self, parts: list[str]) -> tuple[bytes, str]:
        """A file of the landing page or of a site, by its place in the table."""
        table, name = self._landing, "/".join(parts) or "index.html"
        if len(parts) > 2 and parts[0] == "site":
            with self._changed:
                numbered = {str(number): files for number, (_, files) in enumerate(self._sites)}
            table, name = numbered.get(parts[1], {}), "/".join(parts[2:])
        path = table.get(name)
        if path is None:
            raise Refused(HTTPStatus.NOT_FOUND, "there is nothing here")
        return path.read_bytes(), TYPES.get(path.suffix, "application/octet-stream")

    def greet(self, key: str, body: bytes) -> bytes:
        """The token opens for one page; that page may come again, after a reload, by the key that it was given."""
        hello = parse_posted(Hello, body)
        with self._changed:
            if self.hello is None:
                self.hello, self._page_key = hello, secrets.token_urlsafe(16)
                self._changed.notify_all()
            elif not self._is_key(key):
                raise Refused(HTTPStatus.GONE, "another page opened this address before; start 'harness run' again")
            return json.dumps({"key": self._page_key}).encode()

    def check_key(self, key: str) -> None:
        if not self._is_key(key):
            raise Refused(HTTPStatus.FORBIDDEN, "say hello first")

    def _is_key(self, key: str) -> bool:
        return bool(self._page_key) and secrets.compare_digest(key.encode(), self._page_key.encode())

    def take_next_order(self) -> bytes:
        """The order to do now, `{}` when there is none yet, or the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or (self._order is not None and not self._handed_out), POLL_S)
            if self._ended:
                self._farewell = True
                self._changed.notify_all()
                return b'{"end": true}'
            if self._order is None or self._handed_out:
                return b"{}"
            self._handed_out = True
            self._changed.notify_all()
            return self._order.to_json([folder for folder, _ in self._sites].index(self._order.site))

    def input(self, order_id: str, number: int) -> bytes:
        inputs = list(self._current(order_id).inputs.values())
        if number >= len(inputs):
            raise Refused(HTTPStatus.NOT_FOUND, "there is no such input")
        return inputs[number]

    def find_output_size(self, order_id: str, number: int) -> int:
        sizes = list(self._current(order_id).outputs.values())
        if number >= len(sizes):
            raise Refused(HTTPStatus.NOT_FOUND, "there is no such output")
        return sizes[number]

    def take_output(self, order_id: str, number: int, body: bytes) -> None:
        if len(body) != self.find_output_size(order_id, number):
            raise Refused(HTTPStatus.BAD_REQUEST, "the output has another size than the manifest says")
        self._current(order_id).posted[number] = body

    def take_answer(self, order_id: str, body: bytes) -> None:
        order, answer = self._current(order_id), parse_posted(Answer, body)
        if len(answer.latencies) != order.runs or len(order.posted) != len(order.outputs):
            raise Refused(HTTPStatus.BAD_REQUEST, "this is not what was ordered")
        self._finish(order, answer)

    def take_failure(self, order_id: str, body: bytes) -> None:
        self._finish(self._current(order_id), parse_posted(Failure, body))

    def _current(self, order_id: str) -> Order:
        with self._changed:
            if self._order is None or self._order.id != order_id or not self._handed_out:
                raise Refused(HTTPStatus.NOT_FOUND, "that order is over")
            return self._order

    def _finish(self, order: Order, result: Answer | Failure) -> None:
        with self._changed:
            if self._order is order and self._result is None:
                self._result = result
                self._changed.notify_all()


def parse_posted(model: type[Model], body: bytes) -> Model:
    """What a page posted. Raises Refused that names the first field that is wrong."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused(HTTPStatus.BAD_REQUEST, f"{where or 'the body'}: {first['msg']}"[:300]) from error


def list_files(folder: Path) -> dict[str, Path]:
    """Every file below a folder by the name that a page asks for; a link leads elsewhere and is none."""
    return {path.relative_to(folder).as_posix(): path for path in list_tree(folder) if not path.is_symlink()}
