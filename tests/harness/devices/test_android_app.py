"""App mode: the APK that the builder makes, installed and started over the real adb on the emulated phone."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.mode_parity import compare_modes
from harness.analysis.processor_use import load_beside
from harness.analysis.verdict import judge
from harness.devices.android import app as android_app
from harness.protocol import Protocol
from harness.records.store import open_store
from harness.session.outcome import SessionResult
from harness.session.session import open_bundle_or_package, run_session
from tests.emulated_phone import EmulatedPhone
from tests.harness.devices.fault_kinds import make_app, watched

FEW = Protocol(name="few", warmup=1, runs=20, threads=1, timeout_s=20)
NAME = "org.example.small"


@pytest.fixture(scope="module")
def apk(small_bundle: Path) -> Path:
    return make_app(small_bundle)


@pytest.fixture
def app_phone(phone: EmulatedPhone, apk: Path, monkeypatch: pytest.MonkeyPatch) -> EmulatedPhone:
    monkeypatch.setenv(android_app.APP, str(apk))
    return phone


def session(phone: EmulatedPhone, bundle: Path, *kinds: str) -> SessionResult:
    with open_bundle_or_package(bundle) as opened:
        return run_session(opened, [f"{kind}:{phone.address}" for kind in kinds], FEW, None)


def failures(result: SessionResult) -> list[str]:
    return [entry.reason for entry in result.skipped if entry.failed]


def test_the_app_measures_and_its_record_is_fetched(app_phone: EmulatedPhone, small_bundle: Path) -> None:
    """Installed once, started by an intent, waited for in one call; the record is that of this run, and nothing is left but the app."""
    first, second = (session(app_phone, small_bundle, "android-app") for _ in range(2))
    for result in (first, second):
        assert failures(result) == []
        (run,) = (entry for entry in result.runs if entry.backend == "tflite")
        assert (run.mode, run.verdict.words, run.device.kind) == ("app", "ok", "android-app")
        assert run.golden is not None
        assert run.golden.passed
        assert len(run.latency_ns) + (run.warm_up or 0) >= FEW.runs
    assert app_phone.apps.installs == 1
    assert list((app_phone.root / "storage").rglob("*.jsonl")) == []


def test_headroom_and_counters_of_the_app_reach_the_record(app_phone: EmulatedPhone, small_bundle: Path) -> None:
    """What the app sampled of the thermal headroom, and what others used of the processors while it ran."""
    told = {"t_s": 1.2, "probe": "thermal_headroom", "value": 0.62, "unit": "headroom"}
    app_phone.apps.faults.edit = {"samples": [told]}
    result = session(app_phone, small_bundle, "android-app")
    run = next(entry for entry in result.runs if entry.backend == "tflite")
    assert [sample.model_dump() for sample in run.samples] == [told]
    assert run.processor_use is not None
    assert run.processor_use.own_s.value == 1.2
    assert load_beside(run).value == 15
    assert run.processor_use.time_in_state[0].seconds == (1.1, 0.9)


def test_both_modes_of_one_phone_in_one_session(app_phone: EmulatedPhone, small_bundle: Path) -> None:
    """One after the other on the same phone, both with their goldens reached; their records differ in nothing that forbids parity."""
    result = session(app_phone, small_bundle, "android", "android-app")
    assert failures(result) == []
    found = {(run.mode, run.variant) for run in result.runs}
    assert {("shell", "tflite-fp32"), ("app", "tflite-fp32")} <= found
    assert all(run.golden is not None and run.golden.passed for run in result.runs)
    steady = [judge(run.model_copy(update={"latency_ns": (5_000_000, 5_010_000) * 10})) for run in result.runs]
    (compared,) = compare_modes(steady)  # QEMU's time means nothing: latencies are set, all else is what the phone gave
    assert (compared.variant, compared.phone) == ("tflite-fp32", app_phone.serial)
    assert compared.outcome == "not precise enough"
    assert compared.why.startswith("the app takes +0.0% (-0.3% to +0.3%) from one run a mode")


def test_a_session_that_had_one_mode_goes_on_with_the_other(
    app_phone: EmulatedPhone, small_bundle: Path, tmp_path: Path
) -> None:
    """What was measured in shell mode does not stand for the app's runs when a session is resumed."""
    store = open_store(str(tmp_path / "runs.jsonl"), create=True)
    names = [f"{kind}:{app_phone.address}" for kind in ("android", "android-app")]
    with open_bundle_or_package(small_bundle) as opened:
        first = run_session(opened, names[:1], FEW, store)
        second = run_session(opened, names, FEW, store, resume=True)
        third = run_session(opened, names, FEW, store, resume=True)
    store.close()
    assert {run.mode for run in first.runs} == {"shell"}
    assert [(run.mode, run.variant) for run in second.runs] == [("app", "tflite-fp32")]
    assert third.runs == ()


def test_a_phone_is_ready_for_an_app_when_one_is_named(
    app_phone: EmulatedPhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`harness devices` says what is missing, and a worker offers only what it could measure."""
    assert {found.id: found.state for found in android_app.find()}[app_phone.address] == "ready"
    monkeypatch.delenv(android_app.APP)
    states = {found.id: found.state for found in android_app.find()}
    assert states[app_phone.address] == f"needs ${android_app.APP}, the .apk to measure by"


def test_a_clock_that_was_set_back_brings_no_earlier_answer(app_phone: EmulatedPhone, small_bundle: Path) -> None:
    """The log then begins again with lines of earlier runs, whose time is yet to come: none is taken for this run's, and this run's is found."""
    first = session(app_phone, small_bundle, "android-app")
    app_phone.faults.clock_ahead_s = -5 * 3600
    second = session(app_phone, small_bundle, "android-app")
    assert failures(first) == failures(second) == []
    assert [run.variant for run in second.runs] == ["tflite-fp32"]
    assert all(a != b for a, b in zip(first.runs[0].latency_ns, second.runs[0].latency_ns, strict=False))


def test_an_app_that_says_nothing_is_stopped_at_its_limit(app_phone: EmulatedPhone, small_bundle: Path) -> None:
    """Without a line and without a record the variant is given up with the limit; nothing is waited for beyond it."""
    app_phone.faults.hang_on = "am start"
    calls: list[str] = []
    brief = FEW.model_copy(update={"timeout_s": 1.0})
    with (
        open_bundle_or_package(small_bundle) as opened,
        watched(lambda number, words: calls.append(words), lambda: None),
    ):
        result = run_session(opened, [f"android-app:{app_phone.address}"], brief, None)
    assert result.runs == ()
    assert "did not measure with the app within 1 s" in failures(result)[0]
    assert any(f"am force-stop {NAME}" in words for words in calls if "am start" not in words)


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ("INSTALL_FAILED_INSUFFICIENT_STORAGE", "its storage is full; free space on it"),
        ("INSTALL_FAILED_USER_RESTRICTED", "allow it in the developer options"),
        ("INSTALL_FAILED_NO_MATCHING_ABIS", "no library for its processor"),
        ("INSTALL_PARSE_FAILED_NO_CERTIFICATES", "INSTALL_PARSE_FAILED_NO_CERTIFICATES"),
    ],
)
def test_a_phone_that_refuses_the_app(app_phone: EmulatedPhone, small_bundle: Path, refusal: str, words: str) -> None:
    """The reason and what to do are told; no run is recorded."""
    app_phone.apps.faults.refuse = refusal
    result = session(app_phone, small_bundle, "android-app")
    assert result.runs == ()
    assert words in failures(result)[0]


def test_an_app_of_another_key_is_replaced(app_phone: EmulatedPhone, small_bundle: Path, apk: Path) -> None:
    """It is uninstalled first: Android never installs over another signature."""
    place = app_phone.root / "data/app" / NAME / "base.apk"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"of somebody else")
    app_phone.apps.faults.refuse_once = "INSTALL_FAILED_UPDATE_INCOMPATIBLE"
    result = session(app_phone, small_bundle, "android-app")
    assert failures(result) == []
    assert place.read_bytes() == apk.read_bytes()


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ("exception", "died while it measured variant tflite-fp32"),
        ("died", "died while it measured variant tflite-fp32"),
        ("silent", "ended without a word"),
        ("error", "the model needs more memory than this phone has"),
    ],
)
def test_an_app_that_fails(app_phone: EmulatedPhone, small_bundle: Path, ends: str, words: str) -> None:
    """A crash, a kill by the system and the app's own error are told apart; the variant is given up with the reason."""
    app_phone.apps.faults.ends = ends
    result = session(app_phone, small_bundle, "android-app")
    assert result.runs == ()
    assert any(words in reason for reason in failures(result))


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ({"id": "another"}, "the record of another run"),
        ({"variant_sha256": "1" * 64}, "the record of another run"),
        ({"latency_ns": [5]}, "did 1 runs, not"),
        ({"latency_ns": [-5] * 30}, "damaged record"),
        ({"verdict": "invalid: the app was not in the foreground all the time"}, "not in the foreground"),
    ],
)
def test_a_record_that_is_not_this_run_is_refused(
    app_phone: EmulatedPhone, small_bundle: Path, edit: dict[str, object], words: str
) -> None:
    """Nothing is taken for a measurement that is not the one asked for."""
    app_phone.apps.faults.edit = edit
    result = session(app_phone, small_bundle, "android-app")
    assert result.runs == ()
    assert any(words in reason for reason in failures(result))


def test_an_app_must_be_named(
    phone: EmulatedPhone, small_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence names the variable and the command that makes the app."""
    from harness.errors import UsageError

    monkeypatch.delenv(android_app.APP, raising=False)
    with pytest.raises(UsageError, match=r"EDGEBUNDLE_ANDROID_APP .*builder package --target android"):
        session(phone, small_bundle, "android-app")
    monkeypatch.setenv(android_app.APP, str(tmp_path / "no.apk"))
    with pytest.raises(UsageError, match="does not exist"):
        session(phone, small_bundle, "android-app")
