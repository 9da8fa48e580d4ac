"""Benchmarks and waits of ours that still run on a phone although nobody waits for them: found, ended, and seen dead.

When a connection ends, adbd sends SIGHUP to the shell's own process and not to what that had started (AOSP, adbd: shell_service.cpp). What
we start therefore carries a mark on its command line: the path of our folder, or the tag of our log.
"""

from __future__ import annotations

import re

from harness.devices.android.adb import Adb
from harness.errors import DeviceError

# the brackets keep the line from finding itself
FIND = "grep -l -e '/data/local/tmp/[e]dgebundle-' -e '[E]DGEBUNDLE_RUN:I' /proc/[0-9]*/cmdline 2>/dev/null"
PLACE = re.compile(r"^/proc/([0-9]{1,10})/cmdline$", re.MULTILINE)
# A killed process is gone within a fifth of a second, unless the kernel holds it.
TRIES = 10


def stop_leftovers(adb: Adb) -> int:
    """How many there were. Raises DeviceError when one does not end, DeviceLost when the phone is not there."""
    ended: set[str] = set()
    for _ in range(TRIES):
        places = PLACE.findall(adb.shell(FIND, doing="look for earlier measurements").stdout)
        if not places:
            return len(ended)
        ended |= set(places)
        adb.shell(f"kill -9 {' '.join(places)}; sleep 0.2", doing="end an earlier measurement")
    raise DeviceError(
        f"{adb.serial} still runs an earlier measurement (process {', '.join(places)}), which does not end; restart the phone."
    )
