"""Which adb is used: missing, too old and foreign ones are told in one sentence, and so is a server of another version."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import cli
from harness.devices import open_device
from harness.devices.android import adb_program
from harness.devices.android import shell as android
from harness.devices.android.adb import Adb, list_devices
from harness.devices.android.adb_program import AdbVersion, find_adb, parse_version, read_version
from harness.errors import DeviceLost, MissingToolError
from tests.emulated_phone import AdbServer, EmulatedPhone
from tests.harness.devices.adb_doubles import NOW, calls, make_adb_double

OLD = (
    "Android Debug Bridge version 1.0.39\nVersion 1:8.1.0+r23-5\nInstalled as /usr/lib/android-sdk/platform-tools/adb\n"
)


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        (NOW, AdbVersion(protocol=41, release="36.0.0-13206524")),
        (NOW.replace("\n", "\r\n"), AdbVersion(protocol=41, release="36.0.0-13206524")),
        (OLD, AdbVersion(protocol=39, release="1:8.1.0+r23-5")),
        ("Android Debug Bridge version 1.0.32\nRevision 09a0d98bebce-android\n", AdbVersion(protocol=32, release=None)),
        ("* daemon not running\n" + NOW, AdbVersion(protocol=41, release="36.0.0-13206524")),
        ("Android Debug Bridge version next\n", None),
        ("Apple Desktop Bus tool 1.0.41\n", None),
        ("", None),
    ],
)
def test_versions_are_parsed(printed: str, version: AdbVersion | None) -> None:
    """The protocol's number and the release, of old and new ones; anything else is no adb's."""
    assert parse_version(printed) == version


@given(st.text())
def test_no_text_is_more_than_no_version(text: str) -> None:
    """Whatever a program prints, the parser gives a version or None."""
    assert parse_version(text) is None or "Android Debug Bridge" in text


def test_the_real_adb_will_do() -> None:
    """The one that the tests run is a version that is accepted, and is read as what it is."""
    assert read_version(find_adb()).protocol >= adb_program.OLDEST


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (
            OLD,
            r"is adb 1\.0\.39 \(platform-tools 1:8\.1\.0\+r23-5\), too old: 1\.0\.41 \(platform-tools 29\) is needed, because .*server",
        ),
        ("GNU bash, version 5\n", r"is not adb: asked for its version it printed 'GNU bash, version 5'"),
        ("", r"is not adb: .* printed 'nothing'"),
    ],
)
def test_an_adb_that_will_not_do_is_a_missing_tool(
    version: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old and foreign programs are refused with the version that is needed, why, and the command that gives it."""
    monkeypatch.setenv("ADB", str(make_adb_double(tmp_path, version)))
    with pytest.raises(MissingToolError, match=words) as told:
        open_device("android:R5CT10")
    assert "pip install adbutils" in str(told.value)
    assert told.value.exit_code == 3
    assert str(told.value) in [found.state for found in android.find()]


def test_an_adb_that_fails_to_tell_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that cannot start on this computer is one sentence with what it said."""
    broken = tmp_path / "adb"
    broken.write_text("#!/bin/sh\necho 'exec format error' >&2\nexit 126\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("ADB", str(broken))
    with pytest.raises(MissingToolError, match=r"does not tell its version as adb does .*exec format error"):
        list_devices()


def test_the_version_is_asked_once_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listing devices again and again costs no further call."""
    program = make_adb_double(tmp_path, otherwise="echo 'List of devices attached'")
    monkeypatch.setenv("ADB", str(program))
    for _ in range(3):
        assert list_devices() == []
    assert calls(program).count("version") == 1


def test_too_old_on_the_path_ends_a_run_with_3(
    small_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`harness run` on a phone with an old adb on PATH: one sentence on stderr and exit code 3."""
    for name in ("ADB", "ANDROID_HOME"):
        monkeypatch.delenv(name, raising=False)
    make_adb_double(tmp_path / "bin", OLD)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    code = cli.main(["run", str(small_bundle), "-d", "android:R5CT10", "-o", str(tmp_path / "runs.sqlite")])
    told = capsys.readouterr().err
    assert code == 3
    assert "1.0.39" in told
    assert "1.0.41 (platform-tools 29) is needed" in told
    assert len(told.splitlines()) == 1


def test_a_server_of_another_version_that_adb_replaces_is_told(
    adb_environment: AdbServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The real client ends a server of another version; that is told with both versions and what to do."""
    adb_program._tell.cache_clear()
    adb_environment.replace_by_older()
    with caplog.at_level(logging.WARNING, logger="harness"):
        assert list_devices() == []
    (told,) = caplog.messages
    assert "1.0.31, this client is 1.0.41" in told
    assert "$ADB" in told


def test_the_command_tells_it_once_on_stderr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`harness devices` goes on and says it in one line, however often it happens; with -q it says nothing."""
    says = "echo \"adb server version (31) doesn't match this client (41); killing...\" >&2; echo 'List of devices attached'"
    monkeypatch.setenv("ADB", str(make_adb_double(tmp_path, otherwise=says)))
    for words, lines in ((["devices", "--json"], 1), (["devices", "--json", "-q"], 0)):
        adb_program._tell.cache_clear()
        assert cli.main(words) == 0
        told = capsys.readouterr().err.splitlines()
        assert len(told) == lines
        assert all(line.startswith("harness: note: the running adb server was of another version") for line in told)


def test_a_device_lost_with_its_server_is_told_why(phone: EmulatedPhone, adb_environment: AdbServer) -> None:
    """A call that fails because another adb took the server over names that as the reason."""
    device = Adb(phone.address)
    adb_environment.replace_by_older()
    with pytest.raises(
        DeviceLost, match="an adb server of another version had taken over; let all programs use one adb"
    ):
        device.shell("true", doing="answer")
