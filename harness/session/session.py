"""The flow of `harness run`: rounds over all variants on each device, one record each, kept at once."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from builder.bundle import Bundle, BundleError, opened
from builder.process import kill_running, results_of
from harness.analysis.grouping import by_time
from harness.clock import Clock, WallClock
from harness.devices import device_kind, open_device
from harness.devices.base import Device, Pinnable
from harness.errors import (
    DeviceAbsent,
    DeviceError,
    DeviceLost,
    HarnessError,
    MeasurementError,
    MissingToolError,
    UsageError,
)
from harness.protocol import Protocol
from harness.records.delivery import delivering, send_leftovers
from harness.records.run import DeviceInfo, Run
from harness.records.store import Store
from harness.session.decided import undecided
from harness.session.measurement import Keeps, Turn, measure_variant, threads_of
from harness.session.order import Contender, contenders, turns

log = logging.getLogger(__name__)
BACKOFF_S = (
    2.0,
    8.0,
    30.0,
)  # before a device that was lost is tried again; one that was never there gets the first only
STARTING_S = (60.0, 90.0)  # after those, for one that was there in this session: a phone that restarts takes minutes


# of a run in its session: kind and id of the device, variant, threads, round, and whether it is of the baseline
Place = tuple[str, str, str, int, int, bool]


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A variant that a device cannot run, or could not (`exit_code` 3, 6 or 7): the reason is never dropped."""

    device: str
    variant: str
    reason: str
    exit_code: int = 0

    @property
    def failed(self) -> bool:
        return self.exit_code != 0


@dataclass(frozen=True, kw_only=True)
class Step:
    """Progress: measurement number `index` of `total` on a device is about to be made, of `variant`.

    `waiting`: not yet, because the device was lost; the reason and the pause before it is tried again.
    """

    device: str
    variant: str
    index: int
    total: int
    waiting: str | None = None


@dataclass(frozen=True, kw_only=True)
class SessionResult:
    """What a session measured, and what it did not; `earlier` are its runs from before it was resumed."""

    runs: tuple[Run, ...]
    skipped: tuple[Skipped, ...]
    earlier: tuple[Run, ...] = ()


@contextmanager
def opened_bundle(path: Path) -> Iterator[Bundle]:
    """A bundle from a directory, `.zip` or package. Raises UsageError when it is not one, or is damaged."""
    try:
        with opened(path) as bundle:
            yield bundle
    except BundleError as error:
        raise UsageError(str(error)) from error


def run_session(
    bundle: Bundle,
    devices: Iterable[str],
    protocol: Protocol,
    store: Store | None,
    on_step: Callable[[Step], None] = lambda step: None,
    *,
    resume: bool = False,
    clock: Clock | None = None,
    baseline: Bundle | None = None,
    variants: Sequence[str] = (),
    threads: Sequence[int] = (),
) -> SessionResult:
    """Measure all variants of a bundle on each device (`KIND` or `KIND:ID`), phones side by side; with `baseline` each beside the same
    variant of that build, in turns, which is the comparison that nothing between two sessions can disturb. `variants`: the ids of those that
    are measured, all where it is empty. `threads`: each with so many, in turns, in place of the protocol's.

    A device that fails is in the result with its reason and the others go on; only bad usage ends the session (UsageError). A record is on
    this computer's disk before the next measurement starts, and sent on to the store meanwhile; a store that does not take or give back all
    of them in the end is a StoreError that says where they are. With `resume` the last session of the same bundle and protocol goes on.
    """
    for build in (bundle, baseline):
        if build is not None and not build.manifest.goldens:
            raise UsageError(
                "the bundle has no golden to measure on and to check against; rebuild it with 'builder convert'."
            )
    entries = contenders(bundle, baseline, variants, threads)
    if store is not None and (sent := send_leftovers(store)):
        log.warning("%d records of earlier sessions that had not reached %s are in it now", sent, store.name)
    earlier = resumable(bundle, protocol, store) if resume else []
    session_id = (earlier[0].session if earlier else None) or uuid.uuid4().hex
    with delivering(store, session_id) if store is not None else nullcontext() as delivery:
        if delivery is not None:
            for build in (bundle, baseline):
                if build is not None:
                    delivery.put_manifest(build.sha256, build.manifest)
        result = measure_devices(entries, devices, protocol, delivery, session_id, done(earlier), on_step, clock)
    return replace(result, earlier=tuple(earlier))


def done(runs: Iterable[Run]) -> frozenset[Place]:
    """What a session that is gone on with has measured."""
    return frozenset(
        (run.device.kind, run.device.id, run.variant, run.threads, run.round or 0, run.baseline) for run in runs
    )


def measure_devices(
    entries: Sequence[Contender],
    devices: Iterable[str],
    protocol: Protocol,
    store: Keeps | None,
    session_id: str,
    measured: frozenset[Place] = frozenset(),
    on_step: Callable[[Step], None] = lambda step: None,
    clock: Clock | None = None,
) -> SessionResult:
    """All devices side by side, without what was `measured`. On an error or Ctrl-C all stop in the middle of what they do, and what was
    changed on them is taken back."""
    session = _Session(
        entries=entries,
        protocol=protocol,
        store=store,
        on_step=on_step,
        clock=clock or WallClock(),
        id=session_id,
        done=measured,
    )
    lanes = _lanes(devices)
    with ThreadPoolExecutor(max(len(lanes), 1), thread_name_prefix="device") as pool:
        futures = [pool.submit(session.lane, lane) for lane in lanes]
        try:
            parts = [part for lane in results_of(futures) for part in lane]
        except BaseException:  # Ctrl-C, or a store that cannot be written: all stop in the middle of what they do
            session.stop.set()
            while wait(futures, timeout=0.2).not_done:
                kill_running()
            raise
    return SessionResult(
        runs=tuple(run for part in parts for run in part.runs), skipped=tuple(s for part in parts for s in part.skipped)
    )


def resumable(bundle: Bundle, protocol: Protocol, store: Store | None) -> list[Run]:
    """The records of the last session of this bundle and protocol. Raises UsageError where there is none."""
    if store is None:
        raise UsageError("there is no store to resume a session from; name it with -o.")
    every = by_time(store.runs())
    own = [
        run
        for run in every
        if run.bundle_sha256 == bundle.sha256 and run.protocol.name == protocol.name and not run.baseline
    ]
    runs = [run for run in own if run.protocol.sha256 == protocol.sha256]
    if not runs:
        edited = "; it was edited since: " if own else "; "
        raise UsageError(
            f"the store holds no session of this bundle with this protocol {protocol.name!r}{edited}start one without --resume."
        )
    return [run for run in every if run.session == runs[-1].session]


def _lanes(devices: Iterable[str]) -> list[list[str]]:
    """Devices that may be measured at the same time, each lane one after the other."""
    here: list[str] = []
    lanes: list[list[str]] = []
    for name in dict.fromkeys(devices):
        kind, _, serial = name.partition(":")
        same = [lane for lane in lanes if serial and lane[0].partition(":")[2] == serial]
        if device_kind(kind).LOCAL:
            here.append(name)
        elif same:  # one phone, measured in shell mode and by its app
            same[0].append(name)
        else:
            lanes.append([name])
    return [lane for lane in (here, *lanes) if lane]


@dataclass(kw_only=True)
class _Session:
    entries: Sequence[Contender]
    protocol: Protocol
    store: Keeps | None
    on_step: Callable[[Step], None]
    clock: Clock
    id: str
    done: frozenset[Place]
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def seed(self) -> int:
        """Of the order of turns: the protocol's, else another one for each session."""
        return int(self.id[:8], 16) if self.protocol.seed is None else self.protocol.seed

    def lane(self, names: list[str]) -> list[SessionResult]:
        return [self.device(name) for name in names]

    def device(self, name: str) -> SessionResult:
        """All turns of one device; one that is lost is opened again where it stopped, after a pause, and in the end quarantined."""
        runs: list[Run] = []
        skipped: list[Skipped] = []
        left = turns(self.entries, self.protocol.rounds, self.seed)
        total, tries, known, seen = len(left), 0, False, False
        start_c: list[float | None] = []
        itself: DeviceInfo | None = None
        while left and not self.stop.is_set():
            before = len(left)
            try:
                with ExitStack() as stack:
                    device = stack.enter_context(open_device(name))
                    itself = itself or device.info
                    if device.info.id != itself.id:
                        raise DeviceLost(f"another phone ({device.info.id}) answers at {name} than {itself.id}.")
                    known = True
                    start_c = start_c or [device.conditions().temperature_c.value]
                    if isinstance(device, Pinnable) and self.protocol.pins.any:
                        stack.enter_context(device.pin(self.protocol.pins))
                    while left and not self.stop.is_set():
                        number, entry = left[0]
                        self.on_step(Step(device=name, variant=entry.name, index=total - len(left), total=total))
                        self._turn(
                            device,
                            name,
                            entry,
                            Turn(
                                session=self.id,
                                round=number,
                                start_c=start_c[0],
                                seed=self.seed,
                                baseline=entry.baseline,
                                threads=entry.threads,
                            ),
                            runs,
                            skipped,
                        )
                        left.pop(0)
                        if not left:
                            left = self._more(name, runs, number)
                            total += len(left)
            except DeviceLost as error:
                if not left:
                    break  # lost while it was left: all is measured, and what it could not take back the next start repairs
                tries = 0 if len(left) < before else tries
                seen = seen or not isinstance(error, DeviceAbsent)
                pauses = (*BACKOFF_S, *STARTING_S) if known else BACKOFF_S if seen else BACKOFF_S[:1]
                if tries == len(pauses):
                    skipped.append(self._given_up(name, f"quarantined after {tries + 1} tries: {error}", error))
                    break
                if not self.stop.is_set():
                    waiting = f"{error} It is tried again in {pauses[tries]:g} s."
                    self.on_step(
                        Step(
                            device=name, variant=left[0][1].name, index=total - len(left), total=total, waiting=waiting
                        )
                    )
                    self.clock.sleep(pauses[tries])
                    tries += 1
            except (DeviceError, MissingToolError) as error:  # it cannot be opened or left
                skipped.append(self._given_up(name, str(error), error))
                break
        return SessionResult(runs=tuple(runs), skipped=tuple(skipped))

    def _more(self, name: str, runs: list[Run], last: int) -> list[tuple[int, Contender]]:
        """Another round of what cannot be decided yet, while the protocol allows one; at the limit it is told."""
        plan = self.protocol
        if plan.decide is None or not runs or runs[-1].metric != "latency":
            return []
        open_ = undecided(runs, plan.decide)
        again = [entry for entry in self.entries if (entry.variant.id, entry.threads or plan.threads) in open_]
        if not again:
            return []
        if last + 1 >= plan.max_rounds:
            (variant, _), why = next(iter(open_.items()))
            log.warning(
                "%s: %g %% cannot be decided for %d variants after %d rounds, the limit; the first, %s: %s",
                *(name, plan.decide * 100, len(open_), last + 1, variant, why),
            )
            return []
        return [(last + 1, entry) for _, entry in turns(again, 2, self.seed + last)][: len(again)]

    def _turn(
        self, device: Device, name: str, entry: Contender, turn: Turn, runs: list[Run], skipped: list[Skipped]
    ) -> None:
        """One measurement, unless the device cannot, has failed on this variant before, or the store has it. Raises DeviceLost."""
        threads = threads_of(device, self.protocol, entry.threads)
        if (device.info.kind, device.info.id, entry.variant.id, threads, turn.round, turn.baseline) in self.done:
            return
        if any(known.variant == entry.name for known in skipped):
            return
        reason = device.unsupported(entry.variant)
        if reason is None and entry.threads not in (None, threads):
            reason = "it counts instructions, and only those of one thread repeat"
        if reason is not None:
            skipped.append(Skipped(device=name, variant=entry.name, reason=reason))
            return
        try:
            runs.append(
                measure_variant(entry.bundle, entry.variant, device, self.protocol, self.store, turn, self.clock)
            )
        except DeviceLost:
            raise
        except (DeviceError, MissingToolError, MeasurementError) as error:
            skipped.append(Skipped(device=name, variant=entry.name, reason=str(error), exit_code=error.exit_code))

    def _given_up(self, name: str, reason: str, error: HarnessError) -> Skipped:
        return Skipped(device=name, variant="all variants", reason=reason, exit_code=error.exit_code)
