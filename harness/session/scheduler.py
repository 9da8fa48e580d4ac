"""A Dask scheduler: reaching it, and what its workers offer."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from harness.errors import MissingToolError, UsageError
from harness.release import version

if TYPE_CHECKING:
    from distributed import Client

# A scheduler in the same network answers within seconds.
CONNECT_S = 10.0
ADDRESS = re.compile(r"(?:(?:tcp|tls)://)?(\[[0-9A-Fa-f:.%\w]+\]|[\w.-]+):([0-9]{1,5})")


@contextmanager
def connect(address: str) -> Iterator[Client]:
    """A client of the scheduler. Raises UsageError when none answers, MissingToolError without Dask."""
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise MissingToolError("--cluster needs Dask: pip install 'edgebundle[cluster]'.") from error
    check_listens(address)
    logging.getLogger("distributed").setLevel(
        logging.CRITICAL
    )  # it logs tracebacks of what is told here in one sentence
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"no Dask scheduler answers at {address!r} ({error}); start one with 'dask scheduler' and give its address."
        ) from error
    try:
        yield client
    finally:
        with suppress(OSError):  # a scheduler that is gone cannot be taken leave of
            client.close()


def check_listens(address: str) -> None:
    """Ask with a plain connection first: Dask's own client keeps trying, and breaks on an address that is none. Raises UsageError."""
    match = ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match.group(2)) < 65536:
        raise UsageError(
            f"no Dask scheduler answers at {address!r}, which is no address; write HOST:PORT as 'dask scheduler' prints it, e.g. tcp://lab:8786."
        )
    try:
        socket.create_connection((match.group(1).strip("[]"), int(match.group(2))), timeout=CONNECT_S).close()
    except OSError as error:
        raise UsageError(
            f"no Dask scheduler answers at {address!r} ({error.strerror or error}); start one with 'dask scheduler' and give its address."
        ) from error


def list_workers(client: Client) -> dict[str, dict[str, Any]]:
    """By their addresses. Empty while the scheduler is away."""
    by_address: dict[str, dict[str, Any]] = client.scheduler_info(n_workers=-1).get("workers", {})
    return by_address


def list_offers(client: Client) -> set[str]:
    return {name for worker in list_workers(client).values() for name in worker["resources"]}


def check_versions(client: Client) -> None:
    """Raises UsageError for a worker of another version: tasks travel as Python objects."""
    ours = version()
    for address, theirs in client.run(version).items():
        if theirs != ours:
            raise UsageError(
                f"the worker {address} has edgebundle {theirs} and this machine has {ours}; install the same."
            )
