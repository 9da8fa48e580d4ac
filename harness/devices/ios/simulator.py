"""The `ios-simulator` device over `xcrun simctl`: for trying things out. Its latencies are those of a Mac, and are labelled so."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from builder import process
from harness.clock import pause
from harness.devices.base import Device, Found
from harness.devices.ios.app import open_app
from harness.devices.ios.xcrun import WRONG_STATE, Said, call, find_xcrun
from harness.errors import DeviceError, MissingToolError, UsageError
from harness.records.run import DeviceInfo, Reading, TextReading

KIND = "ios-simulator"
LOCAL = True
LABEL = "simulator: not device-representative"
RUNTIME = "com.apple.CoreSimulator.SimRuntime.iOS-"
# By what they do: a list that may start the service, an app that is copied, a question. What takes longer hangs.
LIST_S, INSTALL_S, QUICK_S = 60.0, 180.0, 30.0
# The first boot after an update of Xcode takes minutes.
BOOT_S = 240.0
# A simulator is down within some seconds: what takes longer hangs.
SHUTDOWN_S = 60.0
# After `bootstatus` said that the state is wrong.
RACE_S = 60.0
# Each look starts simctl, which takes a processor for part of a second.
PAUSE_S = 1.0
# Until the log is followed.
FOLLOW_S, FOLLOW_PAUSE_S = 5.0, 0.05


@dataclass(frozen=True, kw_only=True)
class Simulator:
    """One entry of `simctl list`; `problem` says why it cannot be used."""

    udid: str
    name: str
    system: str
    state: str
    problem: str | None


def find() -> list[Found]:
    try:
        simulators = list_simulators()
    except (MissingToolError, DeviceError) as error:
        return [Found(kind=KIND, id="-", description="iOS simulators", state=str(error))]
    return [
        Found(kind=KIND, id=s.udid, description=f"{s.name}, {s.system}, {LABEL}", state=s.problem or "ready")
        for s in simulators
    ]


def open_device(device_id: str | None) -> Device:
    """The simulator of this UDID or name; without one, the only booted one, else the first."""
    usable = [s for s in list_simulators() if s.problem is None]
    if device_id is not None:
        same = [s for s in usable if device_id in (s.udid, s.name)]
        if not same:
            raise DeviceError(f"there is no simulator {device_id!r} that can be used; see 'harness devices'.")
        return open_app(Simctl(same[0]))
    if not usable:
        raise DeviceError(
            "there is no iOS simulator; add one in Xcode > Settings > Components and see 'harness devices'."
        )
    booted = [s for s in usable if s.state == "Booted"]
    if len(booted) > 1:
        names = ", ".join(f"-d {KIND}:{s.udid}" for s in booted)
        raise UsageError(f"{len(booted)} simulators are booted; choose with {names}.")
    return open_app(Simctl((booted or usable)[0]))


def list_simulators() -> list[Simulator]:
    """All iOS simulators, usable or not. Raises DeviceError, MissingToolError."""
    said = call(["simctl", "list", "devices", "-j"], doing="list simulators", timeout_s=LIST_S)
    if said.status:
        raise DeviceError(f"simctl cannot list simulators: {said.reason}.")
    return parse_list(said.stdout)


def parse_list(text: str) -> list[Simulator]:
    """`simctl list devices -j`. Raises DeviceError for anything else."""
    try:
        raw = json.loads(text)["devices"]
        return [
            Simulator(
                udid=str(entry["udid"]),
                name=str(entry["name"]),
                system="iOS " + runtime.removeprefix(RUNTIME).replace("-", "."),
                state=str(entry["state"]),
                problem=None
                if entry.get("isAvailable")
                else str(entry.get("availabilityError", "it is not available")),
            )
            for runtime, entries in raw.items()
            if runtime.startswith(RUNTIME)
            for entry in entries
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DeviceError(
            f"simctl printed no list of simulators ({error}); run 'xcrun simctl list devices -j' to see it."
        ) from error


class Simctl:
    """One simulator by its UDID; its files are files of this Mac."""

    simulated: str | None = LABEL

    def __init__(self, simulator: Simulator, sleep: Callable[[float], None] = pause) -> None:
        self._simulator = simulator
        self._sleep = sleep
        self._said = ""

    @property
    def info(self) -> DeviceInfo:
        simulator = self._simulator
        return DeviceInfo(
            kind=KIND,
            id=simulator.udid,
            model=TextReading(value=f"{simulator.name} simulator"),
            soc=TextReading(reason="a simulator has the processor of its Mac"),
            os=TextReading(value=simulator.system),
            build=TextReading(reason="simctl does not tell the build"),
            abi=TextReading(reason="a simulator has the ABI of its Mac"),
        )

    def prepare(self) -> None:
        """Boot and wait. `bootstatus -b` may say that the state is wrong while the simulator boots: the state decides."""
        if not self._wait_for_state(lambda state: state != "Shutting Down", SHUTDOWN_S):
            raise DeviceError(f"{self.info.id} has been shutting down for {SHUTDOWN_S:g} s; restart the Simulator app.")
        said = self._call("bootstatus", "-b", doing="boot", timeout_s=BOOT_S)
        if said.status == 0:
            return
        if said.code == WRONG_STATE and self._wait_for_state(lambda state: state == "Booted", RACE_S):
            return
        raise self._make_error(said, "boot")

    def install(self, app: Path) -> None:
        if not app.is_dir():
            raise UsageError(
                f"a simulator installs an .app built for it, not {app.name}; set $EDGEBUNDLE_IOS_APP to one."
            )
        said = self._call("install", str(app), doing="install the app", timeout_s=INSTALL_S)
        if said.status:
            raise self._make_error(said, "install the app")

    def push(self, folder: Path, name: str, identifier: str) -> None:
        documents = self._documents(identifier)
        target, work = documents / name, documents / f".{name}.part"
        if target.is_dir():
            return
        try:
            documents.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(work, ignore_errors=True)
            shutil.copytree(folder, work)
            work.rename(target)
        except OSError as error:
            raise DeviceError(
                f"{self.info.id} cannot take the bundle ({error.strerror}); free space on this Mac."
            ) from error

    def pull(self, name: str, target: Path, identifier: str) -> bool:
        source = self._documents(identifier) / name
        if not source.is_file():
            return False
        shutil.copyfile(source, target)
        return True

    def remove(self, names: list[str], identifier: str) -> None:
        documents = self._documents(identifier)
        for name in names:
            path = documents / name
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def launch(self, identifier: str, arguments: list[str], timeout_s: float) -> str:
        words = ["simctl", "launch", "--console-pty", "--terminate-running-process", self._simulator.udid, identifier]
        with self._follow_log(identifier):
            try:
                said = call(
                    [*words, *arguments], doing="run the app", timeout_s=timeout_s, env={"SIMCTL_CHILD_EDGEBUNDLE": "1"}
                )
            except DeviceError:
                self._call("terminate", identifier, doing="end the app", timeout_s=QUICK_S)
                raise
        if said.status and said.code is not None:  # a crash gives a status too, but no such error
            raise self._make_error(said, "launch the app")
        return said.stdout

    @contextmanager
    def _follow_log(self, identifier: str) -> Iterator[None]:
        """The simulator's log of the app and of faults while the block runs; its last message is kept."""
        words = ["simctl", "spawn", self._simulator.udid, "log", "stream", "--style", "ndjson", *_of(identifier)]
        self._said = ""
        with tempfile.TemporaryDirectory(prefix="edgebundle-log-") as folder:
            log = Path(folder) / "log.ndjson"
            with process.run_beside([find_xcrun(), *words], log=log):
                deadline = time.monotonic() + FOLLOW_S
                while not log.stat().st_size and time.monotonic() < deadline:  # its first line says that it listens
                    self._sleep(FOLLOW_PAUSE_S)
                yield
            self._said = find_last_message(log.read_text(encoding="utf-8", errors="replace"))

    def explain(self, identifier: str) -> str:
        """The last message that was heard; what came too late for that is asked for."""
        if self._said:
            return self._said
        words = ["log", "show", "--style", "ndjson", "--last", "2m", *_of(identifier)]
        try:
            said = call(["simctl", "spawn", self._simulator.udid, *words], doing="show its log", timeout_s=QUICK_S)
        except DeviceError:
            return ""  # the log is extra knowledge about a failure that is reported anyway
        return find_last_message(said.stdout)

    def battery(self) -> tuple[Reading, TextReading, Reading]:
        reason = "a simulator has no battery"
        return Reading(unit="%", reason=reason), TextReading(reason=reason), Reading(unit="degC", reason=reason)

    def _documents(self, identifier: str) -> Path:
        said = self._call("get_app_container", identifier, "data", doing="tell the app's container", timeout_s=QUICK_S)
        path = said.stdout.strip()
        if said.status or not path or not Path(path).is_dir():
            raise DeviceError(f"{self.info.id} has no app {identifier}; set $EDGEBUNDLE_IOS_APP to the app to install.")
        return Path(path) / "Documents"

    def _wait_for_state(self, wanted: Callable[[str], bool], limit_s: float) -> bool:
        """Whether the state becomes a wanted one within a time."""
        deadline = time.monotonic() + limit_s
        while not wanted(self._state()):
            if time.monotonic() > deadline:
                return False
            self._sleep(PAUSE_S)
        return True

    def _state(self) -> str:
        simulator = next((s for s in list_simulators() if s.udid == self._simulator.udid), None)
        if simulator is None:
            raise DeviceError(f"{self.info.id} does not exist any more; see 'harness devices'.")
        return simulator.state

    def _call(self, verb: str, *words: str, doing: str, timeout_s: float) -> Said:
        return call(["simctl", verb, self._simulator.udid, *words], doing=doing, timeout_s=timeout_s)

    def _make_error(self, said: Said, doing: str) -> DeviceError:
        return DeviceError(f"{self.info.id} could not {doing}: {said.reason}.")


def _of(identifier: str) -> list[str]:
    """What of the log concerns a run."""
    return ["--predicate", f'subsystem == "{identifier}" OR messageType == "fault"']


def find_last_message(text: str) -> str:
    """The last message of `log show --style ndjson`, whose first line is no JSON."""
    message = ""
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("eventMessage"):
            message = " ".join(str(entry["eventMessage"]).split())[:200]
    return message
