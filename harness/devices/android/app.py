"""An Android phone over adb in app mode: the benchmark app of an APK measures there, with the runtime that users get.

The app is started by an intent, ends with one line in the log, and leaves its record in a file. The harness waits in one blocking
call: nothing is polled while the app measures.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from builder import process
from builder.bundle import BundleError, Variant, open_bundle
from harness.devices.android import shell as android
from harness.devices.android.adb import quote_words
from harness.devices.android.apk import read_application_id
from harness.devices.android.files import pull_verified, remove
from harness.devices.android.install import install
from harness.devices.android.shell import Android, choose
from harness.devices.android.wireless import find_reachable
from harness.devices.base import Device, Found, Measured, Profiled, Request
from harness.errors import DeviceError, DeviceLost, StoreError, UsageError
from harness.probes.counters import COUNTERS, TIMES, measure_app_use
from harness.records.run import DeviceInfo, Run, parse_run

KIND = "android-app"
LOCAL = False
APP = "EDGEBUNDLE_ANDROID_APP"  # environment: the .apk that 'builder package --target android' wrote
ACTIVITY = "org.edgebundle.app.MainActivity"
# Bytes; for the time limit of fetching it.
LARGEST_RECORD = 4 << 20
LINE = re.compile(r"^(\{.*\})\s*$", re.MULTILINE)
DIED = re.compile(r"FATAL EXCEPTION|has died|Process: ")


class Silent(DeviceError):
    """The app's line did not come within its time, from a phone that still answers."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """The folder on the phone in which a record lies, and the run's id where the app's line told it."""

    folder: str
    run_id: str | None


def find() -> list[Found]:
    """The phones of the kind `android`; none is ready before an app is named."""
    needs = None if APP in os.environ else f"needs ${APP}, the .apk to measure by"
    return [
        Found(
            kind=KIND,
            id=device.id,
            description=device.description.replace("over adb", "by its app"),
            state=needs if needs and device.state == "ready" else device.state,
        )
        for device in android.find()
    ]


def open_device(device_id: str | None) -> Device:
    app = choose_app()
    device = choose(find_reachable(device_id), device_id)
    if device.problem is not None:
        raise DeviceLost(f"{device.serial} {device.problem}.")
    return AndroidApp(device.serial, app)


def choose_app() -> Path:
    """The APK that the environment names. Raises UsageError when there is none."""
    text = os.environ.get(APP)
    if text is None:
        raise UsageError(
            f"an Android phone is measured by an app; set ${APP} to the .apk that 'builder package --target android' wrote."
        )
    if not Path(text).is_file():
        raise UsageError(f"${APP} names {text}, which does not exist; make it with 'builder package --target android'.")
    return Path(text)


class AndroidApp(Android):
    """As `Android`, but our app measures; it is installed unless exactly this APK is. Where its threads run is Android's to say."""

    holds_cores = False

    def __init__(self, serial: str, app: Path) -> None:
        super().__init__(serial)
        self._app = app
        self._application = read_application_id(app)
        try:
            with open_bundle(app) as bundle:
                self._carried = {variant.id: variant.sha256 for variant in bundle.manifest.variants}
        except BundleError as error:
            raise UsageError(f"${APP}: {error}") from error

    @property
    def info(self) -> DeviceInfo:
        """A phone's two modes are two devices to all that groups runs; `harness.analysis.mode_parity` holds them against one another by their id."""
        return super().info.model_copy(update={"kind": KIND})

    def find_unsupported(self, variant: Variant) -> str | None:
        if variant.id not in self._carried:
            return f"{self._app.name} does not carry it"
        if self._carried[variant.id] != variant.sha256:
            return f"{self._app.name} carries another build of it; package the bundle again"
        return None

    def measure(self, request: Request) -> Measured:
        return self._make_measured(request, 0)

    def profile(self, request: Request) -> Profiled:
        raise DeviceError("the app has no profiler; profile the phone in shell mode, with '-d android'.")

    def endure(self, request: Request, seconds: float) -> Measured:
        """As `measure`, for at least so long, with the probes on the way as samples."""
        return self._make_measured(request, seconds)

    def _make_measured(self, request: Request, seconds: float) -> Measured:
        if (reason := self.find_unsupported(request.variant)) is not None:
            raise DeviceError(f"{self._adb.serial} cannot run variant {request.variant.id}: {reason}.")
        self._ready()
        output = f"{uuid.uuid4().hex}.jsonl"
        before = self._adb.shell(COUNTERS, doing="tell its counters").stdout
        try:
            printed = self._run_app(request, seconds, output)
        except Silent as error:
            place = self._find_left(output, error)
        else:
            place = self._parse_told(printed, request, output)
        after = self._adb.shell(f"{COUNTERS}; {self._own()}", doing="tell its counters").stdout
        try:
            with tempfile.TemporaryDirectory(prefix="edgebundle-android-") as name:
                pull_verified(self._adb, place.folder, {output: LARGEST_RECORD}, Path(name))
                run = self._record(Path(name) / output, request, place.run_id, lasting=seconds > 0)
        except DeviceLost:
            raise
        except DeviceError:
            remove(self._adb, [f"{place.folder}/{output}"])
            raise
        remove(self._adb, [f"{place.folder}/{output}"])
        return Measured(
            mode="app",
            runtime=run.runtime,
            runtime_version=run.runtime_version,
            delegate_executed=run.delegate_executed,
            load_ns=run.load_ns,
            first_ns=run.first_ns,
            latency_ns=run.latency_ns,
            instructions=run.instructions,
            peak_memory_bytes=run.peak_memory_bytes,
            samples=run.samples,
            processor_use=measure_app_use(before, after),
            outputs={},
            golden=run.golden,
        )

    def _own(self) -> str:
        """Prints the counters of the app, which was started for this run alone."""
        return f"echo {TIMES}; cat /proc/$(pidof {quote_words(self._application)})/stat 2>&1"

    def _run_app(self, request: Request, seconds: float, output: str) -> str:
        """Start the app afresh and wait for its line in the log, or for the system's that it died."""
        extras = [
            *("--es", "variant", request.variant.id, "--es", "output", output, "--es", "device", self._adb.serial),
            *("--es", "protocol", "harness", "--ei", "threads", str(request.threads)),
            *("--ei", "warmup", str(request.warmup), "--ei", "runs", str(request.runs)),
            *(("--ef", "seconds", f"{seconds:g}") if seconds else ()),
        ]
        start = ["am", "start", "-W", "-n", f"{self._application}/{ACTIVITY}", *extras]
        mine = re.escape(self._application)
        # of the lines of earlier runs, which a clock that was set back brings again, none names this output
        ends = rf'^\{{"error"|{re.escape(output)}|Process: {mine}|Process {mine} \(pid [0-9]+\) has died'
        wait = ["logcat", "-b", "main,system,crash", "-v", "raw", "-m", "1", "-e", ends]
        tags = ["EDGEBUNDLE_RUN:I", "AndroidRuntime:E", "ActivityManager:I", "*:S"]
        line = (
            f"input keyevent KEYCODE_WAKEUP; wm dismiss-keyguard; am force-stop {quote_words(self._application)}; "
            f"edgebundle_now=$(date '+%m-%d %H:%M:%S.000'); {quote_words(*start)} 1>&2 && "
            f'{quote_words(*wait)} -T "$edgebundle_now" {quote_words(*tags)}'
        )
        try:
            result = self._adb.shell(line, doing="measure with the app", timeout_s=request.timeout_s + seconds)
        except DeviceLost as error:
            if isinstance(error.__cause__, process.ToolTimeout):
                self._require_still_there()
                raise Silent(str(error)) from error
            raise
        if result.status or "Error" in result.stderr:
            said = " ".join(result.stderr.split())[-300:] or f"status {result.status}"
            raise DeviceError(f"{self._adb.serial} could not start {self._application}: {said.rstrip('.')}.")
        return result.stdout

    def _find_left(self, output: str, silent: Silent) -> Place:
        """Where the record lies of an app whose line was lost. Raises `silent` when there is none, with the app stopped."""
        folder = f"/storage/emulated/0/Android/data/{self._application}/files"
        if self._adb.shell(quote_words("test", "-e", f"{folder}/{output}"), doing="look for the app's record").status:
            self._adb.shell(quote_words("am", "force-stop", self._application), doing="stop the app")
            raise silent
        return Place(folder=folder, run_id=None)

    def _parse_told(self, printed: str, request: Request, output: str) -> Place:
        """What the app's line tells. Raises DeviceError with its own words when it failed, or when it died."""
        where = f"the app on {self._adb.serial}"
        match = LINE.search(printed)
        if match is None:
            died = DIED.search(printed) is not None
            what = "died" if died else "ended without a word"
            raise DeviceError(
                f"{where} {what} while it measured variant {request.variant.id}; look at 'adb logcat -b crash', and run again."
            )
        try:
            told = json.loads(match.group(1))
        except ValueError as error:
            raise DeviceError(f"{where} wrote a damaged line ({error}); run again.") from error
        if "error" in told:
            raise DeviceError(f"{where} failed on variant {request.variant.id}: {str(told['error']).rstrip('.')}.")
        file = re.fullmatch(
            rf"(/storage/emulated/\d+/Android/data/{re.escape(self._application)}/files)/{re.escape(output)}",
            str(told.get("file", "")),
        )
        if file is None:
            raise DeviceError(f"{where} answered for another run; run again.")
        return Place(folder=file.group(1), run_id=str(told.get("id")))

    def _record(self, path: Path, request: Request, run_id: str | None, *, lasting: bool) -> Run:
        """The app's record, of exactly the run that was asked for: the file's name is that run's, and so is `run_id` where it is known."""
        serial = self._adb.serial
        try:
            run = parse_run(path.read_text(encoding="utf-8").strip(), where=f"the record of {serial}")
        except (StoreError, UnicodeDecodeError) as error:
            raise DeviceError(f"{serial} gave a damaged record ({error}); run again.") from error
        if (run.id, run.variant, run.variant_sha256) != (run_id or run.id, request.variant.id, request.variant.sha256):
            raise DeviceError(f"{serial} gave the record of another run; package the bundle again, and run again.")
        if run.verdict.code == "hidden":
            raise DeviceError(
                f"the app on {serial} was not in the foreground all the time; leave the phone alone, switch its screen lock off, and run again."
            )
        done = len(run.latency_ns)
        if done < request.runs or (done > request.runs and not lasting):
            raise DeviceError(f"the app on {serial} did {done} runs, not {request.runs}; run again.")
        return run

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            install(self._adb, self._app, self._application)
        except BaseException:
            super().__exit__(None, None, None)
            raise
        return self
