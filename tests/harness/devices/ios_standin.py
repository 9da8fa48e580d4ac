"""The played `xcrun` and `pymobiledevice3` on PATH, with a state of their own and short time limits."""

from __future__ import annotations

import json
import plistlib
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.devices.ios import devicectl as ios_devicectl
from harness.devices.ios import pymobile as ios_pymobile
from harness.devices.ios import simulator as ios_simulator

STANDIN = Path(__file__).resolve().parents[2] / "ios" / "standin"
UDID = "569C0F94-5D53-40D2-AF8F-F4AA5BAA7D5E"
DEVICE = "00008130-0006284C3E40001C"
IDENTIFIER = "org.edgebundle.benchmark"
HANG_S = 1.5  # the limit of calls that are played to hang; others end long before


@dataclass(frozen=True, kw_only=True)
class StandIn:
    folder: Path

    def fault(self, name: str) -> None:
        """Switch one fault on."""
        (self.folder / "state.json").write_text(json.dumps({"fault": name, "counts": {}}))

    @property
    def calls(self) -> list[list[str]]:
        lines = (self.folder / "calls.jsonl").read_text().splitlines()
        return [json.loads(line)[1:] for line in lines]


def play(folder: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> StandIn:
    """Put one of the played programs alone on PATH, and an app to install into the environment."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / program).symlink_to(STANDIN / program)
    app = folder / "an app" / "Edgebundle.app"
    app.mkdir(parents=True)
    (app / "Info.plist").write_bytes(plistlib.dumps({"CFBundleIdentifier": IDENTIFIER}))
    python = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{python}:/usr/bin:/bin")
    monkeypatch.setenv("EDGEBUNDLE_STANDIN", str(folder))
    monkeypatch.setenv("EDGEBUNDLE_IOS_APP", str(app))
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(folder / "cache"))
    monkeypatch.setattr(ios_simulator, "PAUSE_S", 0.01)
    monkeypatch.setattr(ios_simulator, "SHUTDOWN_S", 3.0)
    monkeypatch.setattr(ios_simulator, "RACE_S", 5.0)
    monkeypatch.setattr(ios_pymobile, "POLL_S", 0.01)
    return StandIn(folder=folder)


def shorten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time limits of a test in which something hangs."""
    for module in (ios_simulator, ios_devicectl, ios_pymobile):
        for name in ("LIST_S", "INSTALL_S", "BOOT_S", "PUSH_S"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, HANG_S)
