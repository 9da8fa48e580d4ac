"""The arm64 device against the same artifacts in the host's runtimes: parity, repeatable counts, never a latency."""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import get_args

import pytest

from harness.devices import open_device
from harness.devices.arm64 import device as arm64
from harness.devices.engines import find_program
from harness.devices.host import device as host
from harness.errors import DeviceError, MissingToolError, UsageError
from tests.harness.devices.conftest import make_request
from tests.small_models import Backend, SmallModels, measure_largest_error


@pytest.mark.parametrize("backend", get_args(Backend))
def test_parity_with_the_host(models: SmallModels, backend: Backend) -> None:
    """NEON kernels under QEMU give the host's fp32 outputs within 1e-5, and PyTorch's."""
    request = make_request(models, backend)
    with open_device("arm64") as device:
        emulated = device.measure(request)
    with host.open_device(None) as computer:
        native = computer.measure(request)
    assert measure_largest_error(emulated.outputs["stylized"], native.outputs["stylized"]) <= 1e-5
    assert measure_largest_error(emulated.outputs["stylized"], models.output) <= 1e-5
    assert emulated.delegate_executed.value == "xnnpack"
    assert (emulated.runtime, emulated.runtime_version) == (native.runtime, native.runtime_version)


@pytest.mark.parametrize("backend", get_args(Backend))
def test_counts_repeat(models: SmallModels, backend: Backend) -> None:
    """Two measurements count the same instructions per inference within 0.01 %, and more than the convolutions alone need."""
    with open_device("arm64") as device:
        first, second = (device.measure(make_request(models, backend)).instructions.value for _ in range(2))
    assert first is not None
    assert second is not None
    assert abs(first - second) <= 1e-4 * first
    macs = 64 * 64 * 9 * (3 * 8 + 8 * 8 + 8 * 3)
    assert first > macs / 4  # an instruction of NEON multiplies and adds at most 4 fp32 numbers


def test_nothing_is_a_latency(models: SmallModels) -> None:
    """Durations and memory under QEMU are null with the reason, and the label says what the numbers are."""
    with open_device("arm64") as device:
        measured, conditions = device.measure(make_request(models, "tflite")), device.conditions()
        assert device.metric == "instructions"
        assert device.simulated == "QEMU: instruction counts, not a latency"
    assert measured.latency_ns == ()
    for reading in (
        measured.load_ns,
        measured.first_ns,
        measured.peak_memory_bytes,
        conditions.temperature_c,
        *conditions.clocks_mhz,
    ):
        assert reading.value is None
        assert reading.reason


@pytest.mark.parametrize("damage", ["cut", "noise", "empty"])
@pytest.mark.parametrize("backend", get_args(Backend))
def test_a_damaged_model_is_one_sentence(models: SmallModels, backend: Backend, damage: str, tmp_path: Path) -> None:
    """A model that the runtime cannot read, or that crashes it, is a DeviceError that names what to check."""
    whole = models.file(backend).read_bytes()
    data = {"cut": whole[: len(whole) // 2], "noise": bytes(range(256)) * 20, "empty": b""}[damage]
    (tmp_path / "damaged").write_bytes(data)
    with open_device("arm64") as device, pytest.raises(DeviceError, match=r"arm64 says: .+; check the artifact"):
        device.measure(replace(make_request(models, backend), artifact=tmp_path / "damaged"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged"]


def test_core_ml_is_refused(models: SmallModels) -> None:
    """A Core ML variant and a GPU delegate are refused with the reason, before anything runs."""
    variant = models.variant("tflite")
    with open_device("arm64") as device:
        assert "macOS" in str(device.find_unsupported(variant.model_copy(update={"backend": "coreml"})))
        assert "gpu" in str(device.find_unsupported(variant.model_copy(update={"delegate": "gpu"})))
        assert device.find_unsupported(variant) is None


def test_more_threads_are_refused(models: SmallModels) -> None:
    """Counting is exact on one thread only, so more are an error of usage."""
    with open_device("arm64") as device, pytest.raises(UsageError, match="one thread"):
        device.measure(replace(make_request(models, "tflite"), threads=2))


def test_a_run_that_takes_too_long_is_ended(models: SmallModels) -> None:
    """The request's time limit ends QEMU with a DeviceError."""
    with open_device("arm64") as device, pytest.raises(DeviceError, match=r"did not end within 0\.5 s"):
        device.measure(make_request(models, "tflite", runs=1_000_000, timeout_s=0.5))


def test_a_missing_qemu_names_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without QEMU the device is listed with the command that adds it, and opening it is a MissingToolError with the same."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install qemu-user" in arm64.find()[0].state
    with pytest.raises(MissingToolError, match="apt-get install qemu-user"):
        open_device("arm64")


def test_a_missing_compiler_names_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, models: SmallModels
) -> None:
    """Without the cross compiler and with an empty cache, measuring is a MissingToolError with the command, and nothing stays."""
    with open_device("arm64") as device:
        monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr("builder.process.find", lambda program: None)
        with pytest.raises(MissingToolError, match="apt-get install g\\+\\+-aarch64-linux-gnu"):
            device.measure(make_request(models, "tflite"))
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_dir()] == [tmp_path / "cache" / "runner"]


def test_the_device_is_listed() -> None:
    """`harness devices` shows the emulated processor as ready."""
    assert [(found.id, found.state) for found in arm64.find()] == [("cortex-a76", "ready")]


@pytest.mark.parametrize("backend", get_args(Backend))
def test_the_wheels_are_those_of_the_host(backend: Backend) -> None:
    """The runner is built from the version of the runtime that is installed for the host."""
    known = find_program(backend)
    assert not isinstance(known, str)
    engine, program = known
    assert program.version == metadata.version(engine.package)
