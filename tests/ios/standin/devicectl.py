"""`xcrun devicectl`, played."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from played_app import play
from state import DEVICE, State, hang, unknown

CORE = "com.apple.dt.CoreDeviceError"
IDENTIFIER = "5D3C1A5C-0B54-5A7E-9B5B-6F0A5E3E8C11"


def devicectl(state: State, words: list[str]) -> None:
    out = None
    if "--json-output" in words:
        at = words.index("--json-output")
        out = Path(words[at + 1])
        words = words[:at] + words[at + 2 :]
    if words == ["list", "devices", "--timeout", "5"]:
        if state.fault("devices-hang"):
            hang()
        answer(state, out, {"devices": [] if state.fault("no-devices") else [device(state)]})
    if words[:4] == ["device", "process", "launch", "--console"]:
        launch(state, words[4:])
    if "-d" not in words or words[words.index("-d") + 1] != IDENTIFIER:
        unknown()
    at = words.index("-d")
    on_device(state, out, words[:at] + words[at + 2 :])


def on_device(state: State, out: Path | None, words: list[str]) -> None:
    if words[:3] == ["device", "install", "app"]:
        install(state, out, Path(words[3]))
    if words[:3] in (["device", "copy", "to"], ["device", "copy", "from"]):
        copy(state, out, words[2], words[3:])
    if words == ["device", "info", "processes"]:
        path = "file:///private/var/containers/Bundle/Application/A/Edgebundle.app/Edgebundle"
        answer(
            state, out, {"runningProcesses": [{"executable": path, "processIdentifier": 812}, {"processIdentifier": 1}]}
        )
    if words == ["device", "process", "terminate", "--pid", "812"]:
        if state.fault("pid-gone"):
            fail(out, CORE, 3, "The operation could not be completed. No such process")
        answer(state, out, {"process": {}})
    unknown()


def device(state: State) -> dict[str, object]:
    if state.fault("sparse-properties"):
        return {"identifier": IDENTIFIER}
    return {
        "identifier": IDENTIFIER,
        "connectionProperties": {
            "pairingState": "unpaired" if state.fault("unpaired") else "paired",
            "tunnelState": "unavailable" if state.fault("unavailable") else "connected",
        },
        "deviceProperties": {
            "name": "Phone of the lab",
            "osVersionNumber": "18.5",
            "osBuildUpdate": "22F76",
            "developerModeStatus": "disabled" if state.fault("developer-mode-off") else "enabled",
        },
        "hardwareProperties": {
            "udid": DEVICE,
            "productType": "iPhone16,1",
            "marketingName": "iPhone 15 Pro",
            "platform": "iOS",
        },
    }


def answer(state: State, out: Path | None, result: dict[str, object]) -> None:
    text = json.dumps({"info": {"outcome": "success", "jsonVersion": 2, "version": "443.19"}, "result": result})
    print("Acquired tunnel connection to device.")
    if out is not None and not state.fault("json-missing"):
        out.write_text(text[: len(text) // 2] if state.fault("json-truncated") else text)
    sys.exit(0)


def fail(out: Path | None, domain: str, code: int, text: str) -> None:
    inner = {
        "error": {
            "domain": "NSPOSIXErrorDomain",
            "code": code,
            "userInfo": {"NSLocalizedDescription": {"string": text}},
        }
    }
    error = {"domain": domain, "code": code, "userInfo": {"NSUnderlyingError": inner}}
    if out is not None:
        out.write_text(json.dumps({"info": {"outcome": "failed"}, "error": error}))
    print(f"ERROR: {text} ({domain} error {code}.)", file=sys.stderr)
    sys.exit(1)


def install(state: State, out: Path | None, app: Path) -> None:
    import plistlib

    if state.fault("signature-refused"):
        fail(
            out,
            "com.apple.dt.MobileDeviceErrorDomain",
            12,
            "A valid provisioning profile for this executable was not found. ApplicationVerificationFailed",
        )
    if state.fault("device-full"):
        fail(out, CORE, 28, "No space left on device")
    if state.fault("device-install-hang"):
        hang()
    identifier = plistlib.loads((app / "Info.plist").read_bytes())["CFBundleIdentifier"]
    state.documents(identifier).mkdir(parents=True, exist_ok=True)
    answer(state, out, {"installedApplications": [{"bundleID": identifier}]})


def copy(state: State, out: Path | None, way: str, words: list[str]) -> None:
    given = dict(zip(words[::2], words[1::2], strict=True))
    if set(given) != {"--source", "--destination", "--domain-type", "--domain-identifier", "--user"}:
        unknown()
    container = state.documents(given["--domain-identifier"]).parent
    if not container.is_dir():
        fail(out, CORE, 7000, "The application is not installed")
    if state.fault(f"tunnel-lost-{way}"):
        fail(out, CORE, 1011, "The tunnel connection failed: the device disconnected")
    if way == "to":
        if state.fault("copy-hang"):
            hang()
        shutil.copytree(given["--source"], container / given["--destination"], dirs_exist_ok=True)
    else:
        source = container / given["--source"]
        if not source.is_file():
            fail(out, CORE, 2, "The file could not be opened because there is no such file.")
        if not state.fault("copy-lies"):
            shutil.copyfile(source, given["--destination"])
    answer(state, out, {"files": []})


def launch(state: State, words: list[str]) -> None:
    if words[:3] != ["--terminate-existing", "-d", IDENTIFIER] or words[4:5] != ["--"]:
        unknown()
    if state.fault("device-locked"):
        text = "The request was denied by service delegate for reason: Locked (Unable to launch because the device was not, or could not be, unlocked)."
        print(f"ERROR: {text}", file=sys.stderr)
        sys.exit(1)
    if state.fault("untrusted-developer"):
        print("ERROR: its profile has not been explicitly trusted by the user.", file=sys.stderr)
        sys.exit(1)
    if state.fault("device-app-hang") or state.values["fault"] == "pid-gone":
        hang()
    print("Launched application with org.edgebundle.benchmark bundle identifier.")
    print(play(state.documents(words[3]), words[5:], state.values["fault"], simulator=False), end="")
    sys.exit(0)
