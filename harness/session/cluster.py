"""`harness run --cluster`: Dask workers, each beside its phones, that measure for one session.

A worker offers each of its devices as a resource of amount 1, under the name that `-d` takes, so the scheduler sends a measurement to
where its device is, and one at a time. A device is one task: its variants take turns there as in a session on one machine. A record is
on the worker's disk before the next measurement starts; the client fetches it about once a second and keeps it as one of its own.
"""

from __future__ import annotations

import io
import logging
import time
import uuid
import zipfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from builder.bundle import Bundle, list_tree
from harness.errors import DeviceError, HarnessError, UsageError
from harness.protocol import Protocol
from harness.records.delivery import delivering, send_leftovers
from harness.records.run import Run, parse_run
from harness.records.way import Cores
from harness.session import cluster_worker as beside
from harness.session.cluster_worker import Answer
from harness.session.measurement import Keeps
from harness.session.order import list_contenders
from harness.session.outcome import SessionResult, Skipped, Step, list_done
from harness.session.scheduler import check_versions, connect, list_offers
from harness.session.session import find_resumable

if TYPE_CHECKING:
    from distributed import Client, Future

    from harness.records.store import Store

log = logging.getLogger(__name__)
ALL = "all variants"
# How long a device may be offered by no worker before what is left of it is given up.
PATIENCE_S = 120.0
# Of an answer, from the worker that has it.
FETCH_S = 60.0
# How often it is looked at who offers what, and what has been measured.
ASK_S = 1.0


def run_on_cluster(  # noqa: PLR0913  (all that `harness run` can be asked for)
    bundle: Bundle,
    devices: Sequence[str],
    protocol: Protocol,
    store: Store | None,
    address: str,
    on_step: Callable[[Step], None] = lambda step: None,
    patience_s: float = PATIENCE_S,
    *,
    resume: bool = False,
    variants: Sequence[str] = (),
    threads: Sequence[int] = (),
    cores: Sequence[Cores] = (),
) -> SessionResult:
    """As `run_session`, on the workers of a Dask scheduler.

    What a worker was at when it died is measured anew by another that offers the device; when that cannot be, the device is in the result
    as failed. With `resume` the newest session goes on, also with what its workers had measured and nobody had fetched. Raises UsageError
    when the scheduler does not answer or a device is offered by nobody, DeviceError when the scheduler goes away.
    """
    list_contenders(bundle, None, variants)  # a wrong id is bad usage here, and not a failure of every worker
    with connect(address) as client:
        check_versions(client)
        _require_offers(client, devices, address)
        if store is not None:
            send_leftovers(store)
        session_id, earlier = _resume(client, bundle, protocol, store) if resume else (uuid.uuid4().hex, [])
        with delivering(store, session_id) if store is not None else nullcontext() as delivery:
            if delivery is not None:
                delivery.put_manifest(bundle.sha256, bundle.manifest)
            archive = _send(client, _zip_bundle(bundle))
            collecting = Collecting(
                client=client,
                session=session_id,
                store=delivery,
                patience_s=patience_s,
                address=address,
                known={run.id for run in earlier},
            )
            rest = (protocol, session_id, list_done(earlier), tuple(variants), tuple(threads), tuple(cores))
            tasks = {
                client.submit(beside.measure_on, archive, device, *rest, resources={device: 1}, pure=False): device
                for device in dict.fromkeys(devices)
            }
            with client.as_current():
                try:
                    skipped = collecting.collect_all(tasks, on_step)
                except (OSError, RuntimeError) as error:  # of the connection, which Dask tells in many ways
                    raise _make_gone_error(address) from error
        client.run(beside.forget, session_id, on_error="ignore")  # only now is all of it in the store
    return SessionResult(runs=tuple(collecting.runs), skipped=skipped, earlier=tuple(earlier))


def _require_offers(client: Client, devices: Sequence[str], address: str) -> None:
    """Raises UsageError for a device that no worker has."""
    offered = list_offers(client)
    missing = [name for name in devices if name not in offered]
    if missing:
        known = ", ".join(sorted(offered)) or "none at all"
        raise UsageError(
            f"no worker of {address} offers {missing[0]} (offered: {known}); start one beside it: harness worker {address} -d {missing[0]}."
        )


def _resume(client: Client, bundle: Bundle, protocol: Protocol, store: Store | None) -> tuple[str, list[Run]]:
    """The newest session of this bundle and protocol, by the store or by what workers hold, and what the store has of it."""
    asked = client.run(beside.find_newest, bundle.sha256, protocol.sha256, on_error="ignore").values()
    there = max((newest for newest in asked if newest is not None), key=lambda newest: newest.started_at, default=None)
    try:
        earlier = find_resumable(bundle, protocol, store)
    except UsageError:
        if there is None:
            raise
        return there.session, []
    last = max(run.started_at for run in earlier)
    if there is not None and there.session != earlier[0].session and there.started_at > last:
        return there.session, []
    return str(earlier[0].session), earlier


@dataclass(kw_only=True)
class Collecting:
    """Fetches records and answers; `known` are the ids of all records that are the client's."""

    client: Client
    session: str
    store: Keeps | None
    patience_s: float
    address: str
    known: set[str]
    runs: list[Run] = field(default_factory=list)
    _scheduler_seen: float = field(default_factory=time.monotonic)

    def collect_all(self, tasks: dict[Future, str], on_step: Callable[[Step], None]) -> tuple[Skipped, ...]:
        """Every answer as it comes, until all have come or been given up. Raises DeviceError when the scheduler is gone."""
        skipped: list[Skipped] = []
        total, last_seen = len(tasks), dict.fromkeys(tasks.values(), time.monotonic())
        while tasks:
            self._check_scheduler()
            self._fetch()
            for future in [future for future in tasks if future.done()]:
                device = tasks[future]
                answer = _answer(future, device)
                if answer is None or not self._has_all(answer):
                    continue
                tasks.pop(future)
                on_step(Step(device=device, variant=ALL, index=total - len(tasks), total=total))
                skipped += answer.skipped
            if not tasks:
                break
            offered, now = list_offers(self.client), time.monotonic()
            last_seen.update({device: now for device in last_seen if device in offered})
            for future, device in list(tasks.items()):
                if now - last_seen[device] > self.patience_s:
                    tasks.pop(future)
                    future.cancel()
                    skipped.append(_make_lost(device, f"no worker has offered {device} for {self.patience_s:g} s"))
            _wait_for_any(tasks)
        return tuple(skipped)

    def _fetch(self) -> bool:
        """Whether there was anything new. A worker that is dying tells nothing: what it has, its successor on the machine will tell."""
        told = self.client.run(beside.collect, self.session, frozenset(self.known), on_error="ignore")
        any_new = False
        for address, records in (told or {}).items():
            for record, pictures in records:
                run = parse_run(record, where=f"a record from the worker {address}")
                if run.id in self.known:
                    continue
                if self.store is not None:
                    self.store.append(run, pictures)
                self.known.add(run.id)
                self.runs.append(run)
                any_new = True
        return any_new

    def _has_all(self, answer: Answer) -> bool:
        while not answer.run_ids <= self.known:
            if not self._fetch():
                return False
        return True

    def _check_scheduler(self) -> None:
        if self.client.status == "running":
            self._scheduler_seen = time.monotonic()
        elif self.client.status == "closed" or time.monotonic() - self._scheduler_seen > self.patience_s:
            raise _make_gone_error(self.address)


def _make_gone_error(address: str) -> DeviceError:
    return DeviceError(
        f"the scheduler at {address} went away; what was measured is on its workers' disks: start it and the workers again, "
        "and go on with 'harness run --cluster ... --resume'."
    )


def _send(client: Client, archive: bytes) -> Future:
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

    failure: Any = future.exception() if future.status != "cancelled" else FutureCancelledError(future.key, None)
    if failure is None:
        try:
            answer: Answer = future.result(timeout=FETCH_S)
        except NotYet:
            return None
        return answer
    if isinstance(failure, KilledWorker):
        why = _make_lost(device, f"every worker that tried died ({failure.last_worker.address} was the last)")
    elif isinstance(failure, HarnessError):
        why = Skipped(device=device, variant=ALL, reason=str(failure), exit_code=failure.exit_code)
    else:
        why = _make_lost(device, f"the worker failed with {type(failure).__name__}: {failure}")
    return Answer(run_ids=frozenset(), skipped=(why,))


def _make_lost(device: str, reason: str) -> Skipped:
    return Skipped(device=device, variant=ALL, reason=f"{reason}; go on with --resume", exit_code=DeviceError.exit_code)


def _wait_for_any(tasks: Iterable[Future]) -> None:
    """Until one more is done, but not longer than it takes to look at the workers again."""
    from distributed import TimeoutError as NothingYet
    from distributed import wait
    from distributed.client import CancelledError

    try:
        wait(list(tasks), timeout=ASK_S, return_when="FIRST_COMPLETED")
    except (NothingYet, CancelledError):
        return  # the loop looks at every task itself


def _zip_bundle(bundle: Bundle) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in list_tree(bundle.root):
            archive.write(path, path.relative_to(bundle.root).as_posix())
    return buffer.getvalue()
