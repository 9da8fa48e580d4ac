"""Why a benchmark program gave no result: what the device said, its exit status, its signal, and what to do."""

from __future__ import annotations

import re
import signal

# lines of the kernel's counters, which stand around the benchmark's own
COUNTERS = re.compile(r"edgebundle-|cpu[0-9]* |policy[0-9]|[0-9 \t]+$|[0-9]+m[0-9.]+s|(cat|grep): ")
REFUSED = r"[Pp]ermission denied|inaccessible|Operation not permitted"
# Characters of what the device said.
SHOWN = 160
# what shells and loaders print (bionic's sh, glibc's ld.so, the kernel's errno texts), and the cure
SAID: tuple[tuple[str, str, str], ...] = (
    (
        r"not properly aligned|alignment.*page|page size",
        "could not start: its libraries do not fit the device's page size",
        "run 'harness run' with the runner of this edgebundle, which is made for 4, 16 and 64 KB pages: clear the cache and run again",
    ),
    (
        r"[Ee]xec format error|[Nn]ot executable: .*ELF|bad ELF magic|wrong ELF class|unexpected e_machine",
        "could not start: the device does not execute arm64 programs",
        "it can be measured by the app only ('-d android-app')",
    ),
    (
        r"kernel too old",
        "could not start: the device's kernel is too old for its C library",
        "it can be measured by the app only ('-d android-app')",
    ),
    (
        r"cannot allocate memory|[Oo]ut of memory|std::bad_alloc|failed to map segment",
        "ran out of memory",
        "close other programs on the device, or measure a smaller variant",
    ),
    (r"[Nn]o space left", "found the storage full", "free space on the device"),
    (
        r"error while loading shared libraries|CANNOT LINK EXECUTABLE|cannot open shared object",
        "could not start: a library is missing",
        "a cleaner may have removed it: run again",
    ),
    (
        REFUSED,
        "could not start: the device does not let the shell execute programs there (noexec, SELinux, or a vendor's lock)",
        "it can be measured by the app only ('-d android-app')",
    ),
)
SIGNALS: dict[int, tuple[str, str]] = {
    signal.SIGILL: (
        "met an instruction that this processor does not have",
        "the processor is older than the runtime asks for: measure by the app ('-d android-app')",
    ),
    signal.SIGSEGV: ("crashed", "check the artifact with 'builder verify'; 'adb logcat -b crash' tells where"),
    signal.SIGBUS: ("crashed", "check the artifact with 'builder verify', and the device's storage"),
    signal.SIGABRT: ("gave up", "'adb logcat -b crash' tells why"),
    signal.SIGKILL: (
        "was killed, most likely because memory ran out",
        "close other programs on the device, or measure a smaller variant",
    ),
    signal.SIGSYS: (
        "used a system call that the device forbids",
        "it can be measured by the app only ('-d android-app')",
    ),
    signal.SIGTERM: ("was ended by somebody", "run again"),
    signal.SIGHUP: ("was ended with its connection", "run again"),
}


def explain_no_result(status: int, said: str) -> str:
    """Half a sentence for a status other than 0: what happened, what it said, what to do."""
    told = "\n".join(line for line in said.splitlines() if line.strip() and not COUNTERS.match(line))
    words = " ".join(re.sub(r"[^\x20-\x7e]", " ", told).split())[-SHOWN:]
    quoted = f", it said {words!r}" if words else ", it said nothing"
    number = status - 128 if 128 < status < 128 + 65 else 0
    for pattern, what, cure in SAID:
        if re.search(pattern, told) and not (number and pattern == REFUSED):
            return f"{what} (status {status}{_name(number)}{quoted}); {cure}"
    if number in SIGNALS:
        what, cure = SIGNALS[number]
        return f"{what} (status {status}{_name(number)}{quoted}); {cure}"
    if status == 126:
        return f"could not be executed (status 126{quoted}); it can be measured by the app only ('-d android-app')"
    if status == 127:
        return f"was not found (status 127{quoted}); a cleaner may have removed it: run again"
    return f"ended without a result (status {status}{_name(number)}{quoted}); run again, with '-v' for more"


def _name(number: int) -> str:
    try:
        return f", {signal.Signals(number).name}" if number else ""
    except ValueError:
        return f", signal {number}"
