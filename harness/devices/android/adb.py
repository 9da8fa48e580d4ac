"""The official adb client: every call names the device, has a time limit, and fails with one clear sentence."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builder import process
from harness.devices.android.adb_program import REPLACED, find_usable_adb, tell_replaced
from harness.errors import DeviceError, DeviceLost

# The first call of the day starts adb's server.
LIST_S = 30.0
# Of a command that reads something: what takes longer hangs.
SHELL_S = 20.0
# The phone compiles and verifies the app.
INSTALL_S = 120.0
# Of a transfer: USB 2 with a bad cable is faster.
SLOWEST_BYTES_PER_S = 1_000_000.0
END = re.compile(r"\nedgebundle-end (\d+)\n\Z")
STATE_ADVICE = {
    "unauthorized": "does not trust this computer; unlock it and accept the question 'Allow USB debugging?'",
    "authorizing": "is asking for permission; unlock it and accept the question 'Allow USB debugging?'",
    "offline": "is offline; unplug it and plug it in again, or run 'adb reconnect'",
    "connecting": "is still connecting; wait a moment and try again",
    "recovery": "is in recovery mode; restart it",
    "sideload": "is in sideload mode; restart it",
    "bootloader": "is in its bootloader; restart it",
    "no permissions": "may not be opened by this user; add a udev rule for it (see 'adb devices')",
}


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A line of `adb devices`: `state` is adb's word (`device` when it can be used)."""

    serial: str
    state: str
    model: str

    @property
    def problem(self) -> str | None:
        """Why it cannot be used and the cure, or None."""
        if self.state == "device":
            return None
        known = next((advice for word, advice in STATE_ADVICE.items() if self.state.startswith(word)), None)
        return known or f"is in the state {self.state!r}; restart it"


@dataclass(frozen=True, kw_only=True)
class ShellResult:
    """What a command on the device printed, and its exit status."""

    stdout: str
    stderr: str
    status: int


def list_devices() -> list[Listed]:
    """All devices that adb knows, usable or not."""
    adb = find_usable_adb()
    short, long = run_adb([adb, "devices"], "list devices"), run_adb([adb, "devices", "-l"], "list devices")
    return parse_devices(short, long)


def parse_devices(short: str, long: str) -> list[Listed]:
    """From `adb devices` (where a tab follows the serial, which may hold spaces) and `adb devices -l` (which tells the model)."""
    devices = []
    for line in short.splitlines():
        serial, tab, state = line.partition("\t")
        if tab:
            details = next((text for text in long.splitlines() if text.startswith(f"{serial} ")), "")
            model = re.search(r" model:(\S+)", details)
            devices.append(
                Listed(serial=serial, state=state.strip(), model=model.group(1) if model else "unknown model")
            )
    return devices


def run_adb(argv: list[str], purpose: str) -> str:
    try:
        done = process.run(argv, timeout_s=LIST_S)
    except process.ToolError as error:
        raise DeviceError(f"adb cannot {purpose} ({error}); run 'adb kill-server' and try again.") from error
    tell_replaced(done.stderr)
    return done.stdout


class Adb:
    """One device, by its serial. All methods raise DeviceError; DeviceLost where another try may find it well again."""

    def __init__(self, serial: str) -> None:
        self.serial = serial
        self._program = find_usable_adb()

    def _run(self, words: Sequence[str], *, doing: str, timeout_s: float) -> process.Completed:
        try:
            done = process.run([self._program, "-s", self.serial, *words], timeout_s=timeout_s, check=False)
        except process.ToolTimeout as error:
            raise DeviceLost(
                f"{self.serial} did not {doing} within {timeout_s:g} s; check its screen and cable, then run 'adb reconnect'."
            ) from error
        except process.ToolError as error:
            raise DeviceError(
                f"adb could not {doing} on {self.serial} ({error}); check it with 'adb version'."
            ) from error
        tell_replaced(done.stderr)
        return done

    def shell(self, command: str, *, doing: str, timeout_s: float = SHELL_S) -> ShellResult:
        """Run a command line of the device's shell; words that are not constants must come quoted (`quote_words`).

        The command's status is printed behind its output: without that line an output that was cut off by a lost connection
        would look complete, because adb then ends with status 0.
        """
        line = f"( {command}\n); edgebundle_status=$?; echo; echo edgebundle-end $edgebundle_status; exit $edgebundle_status"
        done = self._run(["shell", line], doing=doing, timeout_s=timeout_s)
        end = END.search(done.stdout.replace("\r\n", "\n"))
        if end is None:
            raise DeviceLost(self._failure(done, doing))
        status = int(end.group(1))
        if status != done.returncode:
            raise DeviceLost(
                f"{self.serial} contradicts itself: its shell ended with status {status} but reported {done.returncode} when it was "
                f"to {doing}; restart it."
            )
        return ShellResult(stdout=done.stdout.replace("\r\n", "\n")[: end.start()], stderr=done.stderr, status=status)

    def require_shell(self, command: str, *, doing: str, timeout_s: float = SHELL_S) -> str:
        """As `shell`, and a status other than 0 is an error too; what it printed."""
        result = self.shell(command, doing=doing, timeout_s=timeout_s)
        if result.status:
            said = " ".join((result.stderr or result.stdout).split())[-300:]
            raise DeviceError(f"{self.serial} could not {doing} (status {result.status}): {self._advice(said)}.")
        return result.stdout

    def push(self, sources: Sequence[Path], target: str) -> None:
        """Copy files into an existing directory of the device, or one file to a path that need not exist."""
        size = sum(path.stat().st_size for path in sources)
        words = ["push", *(str(path) for path in sources), target]
        self._transfer(words, doing="take files", size=size)

    def install(self, apk: Path) -> str:
        """Install an app, over one of the same key; what adb said, a refusal of the phone included. Raises DeviceLost."""
        limit = INSTALL_S + apk.stat().st_size / SLOWEST_BYTES_PER_S
        done = self._run(["install", "-r", "-d", str(apk)], doing="install the app", timeout_s=limit)
        said = f"{done.stdout}\n{done.stderr}"
        if done.returncode and "INSTALL_" not in said:
            raise DeviceLost(self._failure(done, "install the app"))
        return said

    def pull(self, source: str, target: Path, *, size: int) -> None:
        """Copy one file of `size` bytes from the device."""
        self._transfer(["pull", source, str(target)], doing="give a file", size=size)

    def forward(self, remote: str) -> int:
        """A port of this computer that leads to a socket of the device, such as `localabstract:chrome_devtools_remote`."""
        return self._port(["forward", "tcp:0", remote], "forward a port")

    def unforward(self, port: int) -> None:
        self._run(["forward", "--remove", f"tcp:{port}"], doing="give a port back", timeout_s=SHELL_S)

    def reverse(self, port: int) -> int:
        """A port of the device that leads to one of this computer."""
        return self._port(["reverse", "tcp:0", f"tcp:{port}"], "reverse a port")

    def unreverse(self, port: int) -> None:
        self._run(["reverse", "--remove", f"tcp:{port}"], doing="give a port back", timeout_s=SHELL_S)

    def _port(self, words: list[str], doing: str) -> int:
        done = self._run(words, doing=doing, timeout_s=SHELL_S)
        said = done.stdout.strip()
        if done.returncode or not (said.isascii() and said.isdecimal()):
            raise DeviceLost(self._failure(done, doing))
        return int(said)

    def _transfer(self, words: list[str], *, doing: str, size: int) -> None:
        done = self._run(words, doing=doing, timeout_s=SHELL_S + size / SLOWEST_BYTES_PER_S)
        if done.returncode:
            raise DeviceLost(self._failure(done, doing))

    def _failure(self, done: process.Completed, doing: str) -> str:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        return f"{self.serial} could not {doing}: {self._advice(said)}."

    def _advice(self, said: str) -> str:
        """What adb said, as a reason with a cure."""
        low = said.lower()
        if REPLACED.search(said):
            return "an adb server of another version had taken over; let all programs use one adb (see $ADB), and run again"
        if "no space left" in low:
            return "its storage is full; free space on it"
        if "not found" in low and "device" in low:
            return "it is not connected any more; connect it and check 'adb devices'"
        for state in ("unauthorized", "offline"):
            if f"device {state}" in low or f"device still {state}" in low:
                return f"it {STATE_ADVICE[state]}"
        if not said or "closed" in low or "eof" in low or "protocol fault" in low or "connection reset" in low:
            return f"the connection was lost ({said or 'adb said nothing'}); reconnect it and run again"
        return said.rstrip(".")


def quote_words(*parts: str) -> str:
    """Words of a command line, quoted for the device's shell."""
    return shlex.join(parts)
