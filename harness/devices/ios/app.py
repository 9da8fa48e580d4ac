"""An iPhone or a simulator as a device: our benchmark app measures there, and its record file is the only proof of success.

The bundle is put into the app's Documents folder, the app is launched with arguments, ends by itself, and leaves one line in a
record file and its outputs as raw floats. Exit codes and console output of Apple's tools only serve to explain a failure.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from filelock import FileLock, Timeout
from pydantic import ValidationError

from builder.backends import BACKENDS, find_spec
from builder.bundle import MANIFEST, Variant
from builder.errors import find_reason
from harness.cache import find_cache_root
from harness.devices.base import Device, Measured, Request
from harness.devices.ios.link import App, Inducing, Link, choose_app
from harness.errors import DeviceError, StoreError, UsageError
from harness.records.run import Conditions, DeviceInfo, Reading, Run, TextReading, parse_run

if TYPE_CHECKING:
    from harness.records.tensors import Tensors

CONDITION = "EDGEBUNDLE_IOS_CONDITION"  # environment: what the device is to pretend, e.g. ThermalSerious
LINE = re.compile(r"EDGEBUNDLE_RUN (\{.*\})")
# For so long what the app told is its present state.
FRESH_S = 5.0
# An app that starts and answers one question: what takes longer hangs.
ASK_S = 60.0


class IosApp:
    """A device behind a link; used by one harness at a time (a lock that frees itself with its process)."""

    metric: Literal["latency", "instructions"] = "latency"

    def __init__(self, link: Link, app: App, clock: Callable[[], float] = time.monotonic) -> None:
        self._link = link
        self._app = app
        self._clock = clock
        self._pushed: set[str] = set()
        self._last: tuple[float, Conditions] | None = None  # when the app told its conditions last
        self._induced = contextlib.ExitStack()
        self._compiled: dict[str, Reading] = {}  # variant's hash -> what compiling took, which happens once
        self.simulated = link.simulated
        locks = find_cache_root() / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(link.info.id.encode()).hexdigest()[:20]
        self._lock = FileLock(locks / f"ios-{digest}.lock", timeout=0)

    @property
    def info(self) -> DeviceInfo:
        return self._link.info

    def find_unsupported(self, variant: Variant) -> str | None:
        spec = find_spec(variant.backend)
        if spec is not None and spec.ios_app:
            return None
        titles = [backend.SPEC.title for backend in BACKENDS.values() if backend.SPEC.ios_app]
        return f"the iOS app runs {' and '.join(titles)}, not {variant.backend}"

    def conditions(self) -> Conditions:
        """iOS tells its thermal state to apps only: what the app told just now, else what it tells when it is asked."""
        percent, charging, temperature = self._link.battery()
        if self._last is None or self._clock() - self._last[0] > FRESH_S:
            self._last = (self._clock(), self._ask())
        told = self._last[1]
        if percent.value is None:
            percent, charging = told.battery_percent, told.charging
        return Conditions(
            temperature_c=temperature,
            thermal_status=told.thermal_status,
            battery_percent=percent,
            charging=charging,
            thermal_headroom=Reading(unit="headroom", reason="iOS tells a thermal state only"),
            screen=TextReading(reason="iOS does not tell it; the app has the screen on"),
            airplane_mode=TextReading(reason="iOS does not tell it"),
            background_load=Reading(unit="%", reason="iOS does not tell what other programs use"),
        )

    def _ask(self) -> Conditions:
        """The app started to tell its state and nothing else; reasons where it does not."""
        file = f"{uuid.uuid4().hex}.json"
        arguments = ["-edgebundle-run", "conditions", "-edgebundle-output", file]
        identifier = self._app.identifier
        try:
            self._link.launch(identifier, arguments, ASK_S)
            with tempfile.TemporaryDirectory(prefix="edgebundle-ios-") as name:
                local = Path(name) / file
                if not self._link.pull(file, local, identifier):
                    raise DeviceError("the app did not tell its state")
                told = Conditions.model_validate_json(local.read_bytes())
            with contextlib.suppress(DeviceError):  # a small file stays there
                self._link.remove([file], identifier)
        except (DeviceError, ValidationError) as error:
            why = find_reason(error) if isinstance(error, ValidationError) else str(error).rstrip(".")
            return Conditions(
                temperature_c=Reading(unit="degC", reason=why),
                thermal_status=Reading(unit="status", reason=why),
                battery_percent=Reading(unit="%", reason=why),
                charging=TextReading(reason=why),
            )
        return told

    def measure(self, request: Request) -> Measured:
        """Raises DeviceError for whatever goes wrong, within `request.timeout_s` and the limits of pushing and pulling."""
        return self._make_measured(request, 0)

    def endure(self, request: Request, seconds: float) -> Measured:
        """As `measure`, for at least so long, with the thermal states on the way as samples."""
        return self._make_measured(request, seconds)

    def _make_measured(self, request: Request, seconds: float) -> Measured:
        if (reason := self.find_unsupported(request.variant)) is not None:
            raise DeviceError(f"{self.info.id} cannot run variant {request.variant.id}: {reason}.")
        identifier = self._app.identifier
        root = find_bundle_root(request)
        folder = self._push(root)
        run_id = uuid.uuid4().hex
        file = f"{run_id}.jsonl"
        arguments = [
            *("-edgebundle-run", "requested", "-edgebundle-variant", request.variant.id, "-edgebundle-id", run_id),
            *("-edgebundle-warmup", str(request.warmup), "-edgebundle-runs", str(request.runs)),
            *("-edgebundle-bundle", folder, "-edgebundle-output", file, "-edgebundle-device", self.info.id),
            *(("-edgebundle-seconds", f"{seconds:g}") if seconds else ()),
        ]
        outputs = {binding.name: f"{run_id}.{binding.name}.f32" for binding in request.variant.outputs}
        printed = self._link.launch(identifier, arguments, request.timeout_s + seconds)
        with tempfile.TemporaryDirectory(prefix="edgebundle-ios-") as name:
            local = Path(name)
            if not self._link.pull(file, local / file, identifier):
                raise DeviceError(self._failure(printed, request.variant.id))
            run = self._record(local / file, request, root, run_id, lasting=seconds > 0)
            tensors = self._outputs(local, outputs, request)
        with contextlib.suppress(DeviceError):  # the run is here; what is left there is small
            self._link.remove([file, *outputs.values()], identifier)
        self._last = (self._clock(), run.conditions_end)
        if run.compile_ns is not None and run.compile_ns.value is not None:
            self._compiled[request.variant.sha256] = run.compile_ns
        return Measured(
            mode="app",
            runtime=run.runtime,
            runtime_version=run.runtime_version,
            delegate_executed=run.delegate_executed,
            compile_ns=self._compiled.get(request.variant.sha256, run.compile_ns),
            load_ns=run.load_ns,
            first_ns=run.first_ns,
            latency_ns=run.latency_ns,
            instructions=run.instructions,
            peak_memory_bytes=run.peak_memory_bytes,
            op_devices=run.op_devices,
            samples=run.samples,
            outputs=tensors,
        )

    def _push(self, root: Path) -> str:
        """The bundle under the hash of its manifest, once for each device and session."""
        folder = "bundle-" + hashlib.sha256((root / MANIFEST).read_bytes()).hexdigest()[:16]
        if folder not in self._pushed:
            self._link.push(root, folder, self._app.identifier)
            self._pushed.add(folder)
        return folder

    def _record(self, path: Path, request: Request, root: Path, run_id: str, *, lasting: bool) -> Run:
        """The app's record, of exactly the run that was asked for."""
        try:
            run = parse_run(path.read_text(encoding="utf-8").strip(), where=f"the record of {self.info.id}")
        except (StoreError, UnicodeDecodeError) as error:
            raise DeviceError(f"{self.info.id} gave a damaged record ({error}); run again.") from error
        digest = hashlib.sha256((root / MANIFEST).read_bytes()).hexdigest()
        wanted = (run_id, request.variant.id, request.variant.sha256, digest)
        if (run.id, run.variant, run.variant_sha256, run.bundle_sha256) != wanted:
            raise DeviceError(f"{self.info.id} gave the record of another run; install the app again and run again.")
        done = len(run.latency_ns)
        if done < request.runs or (done > request.runs and not lasting):
            raise DeviceError(f"the app on {self.info.id} did {done} runs, not {request.runs}; run again.")
        if self.simulated is not None and run.simulated is None:
            raise DeviceError(
                f"the app on {self.info.id} does not know that it runs on a simulator; install a newer one."
            )
        return run

    def _outputs(self, local: Path, names: dict[str, str], request: Request) -> Tensors:
        # of the variant: a bundle may hold a model at several sizes; Core ML's own order of axes is the logical one
        shapes = {binding.name: binding.shape for binding in request.variant.outputs}
        tensors: Tensors = {}
        for name, file in names.items():
            if not self._link.pull(file, local / file, self._app.identifier):
                raise DeviceError(f"the app on {self.info.id} left no output {name!r}; install a newer app.")
            values = np.fromfile(local / file, "<f4")
            if values.size != np.prod(shapes[name]):
                raise DeviceError(f"output {name!r} of {self.info.id} has {values.size} values; run again.")
            tensors[name] = values.reshape(shapes[name])
        return tensors

    def _failure(self, printed: str, variant: str) -> str:
        """What is known of a run without a record: the app's own words, else what the system's log says."""
        said = [json.loads(line) for line in LINE.findall(printed) if _is_json(line)]
        told = next((entry["error"] for entry in reversed(said) if "error" in entry), None)
        if told is not None:
            return f"the app on {self.info.id} failed on variant {variant}: {str(told).rstrip('.')}."
        why = self._link.explain(self._app.identifier)
        return (
            f"the app on {self.info.id} ended without a record of variant {variant}{': ' + why if why else ''}; it crashed or was ended by "
            "the system: look at its crash log in Xcode's Devices window, and run again."
        )

    def __enter__(self) -> Self:
        try:
            self._lock.acquire()
        except Timeout as error:
            raise DeviceError(
                f"{self.info.id} is in use by another harness on this computer; wait for it or end it."
            ) from error
        try:
            self._link.prepare()
            if self._app.path is not None:
                self._link.install(self._app.path)
            self._induce(os.environ.get(CONDITION))
        except BaseException:
            self._lock.release()
            raise
        return self

    def _induce(self, profile: str | None) -> None:
        if profile is None:
            return
        if not isinstance(self._link, Inducing):
            raise UsageError(
                f"${CONDITION} is set, and only pymobiledevice3 can induce a condition on a phone; unset it, or measure where Xcode is not."
            )
        self._induced.enter_context(self._link.condition(profile))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._induced.close()
            if self._pushed:
                self._link.remove(sorted(self._pushed), self._app.identifier)
        except DeviceError:
            if error is None:  # otherwise the first error tells more
                raise
        finally:
            self._lock.release()


def open_app(link: Link) -> Device:
    return IosApp(link, choose_app())


def find_bundle_root(request: Request) -> Path:
    """The directory of the bundle that a request's artifact lies in."""
    return request.artifact.parents[len(Path(request.variant.file).parts) - 1]


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
