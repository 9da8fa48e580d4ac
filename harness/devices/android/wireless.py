"""Phones over the network: pairing with the code that the phone shows, and connecting to an address that is asked for."""

from __future__ import annotations

import re
import socket

from builder import process
from harness.devices.android.adb import Listed, list_devices
from harness.devices.android.adb_program import find_usable_adb, read_version, tell_replaced
from harness.errors import DeviceAbsent, DeviceError, MissingToolError, UsageError

# The phone's user has just opened the dialog: what takes longer is another network.
PAIR_S = 30.0
# An address that nobody has is tried twice.
CONNECT_S = 10.0
# A phone in the same network answers within a second, and one that sleeps within some.
LOOK_S = 5.0
ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+(?:%\w+)?)\]|(\w[\w.-]*)):([0-9]{1,5})")
CODE = re.compile(r"[0-9]{6}")
PAIRED = re.compile(r"^Successfully paired to .*?(?:\[guid=(\S+)\])?\s*$", re.MULTILINE)


def parse_network_address(text: str) -> tuple[str, int] | None:
    """Host and port of `HOST:PORT` or `[IPV6]:PORT`, or None for any other serial."""
    match = ADDRESS.fullmatch(text)
    if match is None or not 0 < int(match.group(3)) < 65536:
        return None
    return match.group(1) or match.group(2), int(match.group(3))


def over_network(serial: str) -> bool:
    """Whether adb reaches it by an address, or by a name that it found in the network."""
    return parse_network_address(serial) is not None or serial.endswith("._tcp")


def pair(address: str, code: str, *, timeout_s: float = PAIR_S) -> str | None:
    """Pair with the phone whose dialog shows `address` (HOST:PORT) and `code`; the name that it will be found by, if told.

    adb reads the code from its input: a command line can be read by every user of the computer. Raises UsageError, MissingToolError
    and DeviceError.
    """
    check_address(address)
    if CODE.fullmatch(code) is None:
        raise UsageError("the pairing code is the 6 digits that the phone shows; run again and type them.")
    program = find_usable_adb()
    try:
        done = process.run(
            [program, "pair", address], timeout_s=timeout_s, input_bytes=f"{code}\n".encode(), check=False
        )
    except process.ToolTimeout as error:
        raise DeviceError(
            f"{address} did not finish pairing within {timeout_s:g} s; check that it is the address in the phone's pairing dialog, close "
            "the dialog, open it again, and pair with the new port and code."
        ) from error
    except process.ToolError as error:
        raise DeviceError(f"adb cannot pair ({error}); check it with 'adb version'.") from error
    tell_replaced(done.stderr)
    said = f"{done.stdout}\n{done.stderr}"
    if "unknown command" in said:
        raise MissingToolError(
            f"{program} is adb {read_version(program)}, which cannot pair: platform-tools 30 is needed; run 'pip install adbutils', which "
            "carries a newer one, and set $ADB to it."
        )
    match = PAIRED.search(done.stdout.removeprefix("Enter pairing code: "))
    if done.returncode or match is None:
        raise DeviceError(_refusal(address))
    return match.group(1)


def check_address(address: str) -> None:
    """Raises UsageError for what is not HOST:PORT."""
    if parse_network_address(address) is None:
        raise UsageError(
            f"{address!r} is not HOST:PORT; take both from the phone's dialog 'Pair device with pairing code'."
        )


def _refusal(address: str) -> str:
    """Why pairing failed. What adb says of it differs from release to release, and platform-tools 36 loses the reason: so look."""
    again = "open the phone's dialog 'Pair device with pairing code' again and take port and code from it: both change each time"
    try:
        with socket.create_connection(parse_network_address(address) or ("", 0), timeout=LOOK_S):
            return f"{address} answers but did not accept the code; {again}."
    except socket.gaierror:
        return f"{address} names no computer of this network; take the numbers from the phone's dialog 'Pair device with pairing code'."
    except ConnectionRefusedError:
        return f"nothing listens at {address}; {again} (the port on the page before is for '-d android:HOST:PORT')."
    except OSError as error:
        return f"{address} cannot be reached ({error.strerror or error}); let the phone and this computer join the same network, then {again}."


def find_reachable(serial: str | None) -> list[Listed]:
    """All devices that adb knows, after connecting to `serial` where it is an address that adb does not know yet. Raises DeviceError."""
    listed = list_devices()
    if serial is None or parse_network_address(serial) is None or any(device.serial == serial for device in listed):
        return listed
    _connect(serial)
    return list_devices()


def _connect(address: str) -> None:
    """`adb connect`, which ends with status 0 whatever happened. A phone that does not trust this computer is listed as such."""
    try:
        done = process.run([find_usable_adb(), "connect", address], timeout_s=CONNECT_S, check=False)
    except process.ToolError as error:
        raise DeviceAbsent(f"{address} cannot be connected ({error}); check that it is in this network.") from error
    tell_replaced(done.stderr)
    said = " ".join(f"{done.stdout} {done.stderr}".split())
    if "connected to" in said or "failed to authenticate" in said:
        return
    reason = said.removeprefix(f"failed to connect to '{address}': ")
    raise DeviceAbsent(
        f"{address} cannot be connected ({reason}); switch on 'Wireless debugging' on the phone, take address and port from that page (the "
        "port changes each time), and pair once with 'harness pair'."
    )
