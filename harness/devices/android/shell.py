"""The `android` device over adb, in shell mode: the benchmark runner is pushed with all libraries it needs and measures there.

Any arm64 phone's CPU can so be measured without installing an app. It uses glibc's allocator and threads, not Android's:
the kernels are the same, the latency is close to but not exactly that of the same model in an app.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from filelock import FileLock, Timeout

from builder import process
from builder.bundle import Variant, hash_file
from harness.cache import find_state_root
from harness.devices.android.adb import Adb, Listed, list_devices, quote_words
from harness.devices.android.cores import find_cluster
from harness.devices.android.files import pull_verified, push_verified, remove
from harness.devices.android.identity import read_identity
from harness.devices.android.journal import Journal
from harness.devices.android.leftovers import stop_leftovers
from harness.devices.android.phone_lock import PhoneLock
from harness.devices.android.pins import hold_pins, repair
from harness.devices.android.state import find_emulator_label, make_device_info, read_conditions, require_started
from harness.devices.android.wireless import find_reachable
from harness.devices.base import Device, Found, Measured, Profiled, Request
from harness.devices.runner.binaries import LOADER, RUNNER, RunnerBundle, build_runner_bundle
from harness.devices.runner.operators import read_operators
from harness.devices.runner.result import (
    RunnerResult,
    find_refusal,
    make_command,
    name_output,
    parse_result,
    read_outputs,
    write_inputs,
)
from harness.errors import DeviceAbsent, DeviceError, DeviceLost, MissingToolError, UsageError
from harness.probes.counters import count, parse_use
from harness.protocol import Pins
from harness.records.run import Conditions, DeviceInfo, ProcessorUse, Reading, TextReading

KIND = "android"
LOCAL = False
ABI = "arm64-v8a"
NONE_CONNECTED = "no Android device is connected; connect one, allow USB debugging on it and check 'harness devices'"
REMOTE = "/data/local/tmp/edgebundle-"
OURS = f"{REMOTE}[0-9a-f]*"  # every folder that was made on a phone, by whichever host


def find() -> list[Found]:
    try:
        listed = list_devices()
    except (MissingToolError, DeviceError) as error:
        return [Found(kind=KIND, id="-", description="Android devices over adb", state=str(error))]
    if not listed:
        return [Found(kind=KIND, id="-", description="Android devices over adb", state=NONE_CONNECTED)]
    return [
        Found(
            kind=KIND, id=device.serial, description=f"Android {device.model} over adb", state=device.problem or "ready"
        )
        for device in listed
    ]


def open_device(device_id: str | None) -> Device:
    device = choose(find_reachable(device_id), device_id)
    if device.problem is not None:
        raise DeviceLost(f"{device.serial} {device.problem}.")
    return Android(device.serial)


def choose(listed: list[Listed], device_id: str | None) -> Listed:
    """The device of this serial, or the only usable one. Raises DeviceError, or UsageError when there is a choice."""
    if device_id is not None:
        for device in listed:
            if device.serial == device_id:
                return device
        raise DeviceAbsent(f"{device_id} is not connected; connect it and check 'harness devices'.")
    usable = [device for device in listed if device.problem is None]
    if len(usable) > 1:
        serials = ", ".join(f"-d {KIND}:{device.serial}" for device in usable)
        raise UsageError(f"{len(usable)} Android devices are connected; choose with {serials}.")
    if usable or listed:
        return (usable or listed)[0]
    raise DeviceError(
        "no Android device is connected; connect one, allow USB debugging on it and check 'harness devices'."
    )


class Android:
    """An Android device, known by itself and not by its address; used by one harness at a time, by locks that free themselves."""

    metric: Literal["latency", "instructions"] = "latency"
    holds_cores: bool = True

    def __init__(self, serial: str) -> None:
        self._adb = Adb(serial)
        self._properties = require_started(self._adb)
        self.simulated: str | None = find_emulator_label(self._properties)
        self._pins: tuple[TextReading, ...] = ()
        self._identity = read_identity(self._adb)
        phones = find_state_root() / "phones"
        phones.mkdir(parents=True, exist_ok=True)
        key = self._identity.key(serial, self._properties)
        self._lock = FileLock(phones / f"{key}.lock", timeout=0)
        self._phone_lock = PhoneLock(self._adb)
        self._journal = Journal(self._adb, phones / f"{key}.undo.json")

    @property
    def info(self) -> DeviceInfo:
        return make_device_info(KIND, self._identity.name(self._adb.serial), self._properties)

    def require_same_phone(self) -> None:
        """Raises DeviceLost when another phone answers under this address, or this one has restarted and lost what was set."""
        now = read_identity(self._adb)
        if not now.is_same_phone(self._identity):
            raise DeviceLost(
                f"another phone ({now.name('of an unknown serial')}) answers at {self._adb.serial} than "
                f"{self._identity.name('the one before')}; give each phone an address of its own."
            )
        if now.has_restarted(self._identity):
            raise DeviceLost(f"{self._adb.serial} has restarted; it is opened again.")

    def _ready(self) -> None:
        """Before each measurement: it is the same phone, and still ours."""
        self.require_same_phone()
        if not self._phone_lock.held:
            self._phone_lock.acquire()

    def find_unsupported(self, variant: Variant) -> str | None:
        abis = self._properties.get("ro.product.cpu.abilist", self._properties.get("ro.product.cpu.abi", ""))
        if ABI not in abis.split(","):
            return f"the device's ABIs are {abis or 'unknown'}, the shell runner is {ABI}"
        return find_refusal(variant)

    def conditions(self) -> Conditions:
        return read_conditions(self._adb).model_copy(update={"pins": self._pins})

    def wake(self) -> None:
        """Switch the screen on; some vendors forbid it to the shell."""
        self._adb.shell("input keyevent KEYCODE_WAKEUP", doing="wake up")

    @contextmanager
    def pin(self, pins: Pins) -> Iterator[None]:
        """Hold what `pins` names; what the phone refuses is in its conditions with the reason. Raises DeviceError."""
        with hold_pins(self._adb, pins, self._journal, self.require_same_phone) as held:
            self._pins = held
            try:
                yield
            finally:
                self._pins = ()

    def measure(self, request: Request) -> Measured:
        variant = request.variant
        if (reason := self.find_unsupported(variant)) is not None:
            raise DeviceError(f"{self._adb.serial} cannot run variant {variant.id}: {reason}.")
        runner, folder, model = self._push(request)
        with tempfile.TemporaryDirectory(prefix="edgebundle-android-") as name:
            local = Path(name)
            inputs = write_inputs(local, variant, request.inputs)
            push_verified(self._adb, {file: local / file for file in inputs}, folder)
            result, use = self._run(folder, model, inputs, request)
            files = {name_output(index): tensor.bytes for index, tensor in enumerate(result.outputs)}
            pull_verified(self._adb, folder, files, local)
            outputs = read_outputs(local, variant, result)
        remove(self._adb, [f"{folder}/{file}" for file in (*inputs, *files)])
        return Measured(
            mode="shell",
            runtime=runner.engine.name,
            runtime_version=runner.program.version,
            delegate_executed=TextReading(value=runner.engine.name_executed(result.delegates)),
            load_ns=Reading(value=result.load_ns + result.init_ns, unit="ns"),
            first_ns=Reading(value=result.first_ns, unit="ns"),
            latency_ns=result.latency_ns,
            instructions=Reading(unit="instructions", reason="instructions are counted on the arm64 device only"),
            peak_memory_bytes=_read_peak_memory(result),
            processor_use=use,
            outputs=outputs,
        )

    def _push(self, request: Request) -> tuple[RunnerBundle, str, str]:
        """The runner with its folder on the phone, and the model's name there."""
        variant = request.variant
        self._ready()
        runner = build_runner_bundle(variant.backend)
        folder = f"{REMOTE}{runner.key}"
        push_verified(self._adb, {path.name: path for path in runner.files}, folder)
        self._adb.require_shell(
            f"cd {quote_words(folder)} && chmod 755 {quote_words(LOADER, RUNNER)}", doing="make the runner executable"
        )
        model = f"model-{hash_file(request.artifact)[:16]}{Path(variant.file).suffix}"
        push_verified(self._adb, {model: request.artifact}, folder)
        return runner, folder, model

    def profile(self, request: Request) -> Profiled:
        """By the runtime's own profiler, in the runner, after one inference that is not profiled."""
        runner, folder, model = self._push(request)
        with tempfile.TemporaryDirectory(prefix="edgebundle-android-") as name:
            local = Path(name)
            inputs = write_inputs(local, request.variant, request.inputs)
            push_verified(self._adb, {file: local / file for file in inputs}, folder)
            single = replace(request, warmup=1, runs=1)
            result, _ = self._run(folder, model, inputs, single, profile=request.runs)
        remove(self._adb, [f"{folder}/{file}" for file in (*inputs, *map(name_output, range(len(result.outputs))))])
        return Profiled(
            runtime=runner.engine.name,
            runtime_version=runner.program.version,
            operators=read_operators(result.profile, where=self._adb.serial),
        )

    def _run(
        self, folder: str, model: str, inputs: list[str], request: Request, profile: int = 0
    ) -> tuple[RunnerResult, ProcessorUse]:
        # The model with the folder's name, by which it is found when it outlives its shell.
        start = make_command(request, model=f"{folder}/{model}", inputs=inputs, output="output", profile=profile)
        cluster = find_cluster(self._adb, request.cores) if request.cores is not None else None
        if cluster is not None:
            start = ["taskset", cluster.mask, *start]
        try:
            printed = self._adb.shell(
                f"cd {quote_words(folder)} || exit; {count(quote_words(*start))}",
                doing="run the benchmark",
                timeout_s=request.timeout_s,
            )
        except DeviceLost as error:
            if isinstance(error.__cause__, process.ToolTimeout):
                self._require_still_there()
                raise DeviceError(str(error)) from error
            raise
        result = parse_result(printed.stdout, where=self._adb.serial, status=printed.status, stderr=printed.stderr)
        if printed.status:
            raise DeviceError(
                f"the runner on {self._adb.serial} gave a result but ended with status {printed.status}; run again."
            )
        if cluster is not None and set(result.cpus) != set(cluster.cpus):
            raise DeviceError(
                f"{self._adb.serial} let the runner run on CPUs {' '.join(map(str, result.cpus))} and not on {' '.join(map(str, cluster.cpus))}, its "
                f"{request.cores} cores; its cpusets do not allow them: leave 'cores' out of the protocol."
            )
        if len(result.latency_ns) != request.runs or result.threads != request.threads:
            raise DeviceError(
                f"the runner on {self._adb.serial} did not do the {request.runs} runs it was asked for; run again."
            )
        return result, parse_use(printed.stdout)

    def _require_still_there(self) -> None:
        """A measurement that did not end on a phone that still answers is a variant that is too slow: it is ended, and the others go on.
        Else raises DeviceLost."""
        self._adb.shell("true", doing="answer after a measurement that did not end")
        stop_leftovers(self._adb)

    def __enter__(self) -> Self:
        try:
            self._lock.acquire()
        except Timeout as error:
            raise DeviceError(
                f"{self._adb.serial} is in use by another harness on this computer; wait for it or end it."
            ) from error
        try:
            self._phone_lock.acquire()
            stop_leftovers(self._adb)
            repair(self._adb, self._journal)  # what a harness that was killed has left, on whichever host
        except BaseException:
            self._phone_lock.release()
            self._lock.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.require_same_phone()
            self._adb.require_shell(f"rm -rf {OURS}", doing="remove its files")
        except DeviceError:
            if error is None:  # otherwise the first error tells more: a device that went away cannot be cleaned either
                raise
        finally:
            self._phone_lock.release()
            self._lock.release()


def _read_peak_memory(result: RunnerResult) -> Reading:
    if result.peak_rss_kb < 0:
        return Reading(unit="B", reason="the device does not show /proc/self/status")
    return Reading(value=result.peak_rss_kb * 1024, unit="B")
