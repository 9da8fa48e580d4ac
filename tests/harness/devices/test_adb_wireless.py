"""Phones over the network: pairing by code and connecting by address, with the real adb client for all that fails."""

from __future__ import annotations

import io
import os
import pty
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import cli
from harness.devices import open_device
from harness.devices.android.wireless import find_reachable, pair, parse_network_address
from harness.errors import DeviceError, DeviceLost, MissingToolError, UsageError
from tests.emulated_phone import PIXEL, AdbServer, EmulatedPhone
from tests.harness.devices.adb_doubles import NOW, calls, make_adb_double

ROOT = Path(__file__).parents[3]
PAIRS = (
    'printf "Enter pairing code: "; read code; echo "$code" > "$here/code"; '
    'echo "Successfully paired to $2 [guid=adb-R5CT10-aBc123]"'
)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def find_address(server: socket.socket) -> str:
    return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.168.1.20:37045", ("192.168.1.20", 37045)),
        ("phone.lan:5555", ("phone.lan", 5555)),
        ("[fe80::1%wlan0]:5555", ("fe80::1%wlan0", 5555)),
        ("192.168.1.20", None),
        ("192.168.1.20:0", None),
        ("192.168.1.20:65536", None),
        ("R5CT10XYZ", None),
        ("emulator-5554", None),
        ("adb-R5CT10-aBc123._adb-tls-connect._tcp", None),
        ("a b:5555", None),
        ("-e:5555;reboot", None),
    ],
)
def test_addresses_are_told_from_serials(text: str, address: tuple[str, int] | None) -> None:
    """HOST:PORT and [IPV6]:PORT are addresses; serials of USB, emulators and mDNS are not."""
    assert parse_network_address(text) == address


def test_pairing_gives_adb_the_code_unseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """adb reads the code from its input and never has it on its command line; the phone's name comes back."""
    program = make_adb_double(tmp_path, otherwise=PAIRS)
    monkeypatch.setenv("ADB", str(program))
    assert pair("192.168.1.20:37045", "123456") == "adb-R5CT10-aBc123"
    assert calls(program) == ["version", "pair 192.168.1.20:37045"]
    assert (tmp_path / "code").read_text(encoding="utf-8") == "123456\n"


def test_the_command_reads_the_code_from_a_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`echo CODE | harness pair` pairs and says what to measure with."""
    monkeypatch.setenv("ADB", str(make_adb_double(tmp_path, otherwise=PAIRS)))
    monkeypatch.setattr("sys.stdin", io.StringIO("654321\n"))
    assert cli.main(["pair", "192.168.1.20:37045"]) == 0
    out, err = capsys.readouterr()
    assert out == "paired with 192.168.1.20:37045\n"
    assert "-d android:HOST:PORT" in err
    assert (tmp_path / "code").read_text(encoding="utf-8") == "654321\n"


def test_the_command_asks_on_a_terminal_without_echo(tmp_path: Path) -> None:
    """At a terminal the code is asked for, and what is typed is not shown."""
    program = make_adb_double(tmp_path, otherwise=PAIRS)
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "r+b", buffering=0) as terminal:
        process = subprocess.Popen(
            [sys.executable, "-m", "harness", "pair", "192.168.1.20:37045"],
            cwd=ROOT,
            env={**os.environ, "ADB": str(program)},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        shown = b""
        while b"shows: " not in shown:
            shown += terminal.read(1024)
        terminal.write(b"135790\n")
        assert process.wait(timeout=30) == 0
        shown += terminal.read(4096)
    assert b"paired with 192.168.1.20:37045" in shown
    assert b"135790" not in shown
    assert (tmp_path / "code").read_text(encoding="utf-8") == "135790\n"


@pytest.mark.parametrize(
    ("address", "code", "words"),
    [
        ("192.168.1.20", "123456", "'192.168.1.20' is not HOST:PORT"),
        ("-x:5", "123456", "is not HOST:PORT"),
        ("192.168.1.20:37045", "", "the 6 digits that the phone shows"),
        ("192.168.1.20:37045", "12345x", "the 6 digits that the phone shows"),
        ("192.168.1.20:37045", "123456:evil:1", "the 6 digits that the phone shows"),
    ],
)
def test_bad_words_never_reach_adb(address: str, code: str, words: str) -> None:
    """An address or a code that can be none is bad usage."""
    with pytest.raises(UsageError, match=words):
        pair(address, code)


def test_nothing_listens(adb_environment: AdbServer, listener: socket.socket) -> None:
    """The real adb at a closed port: the sentence says that the port changes."""
    address = find_address(listener)
    listener.close()
    with pytest.raises(DeviceError, match=f"nothing listens at {address}; open the phone's dialog"):
        pair(address, "123456")


def test_a_code_that_is_not_accepted(adb_environment: AdbServer, listener: socket.socket) -> None:
    """The real adb at something that answers and hangs up, as a phone does on a wrong code."""

    def hang_up() -> None:
        while True:
            try:
                listener.accept()[0].close()
            except OSError:
                return

    threading.Thread(target=hang_up, daemon=True).start()
    with pytest.raises(DeviceError, match=f"{find_address(listener)} answers but did not accept the code"):
        pair(find_address(listener), "123456")


def test_a_phone_that_never_answers(adb_environment: AdbServer, listener: socket.socket) -> None:
    """The real adb at something that accepts and is silent is given up at the limit."""
    with pytest.raises(DeviceError, match=r"did not finish pairing within 2 s; check that it is the address"):
        pair(find_address(listener), "123456", timeout_s=2.0)


def test_a_name_that_is_none(adb_environment: AdbServer) -> None:
    """The real adb with a name that no network knows."""
    with pytest.raises(DeviceError, match=r"no-such-phone\.invalid:5 names no computer of this network"):
        pair("no-such-phone.invalid:5", "123456")


def test_an_adb_that_cannot_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """platform-tools 29 measures but does not pair: the sentence names the release that does."""
    old = NOW.replace("36.0.0-13206524", "29.0.6-debian")
    monkeypatch.setenv(
        "ADB", str(make_adb_double(tmp_path, old, otherwise="echo 'adb: unknown command pair' >&2; exit 1"))
    )
    with pytest.raises(MissingToolError, match=r"29\.0\.6-debian\), which cannot pair: platform-tools 30 is needed"):
        pair("192.168.1.20:37045", "123456")


def test_a_phone_is_connected_when_its_address_is_asked_for(adb_environment: AdbServer, tmp_path: Path) -> None:
    """`-d android:HOST:PORT` connects to a phone that adb does not know yet, and again after the connection was dropped."""
    with EmulatedPhone(tmp_path / "phone", PIXEL) as phone:
        for _ in range(2):
            with open_device(f"android:{phone.address}") as device:
                assert device.info.id == phone.serial
            adb_environment.disconnect(phone.address)


def test_an_address_without_a_phone(adb_environment: AdbServer, listener: socket.socket) -> None:
    """The reason that adb gives is in the sentence, with where the right address is found."""
    address = find_address(listener)
    listener.close()
    with pytest.raises(
        DeviceLost, match=rf"{address} cannot be connected \(Connection refused\); switch on 'Wireless deb"
    ):
        open_device(f"android:{address}")


def test_a_serial_is_never_connected_to(adb_environment: AdbServer) -> None:
    """What is no address is only looked up."""
    assert find_reachable("R5CT10XYZ") == find_reachable(None) == []
