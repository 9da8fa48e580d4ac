"""What is held still on an Android phone while it is measured, and set back on any end.

Before anything is changed, the commands that set it back are written into a journal on this computer. A process that is killed
leaves the journal; the next one that opens the phone repairs it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.devices.android.adb import Adb, words
from harness.devices.android.files import write_journal
from harness.devices.android.state import started
from harness.errors import DeviceError
from harness.protocol import Pins
from harness.records.run import TextReading

FIXED, AWAKE, AIRPLANE = "fixed performance", "stay awake", "airplane mode"
PERFORMANCE = ("cmd", "power", "set-fixed-performance-mode-enabled")
STAY_ON = "stay_on_while_plugged_in"
EVERY_SOURCE = "7"  # AC, USB and wireless: android.os.BatteryManager.BATTERY_PLUGGED_*


@contextmanager
def pinned(adb: Adb, pins: Pins, journal: Path) -> Iterator[tuple[TextReading, ...]]:
    """Set what `pins` names; what is held, or why the phone refused to. Set back at the end, whatever happened.

    Raises DeviceError, and DeviceLost for a phone that went away; the journal then stays for the next start.
    """
    steps = _steps(adb, pins)
    _note(journal, steps, held=False)
    try:
        told = [_set(adb, name, command) for name, command, _ in steps]
        _note(journal, [step for step, reading in zip(steps, told, strict=True) if reading.value], held=True)
        yield tuple(told)
    except BaseException:
        with suppress(DeviceError):  # it went away: the first error tells more, and the journal stays
            repair(adb, journal)
        raise
    repair(adb, journal)


def repair(adb: Adb, journal: Path) -> None:
    """Set back what a journal tells, if there is one. Raises DeviceLost, and the journal stays; DeviceError, once, for what the phone
    refuses to take back.

    What may never have been set, because the harness was killed while it was setting it, is not missed.
    """
    if not journal.exists():
        return
    started(adb)  # one that restarted and has no services yet would refuse everything
    refused = []
    for entry in json.loads(journal.read_text(encoding="utf-8")):
        result = adb.shell(words(*entry["undo"]), doing="take back a setting")
        if result.status and entry["held"]:
            refused.append(entry)
    journal.unlink()
    if refused:
        names = " and ".join(entry["name"] for entry in refused)
        by_hand = "; ".join(words("adb", "-s", adb.serial, "shell", *entry["undo"]) for entry in refused)
        raise DeviceError(f"{adb.serial} refused to take back {names}; set it back by hand: {by_hand}.")


Steps = list[tuple[str, tuple[str, ...], tuple[str, ...]]]


def _note(journal: Path, steps: Steps, *, held: bool) -> None:
    write_journal(journal, [{"name": name, "undo": undo, "held": held} for name, _, undo in steps])


def _steps(adb: Adb, pins: Pins) -> Steps:
    """Name, command and the command that undoes it, of each pin."""
    steps: Steps = []
    if pins.fixed_performance:
        steps.append((FIXED, (*PERFORMANCE, "true"), (*PERFORMANCE, "false")))
    if pins.stay_awake:
        before = _setting(adb, STAY_ON)
        back = ("delete", "global", STAY_ON) if before == "null" else ("put", "global", STAY_ON, before)
        steps.append((AWAKE, ("settings", "put", "global", STAY_ON, EVERY_SOURCE), ("settings", *back)))
    if pins.airplane_mode and _setting(adb, "airplane_mode_on") != "1":
        if ":" in adb.serial or adb.serial.endswith("._tcp"):
            raise DeviceError(
                f"{adb.serial} is connected over the network, which airplane mode would cut; connect it by USB, or set "
                "pins.airplane_mode = false in the protocol."
            )
        mode = ("cmd", "connectivity", "airplane-mode")
        steps.append((AIRPLANE, (*mode, "enable"), (*mode, "disable")))
    return steps


def _setting(adb: Adb, name: str) -> str:
    return adb.checked_shell(words("settings", "get", "global", name), doing=f"tell its setting {name}").strip()


def _set(adb: Adb, name: str, command: tuple[str, ...]) -> TextReading:
    result = adb.shell(words(*command), doing=f"take the setting '{name}'")
    if result.status == 0:
        return TextReading(value=name)
    said = " ".join((result.stderr or result.stdout).split())[:120] or f"status {result.status}"
    return TextReading(reason=f"{name}: the device refused ({said})")
