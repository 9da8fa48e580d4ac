"""An iPhone over the external program `pymobiledevice3`, where there is no Xcode. iOS 17.4 and newer need no root for it."""

from __future__ import annotations

import json
import shlex
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from builder import process
from harness.clock import pause
from harness.devices.ios.xcrun import give_advice
from harness.errors import DeviceError, MissingToolError
from harness.records.run import DeviceInfo, Reading, TextReading

PROGRAM = "pymobiledevice3"
# By what they move: a list, a question, an app, a bundle of hundreds of megabytes. What takes longer hangs.
LIST_S, QUICK_S, INSTALL_S, PUSH_S = 60.0, 60.0, 300.0, 600.0
# Each look is a connection of its own to the device, which it must not warm.
POLL_S = 2.0
ROOTLESS = ("--userspace",)  # the developer services of iOS 17 and newer want a tunnel: one that needs no root
NO_MUXER = "usbmuxd is not running; install it (apt-get install usbmuxd), or Apple Devices on Windows"


def list_connected() -> list[Pymobile]:
    """All iPhones that usbmuxd knows."""
    entries = _json(_call(["usbmux", "list"], doing="list devices", timeout_s=LIST_S), "list devices")
    if not isinstance(entries, list):
        raise DeviceError(f"{PROGRAM} printed no list of devices; run '{PROGRAM} usbmux list' to see it.")
    return [Pymobile(entry) for entry in entries if isinstance(entry, dict) and entry.get("Identifier")]


class Pymobile:
    """One device by its UDID."""

    simulated: str | None = None
    problem: str | None = None

    def __init__(self, entry: dict[str, Any], sleep: Callable[[float], None] = pause) -> None:
        self._entry = entry
        self._udid = str(entry["Identifier"])
        self._sleep = sleep
        self.name = str(entry.get("DeviceName", self._udid))

    @property
    def description(self) -> str:
        return (
            f"{self._entry.get('ProductType', 'iPhone')}, iOS {self._entry.get('ProductVersion', '?')} over {PROGRAM}"
        )

    @property
    def info(self) -> DeviceInfo:
        system = self._entry.get("ProductVersion")
        return DeviceInfo(
            kind="ios",
            id=self._udid,
            model=_text(self._entry.get("ProductType"), "model"),
            soc=TextReading(reason=f"{PROGRAM} does not tell its chip"),
            os=_text(f"iOS {system}" if system else None, "system"),
            build=_text(self._entry.get("BuildVersion"), "build"),
            abi=TextReading(value="arm64"),
        )

    def prepare(self) -> None:
        """Nothing: a locked device says so when it is asked for something."""

    def install(self, app: Path) -> None:
        self._run(["apps", "install", str(app)], "install the app", INSTALL_S)

    def push(self, folder: Path, name: str, identifier: str) -> None:
        """A directory is put below the given place under its own name: it is copied here to have the wanted one."""
        with tempfile.TemporaryDirectory(prefix="edgebundle-push-") as work:
            local = Path(work) / name
            shutil.copytree(folder, local)
            self._run(["apps", "push", identifier, str(local), "Documents"], "take the bundle", PUSH_S)

    def pull(self, name: str, target: Path, identifier: str) -> bool:
        try:
            self._run(["apps", "pull", identifier, f"Documents/{name}", str(target)], "give a file", PUSH_S)
        except DeviceError as error:
            if "no such file" in str(error).lower():
                return False
            raise
        return target.is_file()

    def remove(self, names: list[str], identifier: str) -> None:
        for name in names:
            self._run(["apps", "rm", identifier, f"Documents/{name}"], "remove a file", QUICK_S)

    def launch(self, identifier: str, arguments: list[str], timeout_s: float) -> str:
        """The launch returns at once; the app's record says when it has ended, so that file is waited for."""
        words = shlex.join([identifier, *arguments])  # one argument, which is split there
        printed = self._run(["developer", "dvt", "launch", words, *ROOTLESS], "launch the app", QUICK_S)
        output = arguments[arguments.index("-edgebundle-output") + 1]
        deadline = time.monotonic() + timeout_s
        with tempfile.TemporaryDirectory(prefix="edgebundle-wait-") as folder:
            while time.monotonic() < deadline:
                if self.pull(output, Path(folder) / output, identifier):
                    return printed
                self._sleep(POLL_S)
        raise DeviceError(
            f"the app on {self._udid} gave no record within {timeout_s:g} s; look at its screen and run again."
        )

    def explain(self, identifier: str) -> str:
        return ""

    def battery(self) -> tuple[Reading, TextReading, Reading]:
        try:
            state = _json(
                self._run(["diagnostics", "battery", "single"], "tell its battery", QUICK_S), "tell its battery"
            )
        except DeviceError as error:
            reason = str(error)
            return Reading(unit="%", reason=reason), TextReading(reason=reason), Reading(unit="degC", reason=reason)
        known = state if isinstance(state, dict) else {}
        level, temperature, charging = (known.get(name) for name in ("CurrentCapacity", "Temperature", "IsCharging"))
        missing = "the battery's report does not name it"
        return (
            Reading(value=float(level), unit="%")
            if isinstance(level, int | float)
            else Reading(unit="%", reason=missing),
            TextReading(value="charging" if charging else "discharging")
            if isinstance(charging, bool)
            else TextReading(reason=missing),
            # hundredths of a degree Celsius
            Reading(value=temperature / 100, unit="degC")
            if isinstance(temperature, int | float)
            else Reading(unit="degC", reason=missing),
        )

    @contextmanager
    def condition(self, profile: str) -> Iterator[None]:
        """The device behaves as if a condition held, e.g. `ThermalSerious`; cleared at the end, whatever happened."""
        self._run(
            ["developer", "dvt", "condition", "set", profile, *ROOTLESS], f"take the condition {profile}", QUICK_S
        )
        try:
            yield
        finally:
            self._run(["developer", "dvt", "condition", "clear", *ROOTLESS], "clear the condition", QUICK_S)

    def _run(self, words: list[str], doing: str, timeout_s: float) -> str:
        return _call([*words, "--udid", self._udid], doing=f"{doing} of {self._udid}", timeout_s=timeout_s)


def _call(words: list[str], *, doing: str, timeout_s: float) -> str:
    """What the program printed. Raises DeviceError, MissingToolError."""
    program = process.find(PROGRAM)
    if program is None:
        raise MissingToolError(
            f"{PROGRAM} is not installed: 'pipx install {PROGRAM}' (for itself: its requirements clash with ours)."
        )
    try:
        done = process.run([program, *words], timeout_s=timeout_s, check=False)
    except process.ToolTimeout as error:
        raise DeviceError(
            f"{PROGRAM} could not {doing} within {timeout_s:g} s; check the cable and the device's screen."
        ) from error
    except process.ToolError as error:
        raise DeviceError(
            f"{PROGRAM} could not {doing} ({error}); install it again with 'pipx install {PROGRAM}'."
        ) from error
    if done.returncode or "ERROR" in done.stderr:
        said = done.stderr or done.stdout
        low = said.lower()
        cure = NO_MUXER if "usbmuxd" in low or "muxexception" in low else give_advice(said)
        raise DeviceError(f"{PROGRAM} could not {doing}: {cure}.")
    return done.stdout


def _json(text: str, doing: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DeviceError(f"{PROGRAM} gave no JSON when it was to {doing} ({error}); update it.") from error


def _text(value: object, what: str) -> TextReading:
    return TextReading(value=str(value)) if value else TextReading(reason=f"{PROGRAM} does not tell its {what}")
