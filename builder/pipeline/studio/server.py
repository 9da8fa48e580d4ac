"""The page over HTTP on this computer: what it asks for, what it is told, and who may ask.

Only whoever has the session's token may: it stands in the address that the command prints, and goes with every question in a header, which
no page of another host can send. A name that is not this computer's is refused, so that no other name leads here.
"""

from __future__ import annotations

import hmac
import secrets
import socket
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from builder.errors import EdgebundleError, InputError, MissingToolError, OutputError
from builder.pipeline.studio.pictures import Pictures
from builder.pipeline.studio.view import Figures, StudioView

if TYPE_CHECKING:
    from fastapi import FastAPI

HOST = "127.0.0.1"
TOKEN = "X-Studio-Token"
# Of a question: schemes of some ten thousand layers.
MOST_BYTES = 1 << 20
FILES = {"studio.js": "text/javascript", "studio.css": "text/css", "pictures.js": "text/javascript"}
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


class Asked(BaseModel):
    """A plan of one variant: a scheme for each layer in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str = Field(max_length=200)
    schemes: tuple[str, ...] = Field(max_length=10_000)


class Desk(Protocol):
    """What the page shows. A bundle has no more than this; a builder.toml predicts, tries and writes plans too."""

    pictures: Pictures

    def view(self) -> StudioView: ...

    def close(self) -> None: ...


class Editor(Desk, Protocol):
    """A desk at which schemes are changed."""

    def predict(self, variant: str, schemes: tuple[str, ...]) -> Figures: ...

    def try_plan(self, variant: str, schemes: tuple[str, ...]) -> None: ...

    def write(self, variant: str, schemes: tuple[str, ...]) -> str: ...


class Studio:
    """The application and the socket that it will be heard at; `url` is the one address that opens it."""

    def __init__(self, desk: Desk, port: int = 0) -> None:
        require_server()
        self.token = secrets.token_urlsafe(24)
        try:
            self._socket = socket.create_server((HOST, port))
        except OSError as error:
            raise InputError(
                f"port {port} cannot be used ({error.strerror}); leave out --port for a free one."
            ) from error
        self.port: int = self._socket.getsockname()[1]
        self.application = make_application(desk, self.token)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/#{self.token}"

    def serve(self) -> None:
        """Until Ctrl-C."""
        import uvicorn

        config = uvicorn.Config(
            self.application, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=2
        )
        uvicorn.Server(config).run(sockets=[self._socket])


def require_server() -> None:
    """Raises MissingToolError without the packages that serve the page."""
    from importlib.util import find_spec

    if find_spec("fastapi") is None or find_spec("uvicorn") is None:
        raise MissingToolError(
            "the studio needs fastapi and uvicorn, which are not installed: pip install 'edgebundle[server]'."
        )


def make_application(desk: Desk, token: str) -> FastAPI:
    """The addresses of a desk."""
    from fastapi import FastAPI, Request, Response
    from fastapi.responses import JSONResponse
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])

    @app.middleware("http")
    async def guard(request: Request, call: Any) -> Response:
        if request.url.path.startswith("/api/"):
            if not hmac.compare_digest(request.headers.get(TOKEN, "").encode(), token.encode()):
                return JSONResponse({"detail": "open the address that 'builder studio' printed."}, 403)
            length = request.headers.get("content-length", "0")
            if request.method == "POST" and not (length.isdecimal() and int(length) <= MOST_BYTES):
                return JSONResponse({"detail": "the question is too large."}, 413)
        answer: Response = await call(request)
        answer.headers["Content-Security-Policy"] = POLICY
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["Referrer-Policy"] = "no-referrer"
        return answer

    @app.exception_handler(EdgebundleError)
    async def tell(request: Request, error: EdgebundleError) -> Response:
        return JSONResponse({"detail": str(error)}, 500 if isinstance(error, OutputError) else 400)

    _add_pages(app)
    _add_questions(app, desk)
    return app


def _add_pages(app: FastAPI) -> None:
    from fastapi import Response

    page = files("builder.pipeline.studio") / "page"

    @app.get("/")
    def index() -> Response:
        return Response((page / "index.html").read_text(encoding="utf-8"), media_type="text/html")

    @app.get("/{name}")
    def file(name: str) -> Response:
        if name not in FILES:
            return Response(status_code=404)
        return Response((page / name).read_text(encoding="utf-8"), media_type=FILES[name])


def _add_questions(app: FastAPI, desk: Desk) -> None:
    from fastapi import Response

    @app.get("/api/state")
    def state() -> StudioView:
        return desk.view()

    @app.get("/api/picture/{key}")
    def picture(key: str) -> Response:
        content = desk.pictures.get(key)
        return Response(status_code=404) if content is None else Response(content, media_type="image/png")

    @app.post("/api/predict")
    def predict(asked: Asked) -> Figures:
        return _editor(desk).predict(asked.variant, asked.schemes)

    @app.post("/api/try")
    def try_plan(asked: Asked) -> StudioView:
        _editor(desk).try_plan(asked.variant, asked.schemes)
        return desk.view()

    @app.post("/api/write")
    def write(asked: Asked) -> dict[str, str]:
        return {"said": _editor(desk).write(asked.variant, asked.schemes)}


def _editor(desk: Desk) -> Editor:
    """Raises InputError for a bundle."""
    if not hasattr(desk, "predict"):
        raise InputError("a bundle cannot be changed; open its builder.toml.")
    return desk  # type: ignore[return-value]
