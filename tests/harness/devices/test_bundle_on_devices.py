"""A whole bundle through a session on the emulated processor and the emulated phone: goldens, verdicts, refusals."""

from __future__ import annotations

from pathlib import Path

from harness.protocol import Protocol
from harness.session.session import open_bundle_or_package, run_session
from tests.emulated_phone import EmulatedPhone

FEW = Protocol(name="few", warmup=1, runs=3, threads=2, timeout_s=120)


def test_a_bundle_on_arm64_and_on_a_phone(small_bundle: Path, phone: EmulatedPhone) -> None:
    """Every variant that can run is measured with its golden passed, the Core ML one is skipped with the reason, nothing fails."""
    devices = ["arm64", f"android:{phone.address}"]
    with open_bundle_or_package(small_bundle) as bundle:
        result = run_session(bundle, devices, FEW, None)
    measured = {(run.device.kind, run.backend): run for run in result.runs}
    assert set(measured) == {(kind, backend) for kind in ("arm64", "android") for backend in ("tflite", "executorch")}
    for run in result.runs:
        assert run.golden is not None
        assert run.golden.passed, run.golden
        assert run.delegate_executed.value == "xnnpack"
        assert run.simulated is not None
    for backend in ("tflite", "executorch"):
        counted = measured["arm64", backend]
        assert (counted.verdict.words, counted.metric, counted.latency_ns) == ("ok", "instructions", ())
        assert counted.instructions.value is not None
        assert counted.instructions.value > 10_000
        timed = measured["android", backend]
        assert (timed.metric, timed.mode) == ("latency", "shell")
        assert len(timed.latency_ns) + (timed.warm_up or 0) >= timed.protocol.warmup + timed.protocol.runs
    assert all(not skipped.failed and "macOS" in skipped.reason for skipped in result.skipped)
    assert phone.files == []
