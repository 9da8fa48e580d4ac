"""The HTTP application: one way to process a picture, and what an orchestrator asks."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect

from .metrics import Metrics
from .network import Network, Refused
from .settings import Settings
from .work import Full, Work

# Characters.
MOST_VECTORS = 8192
PROBLEMS = {
    400: "No picture, or a parameter that does not fit",
    408: "The body did not come in time",
    413: "The body is too large",
    422: "A parameter that this schema forbids",
    429: "The queue is full: come again after Retry-After seconds",
    503: "It took too long, or the server is about to end: come again after Retry-After seconds",
}
Vectors = Annotated[
    str, Query(max_length=MOST_VECTORS, description='Numbers for vector inputs, as JSON: {"style": [1, 0]}')
]
_VECTORS = TypeAdapter(dict[str, list[float]])


class Problem(BaseModel):
    """Why a request was not answered with a picture."""

    detail: str


class Facts(BaseModel):
    """What is served."""

    name: str
    version: str
    licence: str
    variant: str
    width: int
    height: int
    resize: str | None
    vectors: dict[str, int]
    golden_db: float | None
    passed_over: list[str]


class Unanswered(Exception):
    """A request that gets no picture; `unread`: a part of its body was not taken."""

    def __init__(self, status: int, detail: str, retry_after_s: int | None = None, *, unread: bool = False) -> None:
        super().__init__(detail)
        self.status, self.detail, self.retry_after_s, self.unread = status, detail, retry_after_s, unread


class Service:
    """What the addresses answer. Pictures are held in memory alone. Who may ask is the ingress's to say: there is no key and no login here."""

    def __init__(self, settings: Settings, network: Network, golden_db: float | None, passed_over: list[str]) -> None:
        self._settings, self._network = settings, network
        self._golden_db, self._passed_over = golden_db, passed_over
        self._metrics = Metrics()
        self._work = Work(workers=settings.workers, queue=settings.queue, metrics=self._metrics)
        self._held = 0  # bytes of all bodies that arrive, wait or are processed
        self.draining = False  # after SIGTERM: new requests are not taken

    @property
    def pages(self) -> list[str]:
        """Origins of the pages that may ask from a browser."""
        return self._settings.pages

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(self._work.close)

    async def process(self, request: Request, vectors: Vectors = "{}") -> Response:
        """Process a JPEG, PNG or WebP picture; the answer has the network's own size."""
        try:
            made = await self._process(request, vectors)
        except Unanswered as error:
            return self._problem(error)
        except ClientDisconnect:
            return self._problem(Unanswered(400, "the body was cut."))
        self._metrics.requests.labels("200").inc()
        return Response(made, media_type="image/png", headers={"Cache-Control": "no-store"})

    async def _process(self, request: Request, vectors: str) -> bytes:
        """Raises Unanswered, ClientDisconnect."""
        settings, work = self._settings, self._work
        if self.draining:
            raise Unanswered(503, "this server is about to end; ask again.", 1)
        given = _vectors(vectors)
        body = bytearray()
        try:
            await self._receive(request, body)
            make = partial(self._network.process, bytes(body), given, settings.pixels)
            return await asyncio.wait_for(work.do(make), settings.request_s)
        except Refused as error:
            raise Unanswered(400, str(error)) from error
        except Full as error:
            raise Unanswered(429, "the queue is full; come again.", error.retry_after_s) from error
        except TimeoutError as error:
            raise Unanswered(503, f"it took longer than {settings.request_s:g} s.", work.retry_after_s) from error
        finally:
            self._held -= len(body)

    async def _receive(self, request: Request, body: bytearray) -> None:
        """Fill `body`: at most so large, within so long, and with all others at most so much; more is not read. Raises Unanswered."""
        settings = self._settings
        most = f"at most {settings.body_bytes:,} bytes are taken; make the picture smaller."
        told = request.headers.get("content-length", "")
        if told.isascii() and told.isdecimal() and (len(told) > 15 or int(told) > settings.body_bytes):
            raise Unanswered(413, most, unread=True)
        try:
            async with asyncio.timeout(settings.body_s):
                async for chunk in request.stream():
                    body += chunk
                    self._held += len(chunk)
                    if len(body) > settings.body_bytes:
                        raise Unanswered(413, most, unread=True)
                    if self._held > settings.held_bytes:
                        busy = "too many pictures arrive at once; come again."
                        raise Unanswered(429, busy, self._work.retry_after_s, unread=True)
        except TimeoutError as error:
            raise Unanswered(408, f"the body did not come within {settings.body_s:g} s.", unread=True) from error

    async def facts(self) -> Facts:
        """What is served, and how near its golden came out at the start."""
        network = self._network
        model, (height, width) = network.bundle.manifest.model, network.picture.shape[-2:]
        return Facts(
            name=model.name,
            version=model.version,
            licence=model.licence,
            variant=network.variant.id,
            width=width,
            height=height,
            resize=network.picture.resize,
            vectors={name: math.prod(s.shape) for name, s in network.inputs.items() if s is not network.picture},
            golden_db=self._golden_db,
            passed_over=self._passed_over,
        )

    async def health(self) -> dict[str, str]:
        """The process is alive."""
        return {"status": "ok"}

    async def ready(self) -> Response:
        """It takes requests: 503 once it is about to end."""
        return JSONResponse({"status": "draining" if self.draining else "ready"}, 503 if self.draining else 200)

    async def metrics(self) -> Response:
        """For Prometheus."""
        return Response(generate_latest(self._metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def misuse(self, request: Request, error: Exception) -> Response:
        """A parameter that the schema forbids is told as any other problem."""
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        return self._problem(Unanswered(422, f"{first['loc'][-1]}: {first['msg']}."))

    def _problem(self, error: Unanswered) -> Response:
        self._metrics.requests.labels(str(error.status)).inc()
        # a body that was not read to its end would be taken for the next request; whoever comes while it ends must go elsewhere
        headers = {"Connection": "close"} if error.unread or self.draining else {}
        if error.retry_after_s is not None:
            headers["Retry-After"] = str(error.retry_after_s)
        return JSONResponse(Problem(detail=error.detail).model_dump(), error.status, headers)


def make_application(service: Service, *, title: str, version: str, licence: str) -> FastAPI:
    """The addresses, with what OpenAPI says of them at /docs and /openapi.json."""
    app = FastAPI(
        title=title,
        version=version,
        summary="A picture in, a picture out",
        license_info={"name": licence},
        lifespan=service.lifespan,
    )
    picture = {"schema": {"type": "string", "format": "binary"}}
    problems: dict[int | str, dict[str, Any]] = {
        status: {"model": Problem, "description": why} for status, why in PROBLEMS.items()
    }
    if service.pages:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=service.pages,
            allow_methods=["GET", "POST"],
            allow_headers=["Content-Type"],
            expose_headers=["Retry-After"],
        )
    app.add_exception_handler(RequestValidationError, service.misuse)
    app.post(
        "/v1/process",
        response_class=Response,
        responses={200: {"content": {"image/png": picture}, "description": "The picture as PNG"}, **problems},
        openapi_extra={"requestBody": {"required": True, "content": {"image/*": picture}}},
    )(service.process)
    app.get("/v1/model")(service.facts)
    app.get("/healthz")(service.health)
    app.get("/readyz")(service.ready)
    app.get("/metrics", response_class=Response)(service.metrics)
    return app


def _vectors(text: str) -> dict[str, list[float]]:
    try:
        return _VECTORS.validate_json(text)
    except ValidationError as error:
        raise Unanswered(400, 'vectors must be JSON such as {"style": [1, 0]}.') from error
