"""The flow of `harness run`: rounds over all variants on each device, one record each, kept at once."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

from builder.bundle import Bundle, BundleError, open_bundle
from builder.threads import run_side_by_side
from harness.analysis.grouping import by_time
from harness.clock import Clock, WallClock
from harness.devices import find_device_kind
from harness.errors import UsageError
from harness.protocol import Protocol
from harness.records.delivery import delivering, send_leftovers
from harness.records.run import Run
from harness.records.store import Store
from harness.records.way import Cores
from harness.session.device_turns import Course, measure_device
from harness.session.order import list_contenders
from harness.session.outcome import SessionResult, Step, list_done

log = logging.getLogger(__name__)


@contextmanager
def open_bundle_or_package(path: Path) -> Iterator[Bundle]:
    """A bundle from a directory, `.zip` or package. Raises UsageError when it is not one, or is damaged."""
    try:
        with open_bundle(path) as bundle:
            yield bundle
    except BundleError as error:
        raise UsageError(str(error)) from error


def run_session(  # noqa: PLR0913  (all that `harness run` can be asked for)
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
    cores: Sequence[Cores] = (),
) -> SessionResult:
    """Measure all variants of a bundle on each device (`KIND` or `KIND:ID`), phones side by side.

    With `baseline` each is measured beside the same variant of that build, in turns, which is the comparison that nothing between two
    sessions can disturb. `variants`: the ids of those that are measured, all where it is empty. `threads`: each with so many, in turns, in
    place of the protocol's; `cores`: each held on these clusters.

    A device that fails is in the result with its reason and the others go on; only bad usage ends the session (UsageError). A record is on
    this computer's disk before the next measurement starts, and sent on to the store meanwhile; a store that does not take or give back all
    of them in the end is a StoreError that says where they are. With `resume` the last session of the same bundle and protocol goes on.
    """
    for build in (bundle, baseline):
        if build is not None and not build.manifest.goldens:
            raise UsageError(
                "the bundle has no golden to measure on and to check against; rebuild it with 'builder convert'."
            )
    entries = list_contenders(bundle, baseline, variants, threads, cores)
    if store is not None and (sent := send_leftovers(store)):
        log.warning("%d records of earlier sessions that had not reached %s are in it now", sent, store.name)
    earlier = find_resumable(bundle, protocol, store) if resume else []
    session_id = (earlier[0].session if earlier else None) or uuid.uuid4().hex
    with delivering(store, session_id) if store is not None else nullcontext() as delivery:
        if delivery is not None:
            for build in (bundle, baseline):
                if build is not None:
                    delivery.put_manifest(build.sha256, build.manifest)
        course = Course(
            entries=entries,
            protocol=protocol,
            store=delivery,
            session=session_id,
            done=list_done(earlier),
            on_step=on_step,
            clock=clock or WallClock(),
        )
        result = measure_devices(course, devices)
    return replace(result, earlier=tuple(earlier))


def measure_devices(course: Course, devices: Iterable[str]) -> SessionResult:
    """All devices side by side.

    On an error or Ctrl-C all stop in the middle of what they do, and what was changed on them is taken back.
    """
    lanes = [partial(_measure_lane, course, lane) for lane in _lanes(devices)]
    parts = [part for lane in run_side_by_side(lanes, stop=course.stop.set) for part in lane]
    return SessionResult(
        runs=tuple(run for part in parts for run in part.runs), skipped=tuple(s for part in parts for s in part.skipped)
    )


def _measure_lane(course: Course, names: list[str]) -> list[SessionResult]:
    return [measure_device(course, name) for name in names]


def find_resumable(bundle: Bundle, protocol: Protocol, store: Store | None) -> list[Run]:
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
        if find_device_kind(kind).LOCAL:
            here.append(name)
        elif same:  # one phone, measured in shell mode and by its app
            same[0].append(name)
        else:
            lanes.append([name])
    return [lane for lane in (here, *lanes) if lane]
