"""What runs beside the phones: a session on one device, whose records lie on this machine's disk until the client has them in its store."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.bundle import open_bundle
from harness.cache import find_state_root
from harness.errors import DeviceError, MissingToolError, UsageError
from harness.protocol import Protocol
from harness.records.outbox import Outbox
from harness.records.pictures import Picture
from harness.records.run import Run
from harness.records.way import Cores
from harness.session.device_turns import Course
from harness.session.order import list_contenders
from harness.session.outcome import Place, Skipped, list_done
from harness.session.scheduler import CONNECT_S, check_listens
from harness.session.session import measure_devices

# Records in one answer: each has its pictures.
MOST_AT_ONCE = 20


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a worker says of one device when its session there is over; its records are fetched apart, by `collect`."""

    run_ids: frozenset[str]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, kw_only=True)
class Found:
    """A session of which a worker has records: when it started the last of them."""

    session: str
    started_at: str


def measure_on(  # noqa: PLR0913  (all that a worker is told)
    archive: bytes,
    device: str,
    protocol: Protocol,
    session: str,
    measured: frozenset[Place],
    variants: tuple[str, ...] = (),
    threads: tuple[int, ...] = (),
    cores: tuple[Cores, ...] = (),
) -> Answer:
    """A session with a zipped bundle on one device of this machine; what an earlier worker measured for it here is not made again."""
    outbox = Outbox(_folder(session) / hashlib.sha256(device.encode()).hexdigest()[:20])
    with outbox.hold() as alone:
        if not alone:
            raise DeviceError(f"{device} is measured by another worker of this machine; end one of the two.")
        before = outbox.runs()
        with tempfile.TemporaryDirectory(prefix="edgebundle-cluster-") as folder:
            path = Path(folder) / "bundle.zip"
            path.write_bytes(archive)
            with open_bundle(path) as bundle:
                course = Course(
                    entries=list_contenders(bundle, None, variants, threads, cores),
                    protocol=protocol,
                    store=_Appending(outbox),
                    session=session,
                    done=measured | list_done(before),
                )
                result = measure_devices(course, [device])
        return Answer(run_ids=frozenset(run.id for run in (*before, *result.runs)), skipped=result.skipped)


@dataclass(frozen=True)
class _Appending:
    outbox: Outbox

    def append(self, run: Run, pictures: tuple[Picture, ...] = ()) -> None:
        self.outbox.put(run, pictures)


def collect(session: str, known: frozenset[str]) -> list[tuple[str, tuple[Picture, ...]]]:
    """Records of a session that this machine holds and the client does not know yet, in the form that is exchanged."""
    collected: list[tuple[str, tuple[Picture, ...]]] = []
    for outbox in _outboxes(session):
        for run, pictures in outbox.entries():
            if run.id not in known:
                collected.append((run.to_json(), pictures))
            if len(collected) == MOST_AT_ONCE:
                return collected
    return collected


def find_newest(bundle_sha256: str, protocol_sha256: str) -> Found | None:
    """The last session of this bundle and protocol of which this machine holds records."""
    root = _folder("")
    sessions = [path.name for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
    candidates = [
        Found(session=name, started_at=run.started_at)
        for name in sessions
        for outbox in _outboxes(name)
        for run in outbox.runs()
        if (run.bundle_sha256, run.protocol.sha256) == (bundle_sha256, protocol_sha256)
    ]
    return max(candidates, key=lambda entry: entry.started_at, default=None)


def forget(session: str) -> None:
    """The client has all records of this session in its store."""
    for outbox in _outboxes(session):
        with outbox.hold() as alone:
            if alone:
                outbox.remove()


def _folder(session: str) -> Path:
    return find_state_root() / "worker" / session


def _outboxes(session: str) -> list[Outbox]:
    folder = _folder(session)
    return [Outbox(path) for path in sorted(folder.iterdir()) if path.is_dir()] if folder.is_dir() else []


def serve(address: str, devices: Sequence[str], on_ready: Callable[[str], None]) -> None:
    """Be a worker that offers these devices until the scheduler ends it or Ctrl-C. Raises UsageError when there is no scheduler."""
    try:
        from distributed import Worker
    except ModuleNotFoundError as error:
        raise MissingToolError("a worker needs Dask: pip install 'edgebundle[cluster]'.") from error
    check_listens(address)

    async def work() -> None:
        resources = dict.fromkeys(devices, 1.0)
        async with Worker(address, nthreads=len(devices), resources=resources, death_timeout=CONNECT_S) as worker:
            on_ready(worker.address)
            await worker.finished()

    try:
        asyncio.run(work())
    except (OSError, ValueError, RuntimeError, TimeoutError) as error:
        raise UsageError(
            f"no Dask scheduler answers at {address!r} ({error}); start one with 'dask scheduler'."
        ) from error
