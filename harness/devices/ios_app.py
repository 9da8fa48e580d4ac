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
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self

import numpy as np
from filelock import FileLock, Timeout

from builder.bundle import MANIFEST, Variant
from harness.cache import cache_root
from harness.devices.base import Device, Measured, Request
from harness.errors import DeviceError, StoreError, UsageError
from harness.records import Conditions, DeviceInfo, Reading, Run, TextReading, parse_run

if TYPE_CHECKING:
    from harness.devices.base import Tensors

APP = "EDGEBUNDLE_IOS_APP"  # environment: the .app or .ipa to install; without it the app must be there
IDENTIFIER = "EDGEBUNDLE_IOS_BUNDLE_ID"
DEFAULT_IDENTIFIER = "org.edgebundle.benchmark"
LINE = re.compile(r"EDGEBUNDLE_RUN (\{.*\})")
STATES = ("nominal", "fair", "serious", "critical")


class Link(Protocol):
    """How one device is reached. All methods end within a time limit and raise DeviceError with a cure."""

    simulated: str | None

    @property
    def info(self) -> DeviceInfo: ...

    def prepare(self) -> None:
        """Make it ready for an app: booted, unlocked."""

    def install(self, app: Path) -> None: ...

    def push(self, folder: Path, name: str, identifier: str) -> None:
        """Copy a directory into the app's Documents folder under a name."""

    def pull(self, name: str, target: Path, identifier: str) -> bool:
        """Copy a file of the app's Documents folder; False when it is not there."""

    def remove(self, names: list[str], identifier: str) -> None:
        """Remove files and directories of the app's Documents folder, as far as the device lets us."""

    def launch(self, identifier: str, arguments: list[str], timeout_s: float) -> str:
        """Run the app to its end; what it printed. A launch that fails is an error, an app that dies is not."""

    def explain(self, identifier: str) -> str:
        """What the device's log says of an app that died, in one line, or nothing."""

    def battery(self) -> tuple[Reading, TextReading, Reading]:
        """Percent, charging and temperature, read from outside of the app."""


@dataclass(frozen=True, kw_only=True)
class App:
    """The benchmark app: where it is to be installed from (None: it is there), and its identifier."""

    path: Path | None
    identifier: str


def chosen_app() -> App:
    """The app that the environment names. Raises UsageError when it does not exist."""
    identifier = os.environ.get(IDENTIFIER, DEFAULT_IDENTIFIER)
    text = os.environ.get(APP)
    if text is None:
        return App(path=None, identifier=identifier)
    path = Path(text)
    if not path.exists():
        raise UsageError(
            f"${APP} names {text}, which does not exist; make it with 'builder package --target ios --format app'."
        )
    return App(path=path, identifier=os.environ.get(IDENTIFIER) or identifier_of(path))


def identifier_of(app: Path) -> str:
    """Bundle identifier of an .app or .ipa, from its Info.plist. Raises UsageError."""
    import plistlib
    import zipfile

    try:
        if app.is_dir():
            content = (app / "Info.plist").read_bytes()
        else:
            with zipfile.ZipFile(app) as archive:
                name = next(n for n in archive.namelist() if re.fullmatch(r"Payload/[^/]+\.app/Info\.plist", n))
                content = archive.read(name)
        return str(plistlib.loads(content)["CFBundleIdentifier"])
    except (OSError, KeyError, StopIteration, ValueError, zipfile.BadZipFile, plistlib.InvalidFileException) as error:
        raise UsageError(
            f"{app} has no readable Info.plist ({error}); give an .app or .ipa that Xcode built."
        ) from error


class IosApp:
    """A device behind a link; used by one harness at a time (a lock that frees itself with its process)."""

    metric: Literal["latency", "instructions"] = "latency"
    self_paced: Literal[True] = True  # the app warms up and measures by itself

    def __init__(self, link: Link, app: App) -> None:
        self._link = link
        self._app = app
        self._pushed: set[str] = set()
        self._last: Run | None = None
        self.simulated = link.simulated
        locks = cache_root() / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(link.info.id.encode()).hexdigest()[:20]
        self._lock = FileLock(locks / f"ios-{digest}.lock", timeout=0)

    @property
    def info(self) -> DeviceInfo:
        return self._link.info

    def unsupported(self, variant: Variant) -> str | None:
        return None if variant.backend == "coreml" else f"the iOS app runs Core ML, not {variant.backend}"

    def conditions(self) -> Conditions:
        """From outside only the battery is told; the thermal state is the one that the app read last."""
        percent, charging, temperature = self._link.battery()
        last = self._last.conditions_end if self._last else None
        thermal = (
            last.thermal_status if last else Reading(unit="status", reason="iOS tells its thermal state to apps only")
        )
        if last is not None and percent.value is None:
            percent, charging = last.battery_percent, last.charging
        return Conditions(temperature_c=temperature, thermal_status=thermal, battery_percent=percent, charging=charging)

    def measure(self, request: Request) -> Measured:
        """Raises DeviceError for whatever goes wrong, within `request.timeout_s` and the limits of pushing and pulling."""
        if (reason := self.unsupported(request.variant)) is not None:
            raise DeviceError(f"{self.info.id} cannot run variant {request.variant.id}: {reason}.")
        identifier = self._app.identifier
        root = bundle_root(request)
        folder = self._push(root)
        run_id = uuid.uuid4().hex
        file = f"{run_id}.jsonl"
        arguments = [
            *("-edgebundle-run", "requested", "-edgebundle-variant", request.variant.id, "-edgebundle-id", run_id),
            *("-edgebundle-warmup", str(request.warmup), "-edgebundle-runs", str(request.runs)),
            *("-edgebundle-bundle", folder, "-edgebundle-output", file, "-edgebundle-device", self.info.id),
        ]
        outputs = {binding.name: f"{run_id}.{binding.name}.f32" for binding in request.variant.outputs}
        printed = self._link.launch(identifier, arguments, request.timeout_s)
        with tempfile.TemporaryDirectory(prefix="edgebundle-ios-") as name:
            local = Path(name)
            if not self._link.pull(file, local / file, identifier):
                raise DeviceError(self._failure(printed, request.variant.id))
            run = self._record(local / file, request, root, run_id)
            tensors = self._outputs(local, outputs, request)
        with contextlib.suppress(DeviceError):  # the run is here; what is left there is small
            self._link.remove([file, *outputs.values()], identifier)
        self._last = run
        return Measured(
            mode="app",
            runtime=run.runtime,
            runtime_version=run.runtime_version,
            delegate_executed=run.delegate_executed,
            compile_ns=run.compile_ns,
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

    def _record(self, path: Path, request: Request, root: Path, run_id: str) -> Run:
        """The app's record, of exactly the run that was asked for."""
        try:
            run = parse_run(path.read_text(encoding="utf-8").strip(), where=f"the record of {self.info.id}")
        except (StoreError, UnicodeDecodeError) as error:
            raise DeviceError(f"{self.info.id} gave a damaged record ({error}); run again.") from error
        digest = hashlib.sha256((root / MANIFEST).read_bytes()).hexdigest()
        wanted = (run_id, request.variant.id, request.variant.sha256, digest)
        if (run.id, run.variant, run.variant_sha256, run.bundle_sha256) != wanted:
            raise DeviceError(f"{self.info.id} gave the record of another run; install the app again and run again.")
        if len(run.latency_ns) != request.runs:
            raise DeviceError(
                f"the app on {self.info.id} did {len(run.latency_ns)} runs, not {request.runs}; run again."
            )
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
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._pushed:
                self._link.remove(sorted(self._pushed), self._app.identifier)
        except DeviceError:
            if error is None:  # otherwise the first error tells more
                raise
        finally:
            self._lock.release()


def opened(link: Link) -> Device:
    return IosApp(link, chosen_app())


def bundle_root(request: Request) -> Path:
    """The directory of the bundle that a request's artifact lies in."""
    return request.artifact.parents[len(Path(request.variant.file).parts) - 1]


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
