"""The `arm64` device: the real aarch64 runtimes with their NEON kernels, executed by QEMU on this computer.

It gives outputs and instruction counts. QEMU models neither caches nor memory nor time, so nothing that it does is a latency:
durations stay empty, and the peak memory would be the emulator's own.
"""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from builder import process
from builder.bundle import Variant
from harness.devices.arm64 import qemu
from harness.devices.base import Device, Found, Measured, Profiled, Request
from harness.devices.runner.binaries import COMPILER, build_runner_bundle
from harness.devices.runner.operators import read_operators
from harness.devices.runner.result import find_refusal, make_command, parse_result, read_outputs, write_inputs
from harness.errors import DeviceError, UsageError
from harness.records.run import Conditions, DeviceInfo, Reading, TextReading

KIND = "arm64"
LOCAL = True
LABEL = "QEMU: instruction counts, not a latency"
NOT_TIMED = "emulated by QEMU, whose wall time is no latency"
NO_HARDWARE = "an emulated processor has none"


def find() -> list[Found]:
    state = qemu.find_missing() or (
        "ready"
        if process.find(COMPILER)
        else f"{COMPILER} is not installed; run 'apt-get install g++-aarch64-linux-gnu'"
    )
    return [
        Found(
            kind=KIND,
            id=qemu.CPU,
            description=f"arm64 {qemu.CPU} emulated by QEMU (counts instructions)",
            state=state,
            alone=True,
        )
    ]


def open_device(device_id: str | None) -> Device:
    if device_id not in (None, qemu.CPU):
        raise UsageError(f"the emulated processor is {qemu.CPU}, not {device_id!r}; write -d {KIND}.")
    return Arm64()


class Arm64:
    """Executes TFLite artifacts in LiteRT and ExecuTorch programs in ExecuTorch, on one emulated core."""

    metric: Literal["latency", "instructions"] = "instructions"
    simulated: str | None = LABEL

    def __init__(self) -> None:
        self._qemu = qemu.counting_qemu()
        self._version = self._qemu.version()

    @property
    def info(self) -> DeviceInfo:
        return DeviceInfo(
            kind=KIND,
            id=qemu.CPU,
            model=TextReading(value=f"{qemu.CPU} (emulated)"),
            soc=TextReading(reason=NO_HARDWARE),
            os=TextReading(value=f"QEMU user mode {self._version}"),
            build=TextReading(reason="QEMU executes the runner without an operating system image"),
            abi=TextReading(value="arm64-v8a"),
        )

    def find_unsupported(self, variant: Variant) -> str | None:
        return find_refusal(variant)

    def conditions(self) -> Conditions:
        return Conditions(
            temperature_c=Reading(unit="degC", reason=NO_HARDWARE),
            thermal_status=Reading(unit="status", reason=NO_HARDWARE),
            battery_percent=Reading(unit="%", reason=NO_HARDWARE),
            charging=TextReading(reason=NO_HARDWARE),
            clocks_mhz=(Reading(unit="MHz", reason=NO_HARDWARE),),
            thermal_headroom=Reading(unit="headroom", reason=NO_HARDWARE),
            screen=TextReading(reason=NO_HARDWARE),
            airplane_mode=TextReading(reason=NO_HARDWARE),
            background_load=Reading(unit="%", reason=NO_HARDWARE),
        )

    def measure(self, request: Request) -> Measured:
        variant = request.variant
        if (reason := find_refusal(variant)) is not None:
            raise DeviceError(f"{KIND} cannot run variant {variant.id}: {reason}.")
        if request.threads != 1:
            raise UsageError(f"{KIND} counts instructions on one thread, not {request.threads}; ask for 1 thread.")
        runner = build_runner_bundle(variant.backend)
        with tempfile.TemporaryDirectory(prefix="edgebundle-arm64-") as name:
            folder = Path(name)
            inputs = [str(folder / file) for file in write_inputs(folder, variant, request.inputs)]
            words = make_command(
                request,
                folder=str(runner.folder),
                model=str(request.artifact.resolve()),
                inputs=inputs,
                output=str(folder / "output"),
            )
            done = self._run([*words, "--mark"], request)
            result = parse_result(done.stdout, where=KIND)
            outputs = read_outputs(folder, variant, result)
        counted = qemu.read_counts(done.stderr)
        if len(counted) != request.runs:
            raise DeviceError(
                f"QEMU counted {len(counted)} of {request.runs} inferences of variant {variant.id}; run it again."
            )
        return Measured(
            mode="shell",
            runtime=runner.engine.name,
            runtime_version=runner.program.version,
            delegate_executed=TextReading(value=runner.engine.name_executed(result.delegates)),
            load_ns=Reading(unit="ns", reason=NOT_TIMED),
            first_ns=Reading(unit="ns", reason=NOT_TIMED),
            latency_ns=(),
            instructions=Reading(value=statistics.median(counted), unit="instructions"),
            peak_memory_bytes=Reading(unit="B", reason="the resident memory would be the emulator's own"),
            outputs=outputs,
        )

    def profile(self, request: Request) -> Profiled:
        """Times are the emulator's: what share an operator has of them is near to what it has on a processor, and is no latency."""
        variant = request.variant
        runner = build_runner_bundle(variant.backend)
        with tempfile.TemporaryDirectory(prefix="edgebundle-arm64-") as name:
            folder = Path(name)
            words = make_command(
                replace(request, warmup=1, runs=1),
                folder=str(runner.folder),
                model=str(request.artifact.resolve()),
                inputs=[str(folder / file) for file in write_inputs(folder, variant, request.inputs)],
                output=str(folder / "output"),
                profile=request.runs,
            )
            result = parse_result(self._run(words, request, count=False).stdout, where=KIND)
        return Profiled(
            runtime=runner.engine.name,
            runtime_version=runner.program.version,
            operators=read_operators(result.profile, where=KIND),
        )

    def _run(self, words: list[str], request: Request, *, count: bool = True) -> process.Completed:
        variant = request.variant.id
        try:
            done = process.run([*self._qemu.words(count=count), *words], timeout_s=request.timeout_s, check=False)
        except process.ToolError as error:
            raise DeviceError(f"{KIND} could not run variant {variant}: {error}.") from error
        if done.returncode < 0:
            raise DeviceError(
                f"QEMU was ended by signal {-done.returncode} on variant {variant}: {done.quote_last_lines(2)}."
            )
        return done

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None  # nothing outlives a measurement
