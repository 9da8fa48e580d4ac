"""iPhones and simulators as devices, played: what is listed, what is sent, what comes back, and what is never compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.bundle import Bundle
from harness.analysis.comparison import explain_incomparable
from harness.cli import main
from harness.devices import find_devices
from harness.devices import open_device as opened_device
from harness.devices.ios import app as ios_app
from harness.devices.ios.device import open_device
from harness.devices.ios.pymobile import list_connected
from harness.devices.ios.simulator import LABEL, find_last_message
from harness.devices.ios.xcrun import describe, give_advice
from harness.errors import DeviceError, MissingToolError, UsageError
from harness.protocol import Protocol
from harness.records.run import read_jsonl
from harness.session.session import run_session
from tests.harness.devices.ios_standin import DEVICE, IDENTIFIER, UDID, play
from tests.harness.devices.test_ios_faults import measure
from tests.ios.bundles import make_coreml_bundle


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return make_coreml_bundle()


def listed(kind: str) -> list[tuple[str, str]]:
    return [(found.id, found.state) for found in find_devices() if found.kind == kind]


def test_simulators_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """iOS simulators with their label, unavailable ones with the reason, and no Apple TV."""
    play(tmp_path, monkeypatch, "xcrun")
    assert listed("ios-simulator") == [
        (UDID, "ready"),
        ("00000000-0000-4000-8000-000000000001", 'runtime profile not found using "System" match policy'),
    ]
    assert all(LABEL in found.description for found in find_devices() if found.kind == "ios-simulator")


def test_phones_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By devicectl where Xcode is, with the reason why one cannot be used."""
    standin = play(tmp_path, monkeypatch, "xcrun")
    assert listed("ios") == [(DEVICE, "ready")]
    standin.fault("unpaired")
    assert "accept 'Trust This Computer?'" in listed("ios")[0][1]


def test_without_any_tool_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither Xcode nor pymobiledevice3: the list names both ways, opening is a missing tool."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert "pipx install pymobiledevice3" in listed("ios")[0][1]
    assert "install Xcode" in listed("ios-simulator")[0][1]
    with pytest.raises(MissingToolError, match="pipx install pymobiledevice3"):
        open_device(None)


@pytest.mark.parametrize(
    ("program", "device"),
    [("xcrun", f"ios-simulator:{UDID}"), ("xcrun", "ios:Phone of the lab"), ("pymobiledevice3", "ios")],
)
def test_measures(program: str, device: str, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variant gives a record with the app's times, its golden checked here, and the device's data."""
    standin = play(tmp_path, monkeypatch, program)
    for measured in measure(bundle, device):
        assert measured.mode == "app"
        assert measured.compile_ns is not None
        assert measured.compile_ns.value == 81_000_000
        assert [entry.device for entry in measured.op_devices] == ["neural engine"]
        assert len(measured.latency_ns) == 30
        assert set(measured.outputs) == {"out"}
    documents = tmp_path / "containers" / IDENTIFIER / "Documents"
    left = sorted(path.name for path in documents.iterdir())
    if "xcrun" in program and "simulator" not in device:
        assert any(name.startswith("bundle-") for name in left)  # devicectl can remove nothing
    else:
        assert left == []
    assert standin.calls


def test_the_bundle_is_pushed_once(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session with several variants copies the bundle to a phone once."""
    standin = play(tmp_path, monkeypatch, "xcrun")
    measure(bundle, f"ios:{DEVICE}")
    assert [call[1:4] for call in standin.calls].count(["device", "copy", "to"]) == 1


def test_a_simulator_is_never_compared_with_a_device(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its label is the reason, whatever else differs; two runs of one simulator may be compared."""
    play(tmp_path, monkeypatch, "xcrun")
    store = tmp_path / "runs.jsonl"
    assert (
        main(["run", str(bundle.root), "-d", f"ios-simulator:{UDID}", "-d", f"ios:{DEVICE}", "-o", str(store), "-q"])
        == 0
    )
    runs = list(read_jsonl(store))
    simulated = next(run for run in runs if run.device.kind == "ios-simulator")
    real = next(run for run in runs if run.device.kind == "ios")
    assert (simulated.simulated, real.simulated) == (LABEL, None)
    for first, second in ((simulated, real), (real, simulated)):
        told = [run.simulated or "none" for run in (first, second)]
        assert explain_incomparable(first, second) == f"different simulation: {told[0]} and {told[1]}"
    assert explain_incomparable(simulated, simulated) is None


def test_a_condition_is_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thermal condition that was induced is taken away, even when the work under it fails."""
    standin = play(tmp_path, monkeypatch, "pymobiledevice3")

    def work() -> None:
        with list_connected()[0].condition("ThermalSerious"):
            assert '"condition": "ThermalSerious"' in (standin.folder / "state.json").read_text()
            raise ValueError("the work broke")

    with pytest.raises(ValueError, match="the work broke"):
        work()
    assert '"condition": null' in (standin.folder / "state.json").read_text()


def test_a_condition_is_induced_for_a_session(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By an environment variable, where the developer service can be reached; the phone is left as it was."""
    standin = play(tmp_path / "phone", monkeypatch, "pymobiledevice3")
    monkeypatch.setenv("EDGEBUNDLE_IOS_CONDITION", "ThermalSerious")
    with open_device(None):
        assert '"condition": "ThermalSerious"' in (standin.folder / "state.json").read_text()
    assert '"condition": null' in (standin.folder / "state.json").read_text()
    play(tmp_path / "mac", monkeypatch, "xcrun")
    with pytest.raises(UsageError, match="only pymobiledevice3 can induce"), open_device(DEVICE):
        pass


def test_battery_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pymobiledevice3 tells percent, charging and the battery's temperature."""
    play(tmp_path, monkeypatch, "pymobiledevice3")
    percent, charging, temperature = list_connected()[0].battery()
    assert (percent.value, charging.value, temperature.value) == (83, "charging", 30.8)


def test_bad_apps_are_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An app that does not exist or has no Info.plist, and an .ipa for a simulator, are the user's errors."""
    play(tmp_path, monkeypatch, "xcrun")
    monkeypatch.setenv("EDGEBUNDLE_IOS_APP", str(tmp_path / "absent.app"))
    with pytest.raises(UsageError, match="does not exist"):
        open_device(None)
    (tmp_path / "empty.app").mkdir()
    monkeypatch.setenv("EDGEBUNDLE_IOS_APP", str(tmp_path / "empty.app"))
    with pytest.raises(UsageError, match=r"no readable Info\.plist"):
        open_device(None)


def test_other_backends_are_left_out(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A TFLite variant is skipped with its reason."""
    play(tmp_path, monkeypatch, "xcrun")
    variant = bundle.manifest.variants[0].model_copy(update={"backend": "tflite"})
    assert open_device(DEVICE).find_unsupported(variant) == "the iOS app runs Core ML, not tflite"
    with pytest.raises(DeviceError, match="is not connected"):
        open_device("nobody's phone")


def test_messages_become_reasons() -> None:
    """Known messages become a reason with a cure, others stay as they are on one line; nested errors are read whole."""
    assert "unlock it" in give_advice("... because the device was not, or could not be, unlocked.")
    assert give_advice("something\nelse.") == "something else"
    assert give_advice("") == "it said nothing"
    assert describe({"a": {"b": ["x", {"c": "y"}]}, "n": 3}) == "x y"
    assert find_last_message('Filtering\n{"eventMessage": "one"}\n{"eventMessage": "the last"}') == "the last"


@pytest.mark.parametrize(
    ("program", "device"), [("xcrun", f"ios-simulator:{UDID}"), ("xcrun", f"ios:{DEVICE}"), ("pymobiledevice3", "ios")]
)
def test_a_hot_phone_is_waited_for(program: str, device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app is asked for the thermal state whenever it is looked at, so that a phone that cools down is seen to."""
    play(tmp_path, monkeypatch, program).fault("hot")
    monkeypatch.setattr(ios_app, "FRESH_S", 0.0)
    (tmp_path / "containers" / IDENTIFIER / "Documents").mkdir(parents=True)
    with opened_device(device) as phone:
        assert [phone.conditions().thermal_status.value for _ in range(3)] == [2, 2, 0]


@pytest.mark.parametrize("fault", ["state-missing", "state-truncated"])
def test_a_state_that_is_not_told_has_a_reason(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An app that does not tell its state is no failure yet: the state is null with the reason."""
    play(tmp_path, monkeypatch, "xcrun").fault(fault)
    with opened_device(f"ios:{DEVICE}") as phone:
        state = phone.conditions()
    assert state.thermal_status.value is None
    assert state.thermal_status.reason


def test_lasting_load_is_one_run_of_the_app(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A protocol with a duration makes the app run for that long, and the record has as many inferences as fit."""
    standin = play(tmp_path, monkeypatch, "xcrun")
    protocol = Protocol(name="sustained", warmup=5, runs=30, duration_s=8, timeout_s=60)
    result = run_session(bundle, [f"ios:{DEVICE}"], protocol, None)
    assert [len(run.latency_ns) for run in result.runs] == [2000, 2000]
    asked = [call for call in standin.calls if "-edgebundle-seconds" in call]
    assert [call[call.index("-edgebundle-seconds") + 1] for call in asked] == ["8", "8"]


def test_compiling_is_told_though_it_happens_once(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pass that reads memory compiles the model; the timed pass after it finds it compiled and still has the time."""
    play(tmp_path, monkeypatch, "xcrun").fault("compiled-once")
    protocol = Protocol(name="careful", warmup=2, runs=10, timeout_s=60)
    result = run_session(bundle, [f"ios:{DEVICE}"], protocol, None)
    assert [run.compile_ns.value for run in result.runs if run.compile_ns] == [81_000_000, 81_000_000]
