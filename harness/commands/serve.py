"""`harness serve`: a lab's page over its store, read-only."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from harness.commands.output import say
from harness.errors import HarnessError, UsageError


def serve(args: argparse.Namespace) -> int:
    from harness.records.store import read_runs

    read_runs(args.runs)  # what cannot be read is said now, and not to the first visitor
    server = make_server(args.runs, args.host, args.port)
    host, port = server.server_address[:2]
    say(args, f"http://{host!s}:{port}/ shows {args.runs}; Ctrl-C ends it")
    try:
        server.serve_forever()
    finally:
        server.server_close()
    return 0


def make_server(where: str, host: str, port: int) -> ThreadingHTTPServer:
    """Answers GET alone and reads the store anew for each. Raises UsageError for a place that cannot be listened at."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            page = PAGES.get(address.path)
            try:
                text = page(where, parse_qs(address.query)) if page is not None else None
            except HarnessError as error:
                self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, f"{error}\n", "text/plain")
                return
            if text is None:
                self._answer(HTTPStatus.NOT_FOUND, "there is nothing here; the lab is at /\n", "text/plain")
                return
            self._answer(HTTPStatus.OK, text, "text/html")

        def _answer(self, status: HTTPStatus, body: str, kind: str) -> None:
            data = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            return None

    try:
        return ThreadingHTTPServer((host, port), Handler)
    except (OSError, OverflowError) as error:
        raise UsageError(f"{host}:{port} cannot be listened at ({error}); choose another --port or --host.") from error


Query = dict[str, list[str]]


def _lab(where: str, query: Query) -> str:
    from harness.records.store import open_store, read_runs
    from harness.report.lab import render_lab_page

    store = open_store(where)
    name = store.name.rsplit("/", 1)[-1]
    store.close()
    return render_lab_page(name, read_runs(where))


def _session(where: str, query: Query) -> str | None:
    from harness.records.store import read_runs
    from harness.report.lab import list_sessions, render_session_page

    wanted = query.get("id", [""])[0]
    held = next((entry for entry in list_sessions(read_runs(where)) if entry.session == wanted), None)
    return None if held is None else render_session_page(held)


def _report(where: str, query: Query) -> str:
    from harness.records.store import open_store
    from harness.report import make_report

    store = open_store(where)
    try:
        return make_report(store, "html")
    finally:
        store.close()


PAGES: dict[str, Callable[[str, Query], str | None]] = {"/": _lab, "/session": _session, "/report": _report}
