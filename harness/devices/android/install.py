"""Installing the benchmark app: only when exactly this APK is not there, and each of Android's refusals as a sentence."""

from __future__ import annotations

import re
from pathlib import Path

from builder.bundle import hash_file
from harness.devices.android.adb import Adb, quote_words
from harness.errors import DeviceError, DeviceLost

PATH = re.compile(r"^package:(/\S+/base\.apk)\s*$", re.MULTILINE)
SHA = re.compile(r"^([0-9a-f]{64})  ", re.MULTILINE)
# android.content.pm.PackageManager INSTALL_FAILED_*: what is wrong and what to do
REFUSALS = {
    "INSUFFICIENT_STORAGE": "its storage is full; free space on it",
    "USER_RESTRICTED": "it does not allow installing over USB; allow it in the developer options ('Install via USB')",
    "VERIFICATION": "Play Protect refused the app; switch 'Verify apps over USB' off in the developer options",
    "NO_MATCHING_ABIS": "the app has no library for its processor; package it with the phone's ABI",
    "OLDER_SDK": "its Android is older than the app's min SDK",
    "VERSION_DOWNGRADE": "a newer version of the app is there; uninstall it",
    "ABORTED": "somebody refused on its screen; install again and accept",
}
# Another key signed what is there: it can only be replaced, and it is our benchmark app.
OTHER_KEY = ("UPDATE_INCOMPATIBLE", "SHARED_USER_INCOMPATIBLE", "VERSION_DOWNGRADE")


def install(adb: Adb, apk: Path, application: str) -> bool:
    """True when it had to be installed. Raises DeviceError with what to do, DeviceLost for a phone that went away."""
    if read_installed_sha256(adb, application) == hash_file(apk):
        return False
    said = adb.install(apk)
    if any(f"INSTALL_FAILED_{word}" in said for word in OTHER_KEY):
        adb.require_shell(f"pm uninstall {quote_words(application)}", doing="uninstall the app of another key")
        said = adb.install(apk)
    if refused := re.search(r"INSTALL_(?:FAILED|PARSE_FAILED)_(\w+)", said):
        reason = REFUSALS.get(refused.group(1), f"it refused the app ({refused.group(0)})")
        raise DeviceError(f"{adb.serial} did not take {apk.name}: {reason}.")
    if read_installed_sha256(adb, application) != hash_file(apk):
        raise DeviceLost(f"{adb.serial} holds another app than {apk.name} after installing it; run again.")
    return True


def read_installed_sha256(adb: Adb, application: str) -> str | None:
    """Hash of the installed APK, None when the app is not there."""
    path = PATH.search(adb.shell(f"pm path {quote_words(application)}", doing="tell where the app is").stdout)
    if path is None:
        return None
    printed = adb.shell(f"sha256sum {quote_words(path.group(1))}", doing="hash the installed app", timeout_s=60).stdout
    match = SHA.search(printed)
    return match.group(1) if match else None
