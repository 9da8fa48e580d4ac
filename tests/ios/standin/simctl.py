"""`xcrun simctl`, played."""

from __future__ import annotations

import json
import os
import plistlib
import shutil
import sys
import time
from pathlib import Path

from played_app import play
from state import UDID, State, hang, unknown

SIM, POSIX = "com.apple.CoreSimulator.SimError", "NSPOSIXErrorDomain"


def die(domain: str, code: int, *lines: str, status: int | None = None) -> None:
    print(
        f"An error was encountered processing the command (domain={domain}, code={code}):",
        *lines,
        sep="\n",
        file=sys.stderr,
    )
    sys.exit(code & 0xFF if status is None else status)


def simctl(state: State, words: list[str]) -> None:
    state.values.setdefault("simulator", "Shutdown")
    state.values.setdefault("apps", [])
    if words == ["list", "devices", "-j"]:
        listing(state)
    elif words[0] in ("bootstatus", "install", "get_app_container", "launch", "terminate", "spawn"):
        verb(state, words)
    else:
        unknown()


def listing(state: State) -> None:
    if state.fault("list-no-json"):
        print("== Devices ==")
        return
    if state.fault("list-service-down"):
        die(SIM, 410, "CoreSimulatorService connection became invalid.")
    if state.fault("list-hang"):
        hang()
    device = {
        "udid": UDID,
        "name": "iPhone 16",
        "isAvailable": True,
        "dataPath": "/Users/x/data",
        "state": state.values["simulator"],
    }
    if state.fault("shutting-down", times=4) or state.fault("shutting-down-forever"):
        device["state"] = "Shutting Down"
    broken = {
        "udid": "00000000-0000-4000-8000-000000000001",
        "name": "iPhone 15",
        "isAvailable": False,
        "state": "Shutdown",
        "availabilityError": 'runtime profile not found using "System" match policy',
    }
    runtimes = {
        "com.apple.CoreSimulator.SimRuntime.iOS-18-5": [device],
        "com.apple.CoreSimulator.SimRuntime.iOS-17-2": [broken],
        "com.apple.CoreSimulator.SimRuntime.tvOS-18-5": [dict(device, udid="TV", name="Apple TV")],
    }
    if state.fault("list-no-runtimes"):
        runtimes = {}
    if state.fault("device-gone") and state.values["counts"]["device-gone"] > 1:
        runtimes["com.apple.CoreSimulator.SimRuntime.iOS-18-5"] = []
    if state.fault("boot-slow") and state.values["counts"]["boot-slow"] > 6:
        state.values["simulator"] = device["state"] = "Booted"
        state.save()
    print(json.dumps({"devices": runtimes}, indent=2))


def verb(state: State, words: list[str]) -> None:
    name, rest = words[0], words[1:]
    if name == "launch":
        launch(state, rest)
        return
    if rest[0] != UDID or state.fault("unknown-device"):
        print(f"Invalid device: {rest[0]}", file=sys.stderr)
        sys.exit(148)
    if name == "bootstatus" and rest[1:] == ["-b"]:
        boot(state)
        return
    if state.values["simulator"] != "Booted":
        die(SIM, 405, f"Unable to {name} in current state: {state.values['simulator']}")
    if name == "spawn":
        spawn(state, rest[1:])
    elif name == "install":
        install(state, Path(rest[1]))
    elif name == "get_app_container" and rest[2:] == ["data"]:
        if rest[1] not in state.values["apps"] or state.fault("container-missing"):
            die(POSIX, 2, "The operation could not be completed. No such file or directory")
        print(state.documents(rest[1]).parent)
    elif name != "terminate":
        unknown()


def spawn(state: State, words: list[str]) -> None:
    if words[:5] == ["log", "stream", "--style", "ndjson", "--predicate"]:
        stream(state)
    elif words[:2] == ["log", "show"]:
        print('Filtering the log data using "messageType == fault"')
        print(json.dumps({"eventMessage": "what the archive says", "messageType": "Fault"}))
    else:
        unknown()


def stream(state: State) -> None:
    """What is written into the log from now on, until somebody ends this."""
    print('Filtering the log data using "messageType == fault"', flush=True)
    log, told = state.folder / "log.ndjson", 0
    while True:
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        for line in lines[told:]:
            print(line, flush=True)
        told = len(lines)
        time.sleep(0.01)


def boot(state: State) -> None:
    if state.fault("boot-fails"):
        die(POSIX, 60, "Unable to boot the Simulator.", "launchd failed to respond.", status=60)
    if state.fault("boot-hang"):
        hang()
    if state.fault("boot-slow"):
        die(SIM, 405, "Unable to boot device in current state: Booting")
    if state.fault("boot-race-lost"):
        die(SIM, 405, "Unable to boot device in current state: Creating")
    state.values["simulator"] = "Booted"
    state.save()
    if state.fault("boot-race"):
        die(SIM, 405, "Unable to boot device in current state: Booted")
    print("Device already booted, nothing to do.")


def install(state: State, app: Path) -> None:
    if state.fault("install-refused"):
        die("IXErrorDomain", 2, "Simulator device failed to install the application.", "Missing bundle ID.", status=22)
    if state.fault("install-disk-full"):
        die(POSIX, 28, "The operation could not be completed. No space left on device")
    if state.fault("install-hang"):
        hang()
    identifier = plistlib.loads((app / "Info.plist").read_bytes())["CFBundleIdentifier"]
    state.documents(identifier).mkdir(parents=True, exist_ok=True)
    if not state.fault("install-lost"):
        state.values["apps"].append(identifier)
        state.save()


def launch(state: State, rest: list[str]) -> None:
    if (
        rest[:3] != ["--console-pty", "--terminate-running-process", UDID]
        or os.environ.get("SIMCTL_CHILD_EDGEBUNDLE") != "1"
    ):
        unknown()
    identifier, arguments = rest[3], rest[4:]
    for code in (1, 4):
        if state.fault(f"launch-code-{code}"):
            domain = "FBSOpenApplicationServiceErrorDomain"
            die(
                domain,
                code,
                f"Simulator device failed to launch {identifier}.",
                f'The request to open "{identifier}" failed.',
            )
    if state.values["simulator"] != "Booted":
        die(SIM, 405, "Unable to launch in current state: Shutdown")
    if state.fault("app-hang"):
        hang()
    if state.fault("container-wiped"):
        shutil.rmtree(state.documents(identifier))
        state.documents(identifier).mkdir()
        return
    measuring = "-edgebundle-variant" in arguments
    spared = state.values["fault"].startswith("first:") and (
        not measuring or not state.fault(state.values["fault"], times=1)
    )
    fault = "" if spared else state.values["fault"].removeprefix("first:")
    print(f"{identifier}: 4001")
    if fault.startswith("app-crash"):
        with (state.folder / "log.ndjson").open("a", encoding="utf-8") as log:
            log.write(json.dumps({"eventMessage": "Fatal error: index out of range", "messageType": "Fault"}) + "\n")
        time.sleep(0.2)  # an app takes a moment to die
    print(play(state.documents(identifier), arguments, fault, simulator=True), end="")
    if fault == "app-crash-late":
        sys.exit(3)
