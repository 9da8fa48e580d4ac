"""Apple's `xcrun` tools: every call has a time limit, and what they say becomes one sentence with a cure."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder import process
from harness.errors import DeviceError, MissingToolError

XCODE = "install Xcode from the App Store and run 'sudo xcode-select -s /Applications/Xcode.app' (macOS only)"
ERROR = re.compile(r"domain=(?P<domain>[\w.]+), code=(?P<code>\d+)")
# com.apple.CoreSimulator.SimError: the device is in another state than the command needs.
WRONG_STATE = 405

# what a tool's message holds -> what to do
ADVICE = (
    ("device is locked", "it is locked; unlock it and keep its screen on"),
    ("was not, or could not be, unlocked", "it is locked; unlock it and keep its screen on"),
    ("developer mode", "Developer Mode is off; switch it on in Settings > Privacy & Security and restart the device"),
    ("not paired", "it is not paired with this computer; connect it, unlock it and accept 'Trust This Computer?'"),
    ("pairing", "it is not paired with this computer; connect it, unlock it and accept 'Trust This Computer?'"),
    ("tunnel", "the tunnel to it was lost; connect it by cable and try again"),
    ("connection was interrupted", "the connection was lost; connect it by cable and try again"),
    (
        "connection became invalid",
        "the simulator service is not running; run 'sudo xcode-select -r' or restart the Mac",
    ),
    ("no space left", "its storage is full; free space on it"),
    ("could not be verified", "the app's signature is not accepted; sign it with a profile that names this device"),
    (
        "applicationverificationfailed",
        "the app's signature is not accepted; sign it with a profile that names this device",
    ),
    ("missing bundle id", "what was to be installed is no app; build it again"),
    (
        "has not been explicitly trusted",
        "its owner does not trust the developer; trust it in Settings > General > VPN & Device Management",
    ),
    ("license", "the Xcode licence is not accepted; run 'sudo xcodebuild -license'"),
    ("unable to find utility", f"Xcode's tools are missing; {XCODE}"),
    ("fbsopenapplicationserviceerrordomain, code=1", "the app is not installed there; set $EDGEBUNDLE_IOS_APP to it"),
    ("fbsopenapplicationserviceerrordomain, code=4", "the app is not installed there; set $EDGEBUNDLE_IOS_APP to it"),
    ("invalid device", "it does not exist any more; see 'harness devices'"),
    ("unable to locate device", "it is not connected; connect it and see 'harness devices'"),
    ("launchd failed to respond", "the simulator did not start; erase it in Xcode's Devices window or restart the Mac"),
)


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a tool printed, and its exit status."""

    stdout: str
    stderr: str
    status: int

    @property
    def code(self) -> int | None:
        """The number in `domain=..., code=N` of an error of simctl."""
        match = ERROR.search(self.stderr)
        return int(match["code"]) if match else None

    @property
    def reason(self) -> str:
        return give_advice(self.stderr or self.stdout)


def give_advice(said: str) -> str:
    """A tool's message as a reason with a cure, else the message itself on one line."""
    low = said.lower()
    for words, cure in ADVICE:
        if words in low:
            return cure
    return " ".join(said.split())[-300:].rstrip(".") or "it said nothing"


def find_xcrun() -> str:
    """Raises MissingToolError."""
    path = process.find("xcrun")
    if path is None:
        raise MissingToolError(f"xcrun is not here: {XCODE}.")
    return path


def call(words: Sequence[str | Path], *, doing: str, timeout_s: float, env: Mapping[str, str] | None = None) -> Said:
    """Run `xcrun WORDS`, whatever its status. Raises DeviceError for a time-out, MissingToolError."""
    try:
        done = process.run([find_xcrun(), *words], timeout_s=timeout_s, env=env, check=False)
    except process.ToolTimeout as error:
        raise DeviceError(
            f"xcrun could not {doing} within {timeout_s:g} s; look at the device's screen and try again."
        ) from error
    except process.ToolError as error:
        raise DeviceError(f"xcrun could not {doing} ({error}); check it with 'xcrun --version'.") from error
    return Said(stdout=done.stdout, stderr=done.stderr, status=done.returncode)


def devicectl(words: Sequence[str | Path], *, device: str, doing: str, timeout_s: float) -> dict[str, object]:
    """`result` of `xcrun devicectl WORDS`, from its JSON file: what it prints mixes text and JSON. Raises DeviceError."""
    with tempfile.TemporaryDirectory(prefix="edgebundle-devicectl-") as folder:
        file = Path(folder) / "out.json"
        said = call(["devicectl", *words, "--json-output", file], doing=doing, timeout_s=timeout_s)
        text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    try:
        raw = json.loads(text)
    except ValueError:
        raw = None
    if not isinstance(raw, dict):
        if said.status:
            raise DeviceError(f"{device} could not {doing}: {said.reason}.")
        raise DeviceError(
            f"devicectl left {'no' if not text else 'a damaged'} JSON file when it was to {doing}; try again."
        )
    if "error" in raw or said.status or not isinstance(raw.get("result"), dict):
        raise DeviceError(
            f"{device} could not {doing}: {give_advice(describe(raw.get('error')) or said.stderr or said.stdout)}."
        )
    result: dict[str, object] = raw["result"]
    return result


def describe(error: object) -> str:
    """All texts in devicectl's nested error, outermost first."""
    if isinstance(error, dict):
        return " ".join(filter(None, (describe(error[key]) for key in error)))
    if isinstance(error, list):
        return " ".join(filter(None, map(describe, error)))
    return error if isinstance(error, str) else ""
