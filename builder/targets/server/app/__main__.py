"""Serve the bundle until SIGTERM; what is being processed then is finished first."""

from __future__ import annotations

import asyncio
import logging
import sys
from functools import partial
from types import FrameType

import uvicorn

from builder.bundle import open_bundle
from builder.errors import BundleError

from .application import Service, make_application
from .connection import PromptProtocol
from .memory import keep_freed_memory
from .network import Unfit, open_network
from .settings import read_settings

log = logging.getLogger("edgebundle_server")


class Server(uvicorn.Server):
    """At the first signal it refuses new requests for `drain_s`, so that whoever sends them learns to go elsewhere, and only then ends."""

    def __init__(self, config: uvicorn.Config, service: Service, drain_s: float) -> None:
        super().__init__(config)
        self._service, self._drain_s = service, drain_s

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._service.draining:  # told twice: at once
            self.should_exit = True
            return
        self._service.draining = True
        asyncio.get_running_loop().call_later(self._drain_s, setattr, self, "should_exit", True)


def main() -> int:
    keep_freed_memory()
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    try:
        settings = read_settings()
        with open_bundle(settings.bundle) as bundle:
            network, golden_db, passed = open_network(bundle, workers=settings.workers, threads=settings.threads)
    except (ValueError, BundleError, Unfit) as error:
        log.error("%s", error)
        return 2 if isinstance(error, ValueError) else 5
    for reason in passed:
        log.warning("passed over %s", reason)
    log.info("%s at port %d, golden %s dB", network.variant.id, settings.port, golden_db)
    service = Service(settings, network, golden_db, passed)
    model = bundle.manifest.model
    config = uvicorn.Config(
        make_application(service, title=model.name, version=model.version, licence=model.licence),
        host=settings.host,
        port=settings.port,
        http=partial(PromptProtocol, head_s=settings.body_s),  # type: ignore[arg-type]
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=int(settings.request_s) + 1,
    )
    Server(config, service, settings.drain_s).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
