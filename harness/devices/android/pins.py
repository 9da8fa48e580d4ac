"""What is held still on an Android phone while it is measured, and set back on any end.

Before anything is changed, what was there is written into a journal. A process that is killed leaves the journal; the next one that
opens the phone, from whichever host, repairs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from builder.process import sparing
from harness.devices.android.adb import Adb, quote_words
from harness.devices.android.journal import Change, Journal, Pin
from harness.devices.android.state import require_started
from harness.devices.android.wireless import over_network
from harness.errors import DeviceError
from harness.protocol import Pins
from harness.records.run import TextReading

PERFORMANCE = ("cmd", "power", "set-fixed-performance-mode-enabled")
STAY_ON = ("global", "stay_on_while_plugged_in")
AIRPLANE = ("cmd", "connectivity", "airplane-mode")
EVERY_SOURCE = "7"  # AC, USB and wireless: android.os.BatteryManager.BATTERY_PLUGGED_*
VALUE = re.compile(r"null|[0-9]{1,3}")
SET: dict[Pin, tuple[str, ...]] = {
    "fixed performance": (*PERFORMANCE, "true"),
    "stay awake": ("settings", "put", *STAY_ON, EVERY_SOURCE),
    "airplane mode": (*AIRPLANE, "enable"),
}


@contextmanager
def hold_pins(
    adb: Adb, pins: Pins, journal: Journal, same_phone: Callable[[], None]
) -> Iterator[tuple[TextReading, ...]]:
    """Set what `pins` names; what is held, or why it is not. Set back at the end, whatever happened.

    `same_phone` raises DeviceLost when another phone answers: what belongs to one is never set back on another. Raises DeviceError, and
    DeviceLost for a phone that went away; the journal then stays for the next start.
    """
    changes, refused = _changes(adb, pins)
    journal.write(changes)
    with sparing() as spare:
        try:
            told = [_set(adb, change.pin) for change in changes]
            held = [change for change, reading in zip(changes, told, strict=True) if reading.value]
            journal.write([change.model_copy(update={"held": True}) for change in held])
            yield (*told, *refused)
        except BaseException:
            spare()
            with suppress(DeviceError):  # it went away: the first error tells more, and the journal stays
                same_phone()
                repair(adb, journal)
            raise
        spare()
        same_phone()
        repair(adb, journal)


def repair(adb: Adb, journal: Journal) -> None:
    """Set back what a journal tells. Raises DeviceLost, and the journal stays; DeviceError, once, for what the phone refuses to take back.

    What may never have been set, because the harness was killed while it was setting it, is not missed.
    """
    changes = journal.read()
    if not changes:
        journal.clear()
        return
    require_started(adb)  # one that restarted and has no services yet would refuse everything
    refused = []
    for change in changes:
        result = adb.shell(quote_words(*_undo(change)), doing="take back a setting")
        if result.status and change.held:
            refused.append(change)
    journal.clear()
    if refused:
        names = " and ".join(change.pin for change in refused)
        by_hand = "; ".join(quote_words("adb", "-s", adb.serial, "shell", *_undo(change)) for change in refused)
        raise DeviceError(f"{adb.serial} refused to take back {names}; set it back by hand: {by_hand}.")


def _undo(change: Change) -> tuple[str, ...]:
    if change.pin == "fixed performance":
        return (*PERFORMANCE, "false")
    if change.pin == "airplane mode":
        return (*AIRPLANE, "disable")
    return ("settings", "delete", *STAY_ON) if change.before is None else ("settings", "put", *STAY_ON, change.before)


def _changes(adb: Adb, pins: Pins) -> tuple[list[Change], list[TextReading]]:
    """What will be changed, with what is there now; and what will not, since it cannot be said what is there."""
    changes: list[Change] = []
    refused: list[TextReading] = []
    if pins.fixed_performance:
        changes.append(Change(pin="fixed performance"))
    if pins.stay_awake:
        before = _setting(adb, STAY_ON[1])
        if before is None:
            refused.append(TextReading(reason=f"stay awake: the device does not tell the value of {STAY_ON[1]}"))
        else:
            changes.append(Change(pin="stay awake", before=None if before == "null" else before))
    if pins.airplane_mode and _setting(adb, "airplane_mode_on") != "1":
        if over_network(adb.serial):
            raise DeviceError(
                f"{adb.serial} is connected over the network, which airplane mode would cut; connect it by USB, or set "
                "pins.airplane_mode = false in the protocol."
            )
        changes.append(Change(pin="airplane mode"))
    return changes, refused


def _setting(adb: Adb, name: str) -> str | None:
    """A small number or `null`; None for anything else. The last line counts: linkers and vendors print warnings before it."""
    printed = adb.require_shell(quote_words("settings", "get", "global", name), doing=f"tell its setting {name}")
    lines = printed.strip().splitlines()
    told = lines[-1].strip() if lines else ""
    return told if VALUE.fullmatch(told) else None


def _set(adb: Adb, pin: Pin) -> TextReading:
    result = adb.shell(quote_words(*SET[pin]), doing=f"take the setting '{pin}'")
    if result.status == 0:
        return TextReading(value=pin)
    said = " ".join((result.stderr or result.stdout).split())[:120] or f"status {result.status}"
    return TextReading(reason=f"{pin}: the device refused ({said})")
