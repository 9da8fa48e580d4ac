"""All turns of one device: opened, measured, and opened again where it was lost."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from builder.process import sparing
from harness.clock import Clock, Ended, WallClock, end_by, take_back
from harness.devices import open_device
from harness.devices.base import Device, Holding, Pinnable
from harness.errors import DeviceAbsent, DeviceError, DeviceLost, HarnessError, MeasurementError, MissingToolError
from harness.protocol import Protocol
from harness.records.run import DeviceInfo, Run
from harness.records.way import Way
from harness.session.decided import find_undecided
from harness.session.measurement import Keeps, Turn, choose_cores, choose_threads, measure_variant
from harness.session.order import Contender, draw_turns
from harness.session.outcome import Place, SessionResult, Skipped, Step

log = logging.getLogger(__name__)
# Before a device that was lost is tried again; one that was never there gets the first only.
BACKOFF_S = (2.0, 8.0, 30.0)
# After those, for one that was there in this session: a phone that restarts takes minutes.
STARTING_S = (60.0, 90.0)


@dataclass(kw_only=True)
class Course:
    """What a session measures on each of its devices, and where records go. Setting `stop` ends it in the middle.

    `done` are the places that it has measured before.
    """

    entries: Sequence[Contender]
    protocol: Protocol
    store: Keeps | None
    session: str
    done: frozenset[Place] = frozenset()
    on_step: Callable[[Step], None] = lambda step: None
    clock: Clock = field(default_factory=WallClock)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def seed(self) -> int:
        """Of the order of turns: the protocol's, else another one for each session."""
        return int(self.session[:8], 16) if self.protocol.seed is None else self.protocol.seed


def measure_device(course: Course, name: str) -> SessionResult:
    """All turns of one device; one that is lost is opened again where it stopped, after a pause, and in the end quarantined."""
    left = draw_turns(course.entries, course.protocol.rounds, course.seed)
    return _Turns(course=course, name=name, left=left, total=len(left)).make_result()


@dataclass(kw_only=True)
class _Turns:
    """`known`: the device was opened in this session; `seen`: adb or its like listed it at least. `tries` are those since it last got on."""

    course: Course
    name: str
    left: list[tuple[int, Contender]]
    total: int
    runs: list[Run] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    start_c: list[float | None] = field(default_factory=list)
    itself: DeviceInfo | None = None
    known: bool = False
    seen: bool = False
    tries: int = 0

    def make_result(self) -> SessionResult:
        while self.left and not self.course.stop.is_set():
            before = len(self.left)
            try:
                self._take_turns()
            except Ended:
                break
            except DeviceLost as error:
                # Lost while it was left, with all measured: what it could not take back the next start repairs.
                if not self.left or not self._wait_for_it(error, got_on=len(self.left) < before):
                    break
            except (DeviceError, MissingToolError) as error:  # it cannot be opened or left
                self.skipped.append(self._give_up(str(error), error))
                break
        return SessionResult(runs=tuple(self.runs), skipped=tuple(self.skipped))

    def _take_turns(self) -> None:
        """Turns until none is left. Raises DeviceLost and other errors of devices, MissingToolError."""
        course = self.course
        with end_by(course.stop), sparing() as spare, ExitStack() as stack:
            device = stack.enter_context(open_device(self.name))
            self.itself = self.itself or device.info
            if device.info.id != self.itself.id:
                raise DeviceLost(f"another phone ({device.info.id}) answers at {self.name} than {self.itself.id}.")
            self.known = True
            self.start_c = self.start_c or [device.conditions().temperature_c.value]
            if isinstance(device, Pinnable) and course.protocol.pins.any:
                stack.enter_context(device.pin(course.protocol.pins))
            # Called first at the end: an interrupt neither kills nor cuts short what takes back.
            stack.callback(spare)
            stack.callback(take_back)
            while self.left and not course.stop.is_set():
                number, entry = self.left[0]
                course.on_step(self._step())
                turn = Turn(
                    session=course.session,
                    round=number,
                    start_c=self.start_c[0],
                    seed=course.seed,
                    baseline=entry.baseline,
                )
                self._turn(device, entry, turn)
                self.left.pop(0)
                if not self.left:
                    self.left = self._more(number)
                    self.total += len(self.left)

    def _wait_for_it(self, error: DeviceLost, *, got_on: bool) -> bool:
        """Pause before the next try; False where there were enough."""
        self.tries = 0 if got_on else self.tries
        self.seen = self.seen or not isinstance(error, DeviceAbsent)
        pauses = (*BACKOFF_S, *STARTING_S) if self.known else BACKOFF_S if self.seen else BACKOFF_S[:1]
        if self.tries == len(pauses):
            self.skipped.append(self._give_up(f"quarantined after {self.tries + 1} tries: {error}", error))
            return False
        if not self.course.stop.is_set():
            pause = pauses[self.tries]
            self.course.on_step(self._step(waiting=f"{error} It is tried again in {pause:g} s."))
            with end_by(self.course.stop):
                self.course.clock.sleep(pause)
            self.tries += 1
        return True

    def _more(self, last: int) -> list[tuple[int, Contender]]:
        """Another round of what cannot be decided yet, while the protocol allows one; at the limit it is told."""
        protocol = self.course.protocol
        if protocol.decide is None or not self.runs or self.runs[-1].metric != "latency":
            return []
        open_ = find_undecided(self.runs, protocol.decide)
        again = [
            e
            for e in self.course.entries
            if (e.variant.id, Way(e.threads or protocol.threads, e.cores or protocol.cores)) in open_
        ]
        if not again:
            return []
        if last + 1 >= protocol.max_rounds:
            (variant, _), why = next(iter(open_.items()))
            log.warning(
                "%s: %g %% cannot be decided for %d variants after %d rounds, the limit; the first, %s: %s",
                *(self.name, protocol.decide * 100, len(open_), last + 1, variant, why),
            )
            return []
        return [(last + 1, entry) for _, entry in draw_turns(again, 2, self.course.seed + last)][: len(again)]

    def _turn(self, device: Device, entry: Contender, turn: Turn) -> None:
        """One measurement, unless the device cannot, has failed on this variant before, or the store has it. Raises DeviceLost."""
        protocol = self.course.protocol
        threads = choose_threads(device, protocol, entry)
        way = Way(threads, choose_cores(device, protocol, entry))
        place = (device.info.kind, device.info.id, entry.variant.id, way, turn.round, turn.baseline)
        if place in self.course.done:
            return
        if any(known.variant == entry.name for known in self.skipped):
            return
        reason = device.find_unsupported(entry.variant)
        if reason is None and entry.threads not in (None, threads):
            reason = "it counts instructions, and only those of one thread repeat"
        if reason is None and entry.cores is not None and device.metric == "instructions":
            reason = "it counts instructions, which are the same on all cores"
        if reason is None and entry.cores is not None and not (isinstance(device, Holding) and device.holds_cores):
            reason = "it cannot keep a benchmark on one cluster of its cores; '-d android' can"
        if reason is not None:
            self.skipped.append(Skipped(device=self.name, variant=entry.name, reason=reason))
            return
        try:
            self.runs.append(
                measure_variant(entry, device, self.course.protocol, self.course.store, turn, self.course.clock)
            )
        except DeviceLost:
            raise
        except (DeviceError, MissingToolError, MeasurementError) as error:
            self.skipped.append(
                Skipped(device=self.name, variant=entry.name, reason=str(error), exit_code=error.exit_code)
            )

    def _step(self, waiting: str | None = None) -> Step:
        entry = self.left[0][1]
        index = self.total - len(self.left)
        return Step(device=self.name, variant=entry.name, index=index, total=self.total, waiting=waiting)

    def _give_up(self, reason: str, error: HarnessError) -> Skipped:
        return Skipped(device=self.name, variant="all variants", reason=reason, exit_code=error.exit_code)
