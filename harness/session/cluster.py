"""`harness run --cluster` and `harness worker`: Dask workers, each beside its phones, that measure for one session.

A worker offers each of its devices as a resource of amount 1, under the name that `-d` takes, so the scheduler sends a measurement to
where its device is, and one at a time. A device is one task: its variants take turns there as in a session on one machine. What a worker
gives back is appended at once.
"""

from __future__ import annotations

import asyncio
import io
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.bundle import Bundle, opened, tree_files
from harness.errors import DeviceError, HarnessError, MissingToolError, UsageError
from harness.protocol import Protocol
from harness.records.run import parse_run
from harness.session.session import SessionResult, Skipped, Step, run_session

if TYPE_CHECKING:
    from distributed import Client, Future

    from builder.bundle import Manifest
    from harness.records.pictures import Picture
    from harness.records.run import Run
    from harness.records.store import Store

CONNECT_S = 10.0
ALL = "all variants"
PATIENCE_S = 120.0  # how long a device may be offered by no worker before what is left of it is given up
FETCH_S = 60.0  # of an answer with its pictures, from the worker that has it
ASK_S = 1.0  # how often it is looked at who offers what


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a worker gives back of one device; records travel in the form that is exchanged."""

    records: tuple[str, ...]
    pictures: tuple[tuple[Picture, ...], ...]
    skipped: tuple[Skipped, ...]


@dataclass(kw_only=True)
class Kept:
    """A store in memory, for a worker that has none."""

    records: list[str] = field(default_factory=list)
    pictures_of: list[tuple[Picture, ...]] = field(default_factory=list)

    def append(self, run: Run, pictures: tuple[Picture, ...] = ()) -> None:
        self.records.append(run.to_json())
        self.pictures_of.append(pictures)

    def put_manifest(self, bundle_sha256: str, manifest: Manifest) -> None:
        return None  # the one who asked has it

    def runs(self) -> Iterator[Run]:
        return (parse_run(record, where="a record in memory") for record in self.records)

    def manifest(self, bundle_sha256: str) -> Manifest | None:
        return None

    def pictures(self, run_id: str) -> tuple[Picture, ...]:
        return ()

    def close(self) -> None:
        return None


def measure_on(archive: bytes, device: str, protocol: Protocol) -> Answer:
    """What runs on a worker: a session with a zipped bundle on one device of this machine."""
    kept = Kept()
    with tempfile.TemporaryDirectory(prefix="edgebundle-cluster-") as folder:
        path = Path(folder) / "bundle.zip"
        path.write_bytes(archive)
        with opened(path) as bundle:
            result = run_session(bundle, [device], protocol, kept)
    return Answer(records=tuple(kept.records), pictures=tuple(kept.pictures_of), skipped=result.skipped)


def run_on_cluster(
    bundle: Bundle,
    devices: Sequence[str],
    protocol: Protocol,
    store: Store | None,
    address: str,
    on_step: Callable[[Step], None] = lambda step: None,
    patience_s: float = PATIENCE_S,
) -> SessionResult:
    """As `run_session`, on the workers of a Dask scheduler.

    What a worker was at when it died is measured anew by another that offers the device; when that cannot be, the device is in the result
    as failed. Raises UsageError when the scheduler does not answer or a device is offered by nobody.
    """
    with _connected(address) as client:
        _same_version(client)
        offered = _offers(client)
        missing = [name for name in devices if name not in offered]
        if missing:
            known = ", ".join(sorted(offered)) or "none at all"
            raise UsageError(
                f"no worker of {address} offers {missing[0]} (offered: {known}); start one beside it: harness worker {address} -d {missing[0]}."
            )
        if store is not None:
            store.put_manifest(bundle.sha256, bundle.manifest)
        archive = _sent(client, _zipped(bundle))
        tasks = {
            client.submit(measure_on, archive, device, protocol, resources={device: 1}, pure=False): device
            for device in dict.fromkeys(devices)
        }
        with client.as_current():
            return _collected(client, tasks, store, on_step, patience_s)


def _collected(
    client: Client,
    tasks: dict[Future, str],
    store: Store | None,
    on_step: Callable[[Step], None],
    patience_s: float,
) -> SessionResult:
    """Every answer as it comes, until all have come or been given up."""
    runs: list[Run] = []
    skipped: list[Skipped] = []
    total, last_seen = len(tasks), dict.fromkeys(tasks.values(), time.monotonic())
    while tasks:
        for future in [future for future in tasks if future.done()]:
            device = tasks[future]
            answer = _answer(future, device)
            if answer is None:
                continue
            tasks.pop(future)
            on_step(Step(device=device, variant=ALL, index=total - len(tasks), total=total))
            for record, pictures in zip(answer.records, answer.pictures, strict=True):
                run = parse_run(record, where=f"a record from the worker of {device}")
                if store is not None:
                    store.append(run, pictures)
                runs.append(run)
            skipped += answer.skipped
        if not tasks:
            break
        offered, now = _offers(client), time.monotonic()
        last_seen.update({device: now for device in last_seen if device in offered})
        for future, device in list(tasks.items()):
            if now - last_seen[device] > patience_s:
                tasks.pop(future)
                future.cancel()
                skipped.append(_lost(device, f"no worker has offered {device} for {patience_s:g} s"))
        _wait_for_any(tasks)
    return SessionResult(runs=tuple(runs), skipped=tuple(skipped))


def _sent(client: Client, archive: bytes) -> Future:
    """The bundle as a task that gives back its argument: the scheduler keeps it, so that it outlives every worker."""
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph", UserWarning)  # it is sent once, and meant to be
        return client.submit(bytes, archive, pure=False)


def _answer(future: Future, device: str) -> Answer | None:
    """The worker's answer, its failure as a skipped variant, or None when the answer died with the worker: it is measured anew."""
    from distributed import KilledWorker
    from distributed import TimeoutError as NotYet
    from distributed.client import FutureCancelledError

    failure = future.exception() if future.status != "cancelled" else FutureCancelledError(future.key, None)
    if failure is None:
        try:
            found: Answer = future.result(timeout=FETCH_S)
        except NotYet:
            return None
        return found
    if isinstance(failure, KilledWorker):
        why = _lost(device, f"every worker that tried died ({failure.last_worker.address} was the last)")
    elif isinstance(failure, HarnessError):
        why = Skipped(device=device, variant=ALL, reason=str(failure), exit_code=failure.exit_code)
    else:
        why = _lost(device, f"the worker failed with {type(failure).__name__}: {failure}")
    return Answer(records=(), pictures=(), skipped=(why,))


def _lost(device: str, reason: str) -> Skipped:
    return Skipped(device=device, variant=ALL, reason=f"{reason}; measure it again", exit_code=DeviceError.exit_code)


def _wait_for_any(tasks: Iterable[Future]) -> None:
    """Until one more is done, but not longer than it takes to look at the workers again."""
    from distributed import TimeoutError as NothingYet
    from distributed import wait
    from distributed.client import CancelledError

    try:
        wait(list(tasks), timeout=ASK_S, return_when="FIRST_COMPLETED")
    except (NothingYet, CancelledError):
        return  # the loop looks at every task itself


def _zipped(bundle: Bundle) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in tree_files(bundle.root):
            archive.write(path, path.relative_to(bundle.root).as_posix())
    return buffer.getvalue()


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise MissingToolError("--cluster needs Dask: pip install 'edgebundle[cluster]'.") from error
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"no Dask scheduler answers at {address!r} ({error}); start one with 'dask scheduler' and give its address."
        ) from error
    try:
        yield client
    finally:
        client.close()


def _workers(client: Client) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = client.scheduler_info(n_workers=-1)["workers"]
    return found


def _offers(client: Client) -> set[str]:
    return {name for worker in _workers(client).values() for name in worker["resources"]}


def _same_version(client: Client) -> None:
    from harness.release import version

    ours = version()
    for address, theirs in client.run(version).items():
        if theirs != ours:
            raise UsageError(
                f"the worker {address} has edgebundle {theirs} and this machine has {ours}; install the same."
            )


def serve(address: str, devices: Sequence[str], on_ready: Callable[[str], None]) -> None:
    """Be a worker that offers these devices until the scheduler ends it or Ctrl-C. Raises UsageError when there is no scheduler."""
    try:
        from distributed import Worker
    except ModuleNotFoundError as error:
        raise MissingToolError("a worker needs Dask: pip install 'edgebundle[cluster]'.") from error

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
