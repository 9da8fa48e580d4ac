"""The host device: real runtimes in a child process, and what happens when one fails."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from builder.bundle import Bundle
from builder.bundle.tensors import measure_psnr_db, read_golden
from harness.devices import DEVICES, find_devices, open_device
from harness.devices.base import Device, Request
from harness.errors import DeviceError, UsageError
from tests.emulated_phone import AdbServer
from tests.harness.small_bundle import converted


@pytest.fixture
def host() -> Iterator[Device]:
    with open_device("host") as device:
        yield device


def make_request(root: Path, variant_id: str, **changes: object) -> Request:
    bundle = Bundle.open(root)
    golden, spec = bundle.manifest.goldens[0].inputs[0], bundle.manifest.inputs[0]
    variant = bundle.variant(variant_id)
    fields: dict[str, object] = {
        "artifact": bundle.path(variant.file),
        "variant": variant,
        "inputs": {"image": read_golden(root, golden, spec)},
        "threads": 1,
        "warmup": 2,
        "runs": 7,
        "timeout_s": 120.0,
        **changes,
    }
    return Request(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(("variant", "runtime"), [("tflite-fp32", "LiteRT"), ("executorch-fp32", "ExecuTorch")])
def test_both_runtimes_give_what_the_source_model_gives(
    host: Device, small_bundle: Path, variant: str, runtime: str
) -> None:
    """Outputs equal PyTorch's to at least 100 dB, XNNPACK executed, and every asked sample is there."""
    measured = host.measure(make_request(small_bundle, variant))
    assert measure_psnr_db(measured.outputs["stylized"], converted().output, 1.0) >= 100
    assert (measured.runtime, measured.delegate_executed.value) == (runtime, "xnnpack")
    assert len(measured.latency_ns) == 7
    assert all(value > 0 for value in measured.latency_ns)
    before = next(sample.value for sample in measured.samples if sample.probe == "memory_before_load")
    assert measured.peak_memory_bytes.value is not None
    assert 1e6 < before <= measured.peak_memory_bytes.value < 3e9
    assert measured.first_ns.value
    assert measured.load_ns.value
    assert measured.instructions.value is None


def test_conditions_have_a_value_or_a_reason(host: Device) -> None:
    """Whatever this computer cannot tell is null with the reason, never 0."""
    conditions = host.conditions()
    for reading in (
        conditions.temperature_c,
        conditions.thermal_status,
        conditions.battery_percent,
        *conditions.clocks_mhz,
    ):
        assert (reading.value is None) == bool(reading.reason)
    assert host.info.kind == "host"
    assert host.info.abi.value


def test_a_broken_artifact_is_one_sentence(host: Device, small_bundle: Path, tmp_path: Path) -> None:
    """A file that the runtime refuses gives a DeviceError with the runtime's own last line."""
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\0" * 64)
    with pytest.raises(DeviceError, match="could not run variant tflite-fp32"):
        host.measure(make_request(small_bundle, "tflite-fp32", artifact=broken))


def test_a_crash_of_the_runtime_is_one_sentence(
    host: Device, small_bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A runtime that dies of a signal ends the child only, and the signal is named."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", encoding="utf-8"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(DeviceError, match="crashed on variant tflite-fp32 \\(signal 11\\)"):
        host.measure(make_request(small_bundle, "tflite-fp32"))


def test_a_measurement_that_takes_too_long_is_ended(host: Device, small_bundle: Path) -> None:
    """The time limit kills the child and says so."""
    with pytest.raises(DeviceError, match=r"did not end within 0\.05 s"):
        host.measure(make_request(small_bundle, "tflite-fp32", timeout_s=0.05))


def test_an_artifact_that_is_not_what_the_manifest_says_is_one_sentence(host: Device, small_bundle: Path) -> None:
    """Outputs of another shape than the manifest's are refused with both shapes."""
    request = make_request(small_bundle, "tflite-fp32")
    output = request.variant.outputs[0].model_copy(update={"shape": (1, 3, 32, 32)})
    with pytest.raises(DeviceError, match=r"shape \(1, 3, 32, 32\); rebuild"):
        host.measure(dataclasses.replace(request, variant=request.variant.model_copy(update={"outputs": (output,)})))


def test_variants_that_cannot_run_here_have_a_reason(host: Device, small_bundle: Path) -> None:
    """Core ML and a GPU delegate are refused in half a sentence, before anything is started."""
    bundle = Bundle.open(small_bundle)
    assert "macOS" in (host.find_unsupported(bundle.variant("coreml-fp32")) or "")
    gpu = bundle.variant("tflite-fp32").model_copy(update={"delegate": "gpu"})
    assert "gpu delegate" in (host.find_unsupported(gpu) or "")
    assert host.find_unsupported(bundle.variant("tflite-fp32")) is None


def test_devices_are_found_with_their_state(adb_environment: AdbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kind says that it is ready, or what to do; without Apple's tools the iOS kinds name what to install."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    found = find_devices()
    assert {line.kind for line in found} == set(DEVICES)
    assert next(line for line in found if line.kind == "host").state == "ready"
    assert "install Xcode from the App Store" in next(line for line in found if line.kind == "ios-simulator").state
    assert "pipx install pymobiledevice3" in next(line for line in found if line.kind == "ios").state
    assert all(line.state for line in found)


def test_another_host_cannot_be_opened() -> None:
    """An id that is not this computer is bad usage."""
    with pytest.raises(UsageError, match="there is one host"):
        open_device("host:somewhere-else")


def test_nothing_but_the_model_is_inside_a_sample() -> None:
    """A timed sample of a model that does nothing is far below a millisecond: nothing is polled or stored inside."""
    from builder.backends.engine import Loaded
    from harness.devices.host.worker import measure

    calls: list[int] = []
    nothing = Loaded(
        delegate="cpu",
        load_ns=0,
        memory_before_bytes=0,
        invoke=lambda: calls.append(1),
        outputs=list,
    )
    first, latencies = measure(nothing, warmup=3, runs=200)
    assert len(calls) == 203
    assert np.median(latencies) < 20_000
    assert first >= 0
