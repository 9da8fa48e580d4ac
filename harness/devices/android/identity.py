"""Which phone it is, whatever its address: what makes it itself, and since when it runs.

The serial of adb is an address for a phone over the network, and the port changes each time; `ro.serialno` is the phone's own. Some cheap
phones all have the same one: those are told apart by the id that Android draws when it is set up (Settings.Secure.ANDROID_ID).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from harness.devices.android.adb import Adb

SERIAL = re.compile(r"[0-9A-Za-z._:-]{4,64}")
NOBODY = re.compile(r"0+|unknown|0123456789abcdef|1234567890(abcdef)?|(emulator)?0x0|null|none|default", re.IGNORECASE)
ANDROID_ID = re.compile(r"[0-9a-f]{8,16}")
BOOT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MARK = "edgebundle-part"
ASK = f"getprop ro.serialno; echo {MARK}; settings get secure android_id 2>&1; echo {MARK}; cat /proc/sys/kernel/random/boot_id 2>&1"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a phone told; None for what it did not, or tells as everybody does."""

    serial: str | None
    android_id: str | None
    boot_id: str | None

    def is_same_phone(self, other: Identity) -> bool:
        """By all that both told."""
        pairs = ((self.serial, other.serial), (self.android_id, other.android_id))
        return all(first == second for first, second in pairs if first is not None and second is not None)

    def has_restarted(self, since: Identity) -> bool:
        return None not in (self.boot_id, since.boot_id) and self.boot_id != since.boot_id

    def name(self, address: str) -> str:
        """What it is called in records: its own serial, or that of adb."""
        return self.serial or address

    def key(self, address: str, known: Mapping[str, str]) -> str:
        """For the names of locks and journals: the same for one phone on all its addresses."""
        model = "/".join(known.get(f"ro.product.{word}", "") for word in ("manufacturer", "model", "device"))
        own = self.serial or self.android_id or address
        return hashlib.sha256(f"{model}/{own}".encode()).hexdigest()[:20]


def read_identity(adb: Adb) -> Identity:
    """Raises DeviceError and DeviceLost."""
    told = adb.shell(ASK, doing="tell who it is").stdout.split(f"{MARK}\n")
    serial, android_id, boot_id = (_take_last_line(part) for part in [*told, "", "", ""][:3])
    return Identity(
        serial=serial if SERIAL.fullmatch(serial) and not NOBODY.fullmatch(serial) else None,
        android_id=android_id if ANDROID_ID.fullmatch(android_id) else None,
        boot_id=boot_id if BOOT_ID.fullmatch(boot_id) else None,
    )


def _take_last_line(text: str) -> str:
    """Some phones print a line of their own before an answer."""
    lines = text.split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
