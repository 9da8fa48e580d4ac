"""What can go wrong in the middle of a session on an emulated phone, and one whole session with one of them.

A fault begins with a call to the phone. One that concerns a single command is over with that call; any other lasts until the
session pauses, after which the phone is well again.
"""

from __future__ import annotations

import math
import os
import random
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from builder.bundle import Bundle
from builder.process import Completed
from builder.targets import TARGETS
from builder.targets.base import PackageRequest
from harness.clock import Clock
from harness.devices import open_device
from harness.devices.android import app as android_app
from harness.devices.android.adb import Adb
from harness.protocol import Pins, Protocol
from harness.session.outcome import SessionResult
from harness.session.session import open_bundle_or_package, run_session
from tests.emulated_phone import AdbServer, EmulatedPhone
from tests.emulated_phone.faults import Faults

PLAN = Protocol(name="faults", warmup=1, runs=3, threads=1, timeout_s=60, pins=Pins(stay_awake=True))
PATIENCE_S = 2.0  # what a command that hangs is waited for here; minutes outside of tests
RUNNER, HASH, PULL, PUSH, STATE = "--model", "sha256sum", "pull", "push", "dumpsys"
WHO, BATTERY = "getprop ro.serialno", "dumpsys battery"
APP = "am start"
HOURS_S = 5 * 3600.0
Calls = dict[str, list[str]]  # of a session without a fault, by the kind of the device


@dataclass(frozen=True, kw_only=True)
class Lab:
    """What a fault may touch."""

    phone: EmulatedPhone
    server: AdbServer


@dataclass(frozen=True, kw_only=True)
class Kind:
    """`on`: the fault begins with a call that holds this text, and ends with it. `told`: the harness may give the variant up, with the
    reason, because the phone answered: nothing says that another try would help. `hangs`: calls are waited for PATIENCE_S only while the fault lasts.
    `app`: the session measures by the app. `away_s`: only pauses of so long in all make the phone well again."""

    begin: Callable[[Lab], object]
    on: str | None = None
    told: bool = False
    hangs: bool = False
    app: bool = False
    away_s: float = 0.0

    @property
    def device(self) -> str:
        return "android-app" if self.app else "android"

    @property
    def variants(self) -> set[str]:
        """What must be measured: the app carries what its runtime can execute."""
        return {"tflite-fp32"} if self.app else {"executorch-fp32", "tflite-fp32"}


def switched(**values: Any) -> Callable[[Lab], None]:
    def begin(lab: Lab) -> None:
        for name, value in values.items():
            setattr(lab.phone.faults, name, value)

    return begin


def garbled(edit: Callable[[bytes], bytes], on: str, *, told: bool = True) -> Kind:
    return Kind(begin=switched(garble=edit), on=on, told=told)


def starts_not(said: str, status: int) -> Kind:
    return Kind(begin=switched(start=(f"./ld-linux-aarch64.so.1: {said}", status)), on=RUNNER, told=True)


def number(name: bytes, value: bytes) -> Callable[[bytes], bytes]:
    """Another number (or list) under this name of the benchmark's result."""
    return lambda text: re.sub(b'"' + name + rb'":(\[[^\]]*\]|[-\w."]+)', b'"' + name + b'":' + value, text)


def keep_only_zones(value: bytes) -> Callable[[bytes], bytes]:
    """Neither service nor battery gives a temperature, so that zones are asked; each of them gives this value."""

    def edit(text: bytes) -> bytes:
        text = re.sub(rb"mValue=[-\d.]+", b"mValue=NaN", text)
        text = re.sub(rb"temperature: \d+", b"temperature: ?", text)
        return re.sub(rb"\t\d+\n", b"\t" + value + b"\n", text)

    return edit


def middle(text: bytes) -> bytes:
    return text[: len(text) // 2]


KINDS: dict[str, Kind] = {
    # the connection
    "all connections drop": Kind(begin=lambda lab: lab.phone.drop()),
    "unplugged": Kind(begin=lambda lab: lab.phone.vanish()),
    "unplugged in the middle of a push": Kind(begin=switched(disconnect_after_bytes=5000), on=PUSH),
    "unplugged after the first bytes of a push": Kind(begin=switched(disconnect_after_bytes=1), on=PUSH),
    "packets are not answered": Kind(begin=switched(deaf=True), hangs=True),
    "asks for authorization again": Kind(
        begin=lambda lab: (switched(unauthorized=True)(lab), lab.phone.drop()), hangs=True
    ),
    "the phone restarts": Kind(begin=lambda lab: lab.phone.reboot()),
    "the phone restarts and takes a minute and a half": Kind(
        begin=lambda lab: (switched(starting=True)(lab), lab.phone.reboot()), away_s=90
    ),
    "the adb server is killed": Kind(begin=lambda lab: lab.server.kill()),
    "another host ends the adb server": Kind(begin=lambda lab: lab.server.end_by_another()),
    "an adb server of another version takes over": Kind(begin=lambda lab: lab.server.replace_by_older()),
    "too hot, switched off for half a minute": Kind(begin=lambda lab: lab.phone.switch_off(), away_s=30),
    "too hot, switched off for good": Kind(begin=lambda lab: lab.phone.switch_off(), told=True, away_s=math.inf),
    # screen and clock
    "the screen locks": Kind(begin=switched(locked=True)),
    "the screen locks before the app": Kind(begin=switched(locked=True), on=APP, told=True, app=True),
    "the phone's clock goes forward by hours": Kind(begin=switched(clock_ahead_s=HOURS_S)),
    "the clock of the app's log goes forward": Kind(begin=switched(clock_ahead_s=HOURS_S), app=True),
    "the clock of the app's log goes back": Kind(begin=switched(clock_ahead_s=-HOURS_S), app=True),
    # the app's line in the log
    "the app's line is lost": Kind(begin=switched(log="lost"), on=APP, hangs=True, app=True),
    "the app's line is cut off": Kind(begin=switched(log="cut"), on=APP, hangs=True, app=True),
    # commands that never answer
    "the benchmark hangs": Kind(begin=switched(hang_on="--model"), on=RUNNER, told=True, hangs=True),
    "hashing hangs": Kind(begin=switched(hang_on="sha256sum"), on=HASH, hangs=True),
    "the battery service hangs": Kind(begin=switched(hang_on="dumpsys battery"), on="dumpsys battery", hangs=True),
    "the thermal service hangs": Kind(begin=switched(hang_on="thermalservice"), on="thermalservice", hangs=True),
    "a setting hangs": Kind(begin=switched(hang_on="settings"), on="settings", hangs=True),
    # files
    "storage full": Kind(begin=switched(storage_bytes=1)),
    "storage read-only": Kind(begin=switched(read_only=True)),
    "one bit of a push flips": Kind(begin=switched(corrupt_pushes=True)),
    "a push is cut off": Kind(begin=switched(cut_pushes=True)),
    "one bit of a pull flips": Kind(begin=switched(corrupt_pulls=True)),
    "a pull is cut off": Kind(begin=switched(cut_pulls=True)),
    "a cleaner removes all files": Kind(begin=lambda lab: lab.phone.clean_up(), told=True),
    # what the shell says of its commands
    "status 137 whatever happened": Kind(begin=switched(exit_status=137)),
    "status 1 whatever happened": Kind(begin=switched(exit_status=1)),
    "the benchmark prints nothing": garbled(lambda text: b"", RUNNER, told=False),
    "the benchmark's output is cut off": garbled(middle, RUNNER, told=False),
    "the benchmark's output comes twice": garbled(lambda text: text + text, RUNNER),
    "noise around the benchmark's output": garbled(
        lambda text: b"WARNING: linker\n\xff\xfe\n" + text, RUNNER, told=False
    ),
    "line ends of another system": garbled(lambda text: text.replace(b"\n", b"\r\n"), RUNNER, told=False),
    "hashes are cut off": garbled(middle, HASH, told=False),
    "hashes of other files": garbled(lambda text: text.replace(b"a", b"b"), HASH, told=False),
    # the benchmark
    "the benchmark crashes": Kind(begin=switched(crash=int(signal.SIGSEGV)), on=RUNNER, told=True),
    "the benchmark aborts": Kind(begin=switched(crash=int(signal.SIGABRT)), on=RUNNER, told=True),
    "an unknown instruction": Kind(begin=switched(crash=int(signal.SIGILL)), on=RUNNER, told=True),
    "out of memory": Kind(begin=switched(crash=int(signal.SIGKILL)), on=RUNNER, told=True),
    # numbers that cannot be
    "latencies of another number of runs": garbled(number(b"latency_ns", b"[1000000]"), RUNNER),
    "negative latencies": garbled(number(b"latency_ns", b"[-5,-5,-5,-5,-5]"), RUNNER),
    "latencies of nothing": garbled(number(b"latency_ns", b"[0,0,0,0,0]"), RUNNER),
    "latencies that are no numbers": garbled(number(b"latency_ns", b"[NaN,1,1,1,1]"), RUNNER),
    "another number of threads": garbled(number(b"threads", b"8"), RUNNER),
    "another delegate": garbled(number(b"delegates", b"[]"), RUNNER),
    "an output of another shape": garbled(
        lambda text: text.replace(b'"outputs":[{', b'"outputs":[{"shape":[1],'), RUNNER
    ),
    # a benchmark that cannot start, or does not end when its shell does
    "the benchmark goes on for ever": Kind(begin=switched(runs_on=True), on=RUNNER, told=True, hangs=True),
    "the shell may not execute": starts_not("can't execute: Permission denied", 126),
    "another architecture": starts_not("Exec format error", 126),
    "pages of another size": starts_not("libLiteRt.so: ELF load command address/offset not properly aligned", 127),
    "a library is missing": starts_not(
        "error while loading shared libraries: libc.so.6: cannot open shared object", 127
    ),
    "a kernel that is too old": starts_not("FATAL: kernel too old", 1),
    "no memory for its libraries": starts_not("libc.so.6: failed to map segment from shared object", 127),
    "a forbidden system call": Kind(begin=switched(crash=int(signal.SIGSYS)), on=RUNNER, told=True),
    "a bus error": Kind(begin=switched(crash=int(signal.SIGBUS)), on=RUNNER, told=True),
    # who it is
    "wireless debugging takes another port": Kind(begin=lambda lab: lab.phone.move(), told=True, away_s=math.inf),
    "a restart that nobody saw": Kind(begin=lambda lab: lab.phone.boot_anew()),
    "another phone answers": garbled(lambda text: re.sub(rb"\A\w+", b"OTHER0001", text), WHO, told=False),
    "a serial as everybody has it": garbled(lambda text: re.sub(rb"\A\w+", b"unknown", text), WHO, told=False),
    "no boot id": garbled(lambda text: text.replace(b"-", b""), WHO, told=False),
    "who it is is cut off": garbled(middle, WHO, told=False),
    "who it is comes twice": garbled(lambda text: text + text, WHO, told=False),
    "its list of processes is noise": garbled(lambda text: b"/proc/99999999/cmdline\n" + text, "/cmdline", told=False),
    # settings and journals
    "a line before each setting": Kind(begin=switched(banner="WARNING: linker: libdvm.so has text relocations")),
    "the journal on the phone is damaged": Kind(
        begin=lambda lab: lab.phone.write("data/local/tmp/.edgebundle-undo", "[{")
    ),
    # sensors
    "the thermal status is set by hand": garbled(
        lambda text: text.replace(b"Override: false", b"Override: true"), "thermalservice", told=False
    ),
    "the battery's updates are stopped": garbled(
        lambda text: text.replace(b"state:\n", b"state:\n  (UPDATES STOPPED -- use 'reset' to restart)\n"),
        BATTERY,
        told=False,
    ),
    "the thermal service lists the die alone": garbled(
        lambda text: re.sub(rb".*mType=[23].*\n", b"", text), "thermalservice", told=False
    ),
    "the fuel gauge hangs": Kind(begin=switched(hang_on="power_supply"), on="power_supply", hangs=True),
    "the modes are noise": garbled(lambda text: b"java.lang.NullPointerException\n" + text, "loadavg", told=False),
    "a battery in another language": garbled(
        lambda text: text.replace(b"level", b"Stand"), "dumpsys battery", told=False
    ),
    "temperatures cut off": garbled(middle, "thermalservice", told=False),
    "zones at -273 degrees": Kind(begin=switched(garble=keep_only_zones(b"-273000"))),
    "zones at 2147483647": Kind(begin=switched(garble=keep_only_zones(b"2147483647"))),
}


class Mended:
    """A clock on which every pause makes the phone and the adb server well again, once all pauses took `away_s`."""

    def __init__(self, lab: Lab, away_s: float) -> None:
        self._lab, self._away_s, self._seconds = lab, away_s, 0.0

    def now(self) -> float:
        return self._seconds

    def sleep(self, seconds: float) -> None:
        self._seconds += seconds
        if self._seconds >= self._away_s:
            mend(self._lab)


def mend(lab: Lab) -> None:
    clear(lab.phone.faults)
    lab.phone.plug()
    lab.server.disconnect(lab.phone.address)
    lab.server.connect(lab.phone.address)


def clear(faults: Faults) -> None:
    for field in fields(Faults):
        setattr(faults, field.name, field.default)


@contextmanager
def watched(before: Callable[[int, str], float | None], after: Callable[[], None]) -> Iterator[None]:
    """Every call of adb is told with its number; `before` may shorten its time limit."""
    run, count = Adb._run, 0

    def counted(self: Adb, words: Sequence[str], *, doing: str, timeout_s: float) -> Completed:
        nonlocal count
        limit = before(count, " ".join(words))
        count += 1
        try:
            return run(self, words, doing=doing, timeout_s=timeout_s if limit is None else min(limit, timeout_s))
        finally:
            after()

    with mock.patch.object(Adb, "_run", counted):
        yield


@cache
def make_app(bundle: Path) -> Path:
    """An APK with the bundle, made beside it."""
    out = bundle.parent / "app"
    out.mkdir()
    request = PackageRequest(
        bundle=Bundle.open(bundle),
        application_id="org.example.small",
        version_name="1.0",
        version_code=1,
        formats=("apk",),
        out=out,
    )
    return next(path for path in TARGETS["android"].package(request).files if path.suffix == ".apk")


def session(device: str, lab: Lab, bundle: Path, clock: Clock | None = None) -> SessionResult:
    """On the lab's phone as a device of this kind."""
    app = {android_app.APP: str(make_app(bundle))} if device == android_app.KIND else {}
    with mock.patch.dict(os.environ, app), open_bundle_or_package(bundle) as opened:
        return run_session(opened, [f"{device}:{lab.phone.address}"], PLAN, None, clock=clock)


def calls_of_a_session(lab: Lab, bundle: Path) -> Calls:
    """The words of every call that a session without a fault makes, of each kind of device."""
    found: Calls = {}
    for device in sorted({kind.device for kind in KINDS.values()}):
        calls = found[device] = list[str]()
        with watched(lambda number, words, calls=calls: calls.append(words), lambda: None):  # type: ignore[misc]
            session(device, lab, bundle)
    return found


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A session with a fault; `begun` says that the fault happened at all."""

    result: SessionResult
    begun: bool


def run_session_with(name: str, moment: int, calls: Calls, lab: Lab, bundle: Path) -> Outcome:
    """A session in which a fault begins at a moment drawn by its name and `moment` among the calls that it may concern."""
    kind = KINDS[name]
    at = random.Random(f"{name} {moment}").choice(
        [n for n, words in enumerate(calls[kind.device]) if kind.on is None or kind.on in words]
    )
    begun = False

    def before(number: int, words: str) -> float | None:
        nonlocal begun
        if number >= at and not begun and (kind.on is None or kind.on in words):
            kind.begin(lab)
            begun = True
        return PATIENCE_S if begun and kind.hangs and lab.phone.faults != Faults() else None

    def after() -> None:
        if begun and kind.on is not None:
            clear(lab.phone.faults)

    with watched(before, after):
        result = session(kind.device, lab, bundle, Mended(lab, kind.away_s))
    return Outcome(result=result, begun=begun)


def complaints(name: str, outcome: Outcome, lab: Lab) -> list[str]:
    """What is wrong with how a session with a fault ended: nothing, if the harness is right."""
    found = [] if outcome.begun else ["the fault never happened"]
    result, wanted = outcome.result, KINDS[name].variants
    good = [run for run in result.runs if run.verdict.grade != "invalid"]
    failed = {entry.variant for entry in result.skipped if entry.failed}
    for run in good:
        if run.golden is None or not run.golden.passed or run.delegate_executed.value != "xnnpack":
            found.append(f"accepted: {run.variant}, {run.verdict.words}, {run.golden}")
        if len(run.latency_ns) < PLAN.runs or min(run.latency_ns) < 1000:
            found.append(f"accepted latencies {run.latency_ns}")
    lost = wanted - {run.variant for run in result.runs} - failed
    if lost and "all variants" not in failed:
        found.append(f"neither measured nor told: {sorted(lost)}")
    if not KINDS[name].told and (failed or {run.variant for run in good} != wanted):
        found.append(
            f"not measured though the phone was well again: {[entry.reason for entry in result.skipped if entry.failed]}"
        )
    if lab.phone.overlaps:
        found.append("a benchmark was started while another one still ran")
    if len({run.variant for run in result.runs}) != len(result.runs):
        found.append("measured twice")
    mend(lab)
    with open_device(f"android:{lab.phone.address}"):
        pass  # what a session could not set back, the next start repairs
    if lab.phone.state:
        found.append(f"left on the phone: {lab.phone.state}")
    if lab.phone.files:
        found.append(f"left on the phone: {lab.phone.files}")
    found += [f"left on the phone: {path.name}" for path in (lab.phone.root / "storage").rglob("*.jsonl")]
    return found
