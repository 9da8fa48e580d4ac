"""Records to test with: a valid run whose fields a test can change."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.records.run import Conditions, DeviceInfo, GoldenResult, ProtocolInfo, Reading, Run, TextReading


def conditions(temperature: float | None = 31.5) -> Conditions:
    none = TextReading(reason="no battery")
    heat = Reading(unit="degC", reason="no sensor") if temperature is None else Reading(value=temperature, unit="degC")
    return Conditions(
        temperature_c=heat,
        thermal_status=Reading(value=0, unit="status"),
        battery_percent=Reading(unit="%", reason="no battery"),
        charging=none,
        clocks_mhz=(Reading(value=2000, unit="MHz"),),
    )


def device(kind: str = "host", device_id: str = "bench") -> DeviceInfo:
    known = TextReading(value="x")
    return DeviceInfo(kind=kind, id=device_id, model=known, soc=known, os=known, build=known, abi=known)


def make_run(**changes: Any) -> Run:
    """A run of `tflite-fp32` on the host that is ok; `changes` are fields of Run."""
    fields: dict[str, Any] = {
        "id": "0" * 32,
        "started_at": "2026-01-02T03:04:05.678+00:00",
        "model_name": "small",
        "bundle_sha256": "b" * 64,
        "variant": "tflite-fp32",
        "variant_sha256": "a" * 64,
        "variant_bytes": 17_000,
        "backend": "tflite",
        "device": device(),
        "mode": "python",
        "runtime": "LiteRT",
        "runtime_version": "2.3.0",
        "delegate_requested": "xnnpack",
        "delegate_executed": TextReading(value="xnnpack"),
        "threads": 2,
        "protocol": ProtocolInfo(name="quick", warmup=5, runs=30),
        "conditions_start": conditions(),
        "conditions_end": conditions(33.0),
        "metric": "latency",
        "load_ns": Reading(value=4_000_000, unit="ns"),
        "first_ns": Reading(value=9_000_000, unit="ns"),
        "latency_ns": tuple(5_000_000 + 1000 * (index % 7) for index in range(30)),
        "instructions": Reading(unit="instructions", reason="not counted"),
        "peak_memory_bytes": Reading(value=40_000_000, unit="B"),
        "golden": GoldenResult(id="0", passed=True, psnr_db=60.0, max_abs_error=0.004, min_psnr_db=45.0),
        "verdict": "ok",
    }
    return Run(**{**fields, **changes})


def make_counted_run(count: int, **changes: Any) -> Run:
    """A run that counted instructions under emulation."""
    fields = {
        "metric": "instructions",
        "latency_ns": (),
        "simulated": "counts only, no hardware",
        "device": device("arm64", "cortex-a76"),
        "instructions": Reading(value=count, unit="instructions"),
        **changes,
    }
    return make_run(**fields)


def noisy(seed: int, factor: float = 1.0, count: int = 60) -> tuple[int, ...]:
    """Latencies about 5 ms with 1 % noise, each run with an offset of its own of 1 %."""
    random = np.random.default_rng(seed)
    level = 5e6 * factor * np.exp(random.normal(0, 0.01))
    return tuple(int(value) for value in level * np.exp(random.normal(0, 0.01, count)))


def rounds(seed: int, count: int = 6, factor: float = 1.0, session: str = "s", **changes: Any) -> list[Run]:
    return [
        make_run(
            id=f"{session}-{seed}-{turn}", session=session, round=turn, latency_ns=noisy(seed + turn, factor), **changes
        )
        for turn in range(count)
    ]
