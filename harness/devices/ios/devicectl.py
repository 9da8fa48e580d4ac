"""An iPhone over `xcrun devicectl` (Xcode 16 or newer). It may leave out any property, so every one may be missing."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import cast

from harness.devices.ios.xcrun import call, devicectl
from harness.errors import DeviceError
from harness.records.run import DeviceInfo, Reading, TextReading

# By what they move: a list, a question, an app, a bundle of hundreds of megabytes. What takes longer hangs.
LIST_S, QUICK_S, INSTALL_S, PUSH_S = 60.0, 60.0, 300.0, 600.0
NO_BATTERY = "devicectl does not tell the battery; the app's record does"


def list_connected() -> list[Devicectl]:
    """All iPhones and iPads that devicectl knows."""
    words = ["list", "devices", "--timeout", "5"]
    result = devicectl(words, device="devicectl", doing="list devices", timeout_s=LIST_S)
    entries = result.get("devices")
    if not isinstance(entries, list):
        raise DeviceError("devicectl's list has no devices in it; run 'xcrun devicectl list devices' to see it.")
    links = [Devicectl(entry) for entry in entries if isinstance(entry, dict)]
    return [link for link in links if link.platform in ("iOS", "iPadOS", "")]


class Devicectl:
    """One device by its identifier."""

    simulated: str | None = None

    def __init__(self, entry: dict[str, object]) -> None:
        self._id = str(entry.get("identifier", "unknown"))
        self._device, self._hardware, self._connection = (
            cast("dict[str, object]", entry.get(f"{name}Properties") or {})
            for name in ("device", "hardware", "connection")
        )
        self.name = str(self._device.get("name", self._id))
        self.platform = str(self._hardware.get("platform", ""))

    @property
    def description(self) -> str:
        model = self._hardware.get("marketingName") or self._hardware.get("productType") or "iPhone"
        return f"{model}, iOS {self._device.get('osVersionNumber', '?')} over devicectl"

    @property
    def problem(self) -> str | None:
        if self._connection.get("pairingState") not in (None, "paired"):
            return "it is not paired with this computer; connect it, unlock it and accept 'Trust This Computer?'"
        if self._device.get("developerModeStatus") not in (None, "enabled"):
            return "Developer Mode is off; switch it on in Settings > Privacy & Security and restart the device"
        if self._connection.get("tunnelState") == "unavailable":
            return "it is not connected; connect it by cable and unlock it"
        return None

    @property
    def info(self) -> DeviceInfo:
        return DeviceInfo(
            kind="ios",
            id=str(self._hardware.get("udid") or self._id),
            model=_text(self._hardware.get("productType"), "model"),
            soc=TextReading(reason="devicectl tells the instruction set of its chip only"),
            os=_text(f"iOS {version}" if (version := self._device.get("osVersionNumber")) else None, "system"),
            build=_text(self._device.get("osBuildUpdate"), "build"),
            abi=TextReading(value="arm64"),
        )

    def prepare(self) -> None:
        if self.problem is not None:
            raise DeviceError(f"{self.info.id} cannot be used: {self.problem}.")

    def install(self, app: Path) -> None:
        self._run(["device", "install", "app", app], "install the app", INSTALL_S)

    def push(self, folder: Path, name: str, identifier: str) -> None:
        self._run(
            ["device", "copy", "to", "--source", folder, "--destination", f"Documents/{name}", *_domain(identifier)],
            "take the bundle",
            PUSH_S,
        )

    def pull(self, name: str, target: Path, identifier: str) -> bool:
        with tempfile.TemporaryDirectory(prefix="edgebundle-pull-") as folder:
            local = Path(folder) / name
            words: list[str | Path] = [
                "device",
                "copy",
                "from",
                "--source",
                f"Documents/{name}",
                "--destination",
                local,
            ]
            try:
                self._run([*words, *_domain(identifier)], "give a file", PUSH_S)
            except DeviceError as error:
                if "no such file" in str(error).lower():
                    return False
                raise
            if not local.is_file():
                raise DeviceError(f"{self.info.id} gave no file {name} although it says so; run again.")
            shutil.copyfile(local, target)
        return True

    def remove(self, names: list[str], identifier: str) -> None:
        """devicectl can remove nothing: the app itself removes what it no longer needs when it is installed anew."""

    def launch(self, identifier: str, arguments: list[str], timeout_s: float) -> str:
        words = [
            "devicectl",
            "device",
            "process",
            "launch",
            "--console",
            "--terminate-existing",
            "-d",
            self._id,
            identifier,
        ]
        try:
            # after `--` nothing is taken for an option of devicectl, which has a short -e; the app passes over it
            said = call([*words, "--", *arguments], doing="run the app", timeout_s=timeout_s)
        except DeviceError:
            self._terminate(identifier)
            raise
        if said.status and "error" in said.stderr.lower():
            raise DeviceError(f"{self.info.id} could not launch the app: {said.reason}.")
        return said.stdout

    def explain(self, identifier: str) -> str:
        return ""

    def battery(self) -> tuple[Reading, TextReading, Reading]:
        return (
            Reading(unit="%", reason=NO_BATTERY),
            TextReading(reason=NO_BATTERY),
            Reading(unit="degC", reason=NO_BATTERY),
        )

    def _terminate(self, identifier: str) -> None:
        """End an app that runs too long: devicectl wants its process's number, which may be gone by then."""
        try:
            processes = self._run(["device", "info", "processes"], "list its processes", QUICK_S).get(
                "runningProcesses"
            )
            for entry in processes if isinstance(processes, list) else []:
                if isinstance(entry, dict) and "/Edgebundle.app/" in str(entry.get("executable", "")):
                    self._run(
                        ["device", "process", "terminate", "--pid", str(entry.get("processIdentifier"))],
                        "end the app",
                        QUICK_S,
                    )
        except DeviceError:
            return  # the time-out itself is what is reported

    def _run(self, words: list[str | Path], doing: str, timeout_s: float) -> dict[str, object]:
        return devicectl([*words, "-d", self._id], device=self.info.id, doing=doing, timeout_s=timeout_s)


def _domain(identifier: str) -> list[str | Path]:
    return ["--domain-type", "appDataContainer", "--domain-identifier", identifier, "--user", "mobile"]


def _text(value: object, what: str) -> TextReading:
    return TextReading(value=str(value)) if value else TextReading(reason=f"devicectl does not tell its {what}")
