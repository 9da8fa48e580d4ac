"""Every fault of Apple's tools, of a device and of the app ends in a record or in one sentence with exit code 6: none hangs or loses a run."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from builder import process
from builder.bundle import Bundle
from builder.bundle.tensors import read_golden
from harness.analysis.verdict import check_golden
from harness.cli import main
from harness.devices import open_device
from harness.devices.base import Measured, Request
from harness.errors import DeviceError
from tests.harness.devices.ios_standin import DEVICE, UDID, play, shorten
from tests.ios.bundles import make_coreml_bundle

LIMIT_S = 40.0  # of one faulty session on a busy machine; the limits inside are shortened to a second or two

# fault -> words of its sentence; None: the session succeeds in spite of it
SIMULATOR: dict[str, str | None] = {
    "no-such-tool": "Xcode's tools are missing",
    "licence": "xcodebuild -license",
    "list-no-json": "printed no list of simulators",
    "list-no-runtimes": "there is no simulator",
    "list-service-down": "simulator service is not running",
    "list-hang": "could not list simulators within",
    "shutting-down": None,
    "shutting-down-forever": "has been shutting down",
    "boot-race": None,
    "boot-slow": None,
    "boot-race-lost": "could not boot",
    "boot-fails": "did not start",
    "boot-hang": "could not boot within",
    "unknown-device": "does not exist any more",
    "device-gone": "does not exist any more",
    "install-refused": "is no app",
    "install-disk-full": "storage is full",
    "install-hang": "could not install the app within",
    "install-lost": "has no app",
    "container-missing": "has no app",
    "container-wiped": "ended without a record",
    "launch-code-1": "the app is not installed there",
    "launch-code-4": "the app is not installed there",
    "app-crash-at-launch": "ended without a record.*Fatal error: index out of range",
    "app-crash-late": "ended without a record",
    "app-hang": "could not run the app within",
    "app-error": "Core ML cannot load variant",
    "record-missing": "ended without a record",
    "record-truncated": "damaged record",
    "record-of-another-run": "record of another run",
    "record-fewer-runs": "did 29 runs, not 30",
    "record-unlabelled": "does not know that it runs on a simulator",
    "output-missing": "left no output 'out'",
    "output-truncated": "output 'out' of .* has 3071 values",
}
DEVICECTL: dict[str, str | None] = {
    "devices-hang": "could not list devices within",
    "no-devices": "is not connected",
    "sparse-properties": None,
    "unpaired": "not paired",
    "unavailable": "is not connected",
    "developer-mode-off": "Developer Mode is off",
    "json-missing": "left no JSON file",
    "json-truncated": "left a damaged JSON file",
    "signature-refused": "signature is not accepted",
    "device-full": "storage is full",
    "device-install-hang": "could not install the app within",
    "tunnel-lost-to": "tunnel to it was lost",
    "tunnel-lost-from": "tunnel to it was lost",
    "copy-hang": "could not take the bundle within",
    "copy-lies": "gave no file",
    "device-locked": "it is locked",
    "untrusted-developer": "does not trust the developer",
    "device-app-hang": "could not run the app within",
    "pid-gone": "could not run the app within",
    "app-crash-at-launch": "ended without a record",
    "record-truncated": "damaged record",
}
PYMOBILE: dict[str, str | None] = {
    "no-usbmuxd": "usbmuxd is not running",
    "no-devices": "is not connected",
    "list-no-json": "gave no JSON",
    "device-locked": "it is locked",
    "developer-mode-off": "Developer Mode is off",
    "copy-hang": "could not take the bundle",
    "connection-lost": "the tunnel to it was lost",
    "app-crash-at-launch": "gave no record within",
    "record-truncated": "damaged record",
}
HANGS = ("hang", "pid-gone")


@dataclass(frozen=True, kw_only=True)
class Case:
    program: str
    device: str
    fault: str
    words: str | None


CASES = [
    Case(program=program, device=device, fault=fault, words=words)
    for program, device, table in (
        ("xcrun", f"ios-simulator:{UDID}", SIMULATOR),
        ("xcrun", f"ios:{DEVICE}", DEVICECTL),
        ("pymobiledevice3", f"ios:{DEVICE}", PYMOBILE),
    )
    for fault, words in table.items()
]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """One variant of the bundle, so that a fault is met once."""
    whole = make_coreml_bundle()
    return Bundle(whole.root, whole.manifest.model_copy(update={"variants": whole.manifest.variants[:1]}))


def measure(bundle: Bundle, device_name: str, timeout_s: float = 60) -> list[Measured]:
    """All variants on a device, as a session asks for them."""
    golden = bundle.manifest.goldens[0]
    specs = {spec.name: spec for spec in bundle.manifest.inputs}
    with open_device(device_name) as device:
        return [
            device.measure(
                Request(
                    artifact=bundle.path(variant.file),
                    variant=variant,
                    inputs={t.name: read_golden(bundle.root, t, specs[t.name]) for t in golden.inputs},
                    threads=2,
                    warmup=5,
                    runs=30,
                    timeout_s=timeout_s,
                )
            )
            for variant in bundle.manifest.variants
        ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.device.partition(':')[0]}-{case.program}-{case.fault}")
def test_every_fault_ends_well(case: Case, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault ends in a record, or in a sentence with its cure and exit code 6, within its time limit."""
    standin = play(tmp_path, monkeypatch, case.program)
    standin.fault(case.fault)
    hangs = any(word in case.fault for word in HANGS) or (case.program, case.fault) == (
        "pymobiledevice3",
        "app-crash-at-launch",
    )
    if hangs:
        shorten(monkeypatch)
    device = case.device if case.fault != "sparse-properties" else "ios"
    start = time.monotonic()
    reason = ""
    assert DeviceError.exit_code == 6
    try:
        (measured,) = measure(bundle, device, timeout_s=2.0 if hangs else 60.0)
        assert check_golden(bundle, bundle.manifest.goldens[0], bundle.manifest.variants[0].id, measured.outputs)[0]
    except DeviceError as error:
        reason = str(error)
    assert time.monotonic() - start < LIMIT_S
    assert bool(reason) == (case.words is not None), reason
    assert re.search(case.words or "", reason), reason
    assert "stand-in" not in reason
    assert "\n" not in reason


def test_there_are_enough_faults() -> None:
    """At least thirty different faults are played."""
    assert len({(case.program, case.device, case.fault) for case in CASES}) >= 60
    assert len({case.fault for case in CASES}) >= 45


@pytest.mark.parametrize(("fault", "finite"), [("wrong-colours", True), ("not-finite", False)])
def test_bad_outputs_are_seen_here(
    fault: str, finite: bool, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong output is no fault of the device: it is measured, and the golden is checked here, whatever the app says."""
    play(tmp_path, monkeypatch, "xcrun").fault(fault)
    (measured,) = measure(bundle, f"ios:{DEVICE}")
    result, _ = check_golden(bundle, bundle.manifest.goldens[0], bundle.manifest.variants[0].id, measured.outputs)
    assert result is not None
    assert not result.passed
    assert (result.psnr_db > -200) == finite


def test_throttling_is_seen_here(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thermal states that the app noted during a run come back as samples."""
    play(tmp_path, monkeypatch, "xcrun").fault("throttled")
    (measured,) = measure(bundle, f"ios:{DEVICE}")
    assert [(s.probe, s.value, s.unit) for s in measured.samples] == [("thermal_status", 3, "status")]


def test_a_simulator_is_listened_to_while_the_app_runs(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is followed live: what the system says of a crash is known without asking for the archive, and nothing goes on listening."""
    standin = play(tmp_path, monkeypatch, "xcrun")
    standin.fault("app-crash-at-launch")
    with pytest.raises(DeviceError, match="Fatal error: index out of range"):
        measure(bundle, f"ios-simulator:{UDID}")
    calls = [json.loads(line) for line in (standin.folder / "calls.jsonl").read_text().splitlines()]
    assert [call[4:6] for call in calls if "log" in call] == [["log", "stream"]]
    listening = [
        line.info["cmdline"] for line in psutil.process_iter(["cmdline"]) if UDID in (line.info["cmdline"] or [])
    ]
    assert listening == []


def test_no_run_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the app dies on one variant, the other's record is in the store, and the command ends with 6."""
    whole = make_coreml_bundle()
    play(tmp_path, monkeypatch, "xcrun").fault("first:app-crash-late")
    store = tmp_path / "runs.jsonl"
    assert main(["run", str(whole.root), "-d", f"ios-simulator:{UDID}", "-o", str(store), "-q"]) == 6
    records = [json.loads(line) for line in store.read_text().splitlines()]
    assert len([record for record in records if record.get("metric") == "latency"]) >= 1


def test_unknown_calls_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-ins refuse what they do not know, so that a misspelt command cannot pass a test."""
    for program in ("xcrun", "pymobiledevice3"):
        play(tmp_path / program, monkeypatch, program)
        for words in (
            ["simctl", "erase", "all"],
            ["devicectl", "device", "reboot"],
            ["apps", "pussh", "x"],
            ["simctl", "list"],
        ):
            done = process.run([program, *words], timeout_s=20, check=False)
            assert (done.returncode, "knows no call" in done.stderr) == (99, True), words
