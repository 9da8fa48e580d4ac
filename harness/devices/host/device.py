"""The `host` device: this computer, with the runtimes that are installed in this Python environment."""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from builder import process
from builder.backends import BACKENDS
from builder.bundle import Binding, Variant
from builder.bundle.tensors import from_artifact, to_artifact
from harness.devices.base import Device, Found, Measured, Profiled, Request
from harness.devices.engines import find_engine
from harness.devices.host.worker import WorkerRequest, WorkerResult
from harness.devices.runner.operators import read_operators
from harness.errors import DeviceError, UsageError
from harness.records.run import Conditions, DeviceInfo, ProcessorUse, Reading, Sample, TextReading

if TYPE_CHECKING:
    from numpy.typing import NDArray

KIND = "host"
LOCAL = True
# Over which the load by other programs is seen.
LOOK_S = 0.5


def find() -> list[Found]:
    engines = [backend.SPEC.engine for backend in BACKENDS.values() if backend.SPEC.engine is not None]
    missing = [engine.package for engine in engines if find_spec(engine.imported) is None]
    ready = len(missing) < len(engines)
    state = "ready" if ready else f"no runtime is installed: pip install {' '.join(missing)}"
    return [
        Found(
            kind=KIND,
            id=platform.node() or KIND,
            description=f"this computer, {_cpu().value or platform.machine()}",
            state=state,
            alone=True,
        )
    ]


def open_device(device_id: str | None) -> Device:
    if device_id not in (None, platform.node(), KIND):
        raise UsageError(f"there is one host, {platform.node()!r}, and not {device_id!r}; write -d host.")
    return Host()


class Host:
    """Runs artifacts in the engines that their backends name, each in a child process of its own."""

    metric: Literal["latency", "instructions"] = "latency"
    simulated: str | None = None

    @property
    def info(self) -> DeviceInfo:
        return DeviceInfo(
            kind=KIND,
            id=platform.node() or KIND,
            model=_read_text(Path("/sys/class/dmi/id/product_name")),
            soc=_cpu(),
            os=_os(),
            build=TextReading(value=platform.version()),
            abi=TextReading(value=platform.machine()),
        )

    def find_unsupported(self, variant: Variant) -> str | None:
        engine = find_engine(variant.backend)
        if isinstance(engine, str):
            return engine
        if variant.delegate not in engine.delegates:
            return f"the {variant.delegate} delegate is not part of the runtime for Python"
        if find_spec(engine.imported) is None:
            return f"its runtime is not installed: pip install {engine.package}"
        return None

    def conditions(self) -> Conditions:
        import psutil

        return Conditions(
            temperature_c=_temperature(),
            thermal_status=Reading(unit="status", reason="this operating system reports no thermal status"),
            battery_percent=_battery(),
            charging=_charging(),
            clocks_mhz=tuple(
                Reading(value=clock.current, unit="MHz")
                for clock in psutil.cpu_freq(percpu=True) or ()
                if clock.current
            )
            or (Reading(unit="MHz", reason="this computer reports no CPU clocks"),),
            thermal_headroom=Reading(unit="headroom", reason="only phones tell a thermal headroom"),
            screen=TextReading(reason="a computer's screen is not looked at"),
            airplane_mode=TextReading(reason="a computer's radio is not looked at"),
            background_load=_measure_background_load(),
        )

    def measure(self, request: Request) -> Measured:
        variant = request.variant
        load = os.getloadavg()[0]  # before the measurement: afterwards it would be our own
        with tempfile.TemporaryDirectory(prefix="edgebundle-host-") as name:
            folder = Path(name)
            _write_request(folder, request)
            before = _read_processor_time()
            self._run_worker("worker", folder, request)
            use = _measure_processor_use(before, _read_processor_time())
            result = WorkerResult(**json.loads((folder / "result.json").read_text(encoding="utf-8")))
            arrays = [np.load(folder / f"out{index}.npy", allow_pickle=False) for index in range(result.outputs)]
        outputs = {
            binding.name: from_artifact(_output(arrays, binding, variant), binding) for binding in variant.outputs
        }
        return Measured(
            mode="python",
            runtime=result.runtime,
            runtime_version=result.runtime_version,
            delegate_executed=TextReading(value=result.delegate),
            load_ns=Reading(value=result.load_ns, unit="ns"),
            first_ns=Reading(value=result.first_ns, unit="ns"),
            latency_ns=tuple(result.latency_ns),
            instructions=Reading(unit="instructions", reason="instructions are counted on the arm64 device only"),
            peak_memory_bytes=Reading(value=result.memory_peak_bytes, unit="B"),
            processor_use=use,
            outputs=outputs,
            samples=(
                Sample(t_s=0.0, probe="load_average", value=load, unit="programs"),
                Sample(t_s=0.0, probe="memory_before_load", value=result.memory_before_bytes, unit="B"),
            ),
        )

    def profile(self, request: Request) -> Profiled:
        with tempfile.TemporaryDirectory(prefix="edgebundle-host-") as name:
            folder = Path(name)
            _write_request(folder, request)
            self._run_worker("profiler", folder, request)
            told = json.loads((folder / "profile.json").read_text(encoding="utf-8"))
        operators = read_operators(told["texts"], where="the host")
        return Profiled(runtime=told["runtime"], runtime_version=told["runtime_version"], operators=operators)

    def _run_worker(self, module: str, folder: Path, request: Request) -> None:
        # the child must find this package even when it is used from a source tree that is not the working directory
        source = str(Path(__file__).resolve().parents[3])
        path = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
        argv: list[str | Path] = [sys.executable, "-m", f"harness.devices.host.{module}", folder]
        try:
            done = process.run(argv, timeout_s=request.timeout_s, env={"PYTHONPATH": path}, check=False)
        except process.ToolError as error:
            raise DeviceError(f"the host could not run variant {request.variant.id}: {error}.") from error
        if done.returncode < 0:
            raise DeviceError(
                f"the runtime crashed on variant {request.variant.id} (signal {-done.returncode}): {done.quote_last_lines(1)}"
            )
        if done.returncode:
            raise DeviceError(f"the host could not run variant {request.variant.id}: {done.quote_last_lines(1)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None  # nothing on this computer was changed


def _write_request(folder: Path, request: Request) -> None:
    variant = request.variant
    ordered = sorted(variant.inputs, key=lambda binding: binding.index)
    for index, binding in enumerate(ordered):
        np.save(folder / f"in{index}.npy", to_artifact(request.inputs[binding.name], binding), allow_pickle=False)
    work = WorkerRequest(
        backend=variant.backend,
        artifact=str(request.artifact.resolve()),
        threads=request.threads,
        inputs=len(ordered),
        warmup=request.warmup,
        runs=request.runs,
    )
    (folder / "request.json").write_text(json.dumps(asdict(work)), encoding="utf-8")


def _read_processor_time() -> tuple[float, float, float]:
    """Processor seconds since the start of the system: passed (all CPUs), busy, and those of the children of this process."""
    import psutil

    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    # what guests use is in `user` and `nice` already
    guests = ("guest", "guest_nice")
    passed = sum(value for name, value in times._asdict().items() if name not in guests)
    own = os.times()
    return passed, passed - idle, own.children_user + own.children_system


def _measure_processor_use(before: tuple[float, float, float], after: tuple[float, float, float]) -> ProcessorUse:
    """What the processors did while the child ran: what is neither idle nor its own is somebody else's."""
    passed, busy, own = (round(max(last - first, 0.0), 3) for first, last in zip(before, after, strict=True))
    return ProcessorUse(
        passed_s=Reading(value=passed, unit="s"),
        busy_s=Reading(value=busy, unit="s"),
        own_s=Reading(value=own, unit="s"),
    )


def _measure_background_load() -> Reading:
    """Over half a second in which nothing of ours runs."""
    import psutil

    return Reading(value=round(psutil.cpu_percent(interval=LOOK_S), 2), unit="%")


def _output(arrays: list[NDArray[np.generic]], binding: Binding, variant: Variant) -> NDArray[np.generic]:
    """The output that a binding names. Raises DeviceError when the artifact gives another number or shape of outputs."""
    shapes = [array.shape for array in arrays]
    if binding.index >= len(shapes) or shapes[binding.index] != binding.shape:
        raise DeviceError(
            f"variant {variant.id} gives outputs of shapes {shapes}, but its manifest says that number {binding.index} "
            f"is {binding.name} of shape {binding.shape}; rebuild the bundle."
        )
    return arrays[binding.index]


def _read_text(path: Path) -> TextReading:
    try:
        text = path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        return TextReading(reason=f"{path} cannot be read ({error.strerror})")
    return TextReading(value=text) if text else TextReading(reason=f"{path} is empty")


def _cpu() -> TextReading:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return TextReading(value=line.partition(":")[2].strip())
    name = platform.processor()
    return TextReading(value=name) if name else TextReading(reason="this computer does not name its processor")


def _os() -> TextReading:
    try:
        return TextReading(value=platform.freedesktop_os_release()["PRETTY_NAME"])
    except (OSError, KeyError):
        return TextReading(value=f"{platform.system()} {platform.release()}")


def _temperature() -> Reading:
    """The hottest sensor: it is the one that makes a processor throttle."""
    import psutil

    sensors = getattr(psutil, "sensors_temperatures", None)  # psutil has it on Linux and FreeBSD only
    values = [entry.current for entries in (sensors() if sensors else {}).values() for entry in entries]
    if not values:
        return Reading(unit="degC", reason="this computer shows no temperature sensor")
    return Reading(value=max(values), unit="degC")


def _battery() -> Reading:
    import psutil

    battery = psutil.sensors_battery()
    return (
        Reading(unit="%", reason="this computer has no battery")
        if battery is None
        else Reading(value=battery.percent, unit="%")
    )


def _charging() -> TextReading:
    import psutil

    battery = psutil.sensors_battery()
    if battery is None:
        return TextReading(reason="this computer has no battery")
    return TextReading(value="plugged in" if battery.power_plugged else "on battery")
