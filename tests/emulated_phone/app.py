"""The benchmark app of an emulated phone: installed by adb, started by an intent, answering in the log and in a file.

What it writes has the form of mobile/android (`RunRecord.kt`, `BenchmarkRunner.kt`), whose own tests run the real code; the numbers come
from the seeded model of a phone. Faults are those of apps: refused installations, crashes, other runs' answers.
"""

from __future__ import annotations

import json
import re
import shlex
import uuid
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.devices.android.apk import read_application_id
from tests.emulated_phone.connection import Stream
from tests.emulated_phone.faults import Faults
from tests.emulated_phone.log import Log
from tests.emulated_phone.physics import PhysicalPhone

FILES = "storage/emulated/0/Android/data"


@dataclass(kw_only=True)
class AppFaults:
    """`refuse_once` and `refuse`: what installing ends with, e.g. INSTALL_FAILED_USER_RESTRICTED. `ends`: how a started app ends, one of
    `exception`, `died`, `error`, `silent`. `edit`: what becomes of a record before it is written."""

    refuse_once: str | None = None
    refuse: str | None = None
    ends: str | None = None
    edit: dict[str, object] = field(default_factory=dict)


class Apps:
    """Installed apps of a phone whose files lie below `root`; they measure on its physics, or on a model of their own."""

    def __init__(self, root: Path, faults: Faults, physics: PhysicalPhone | None) -> None:
        self.root, self.faults, self._phone = root, AppFaults(), faults
        self._log = Log(faults)
        self.installs = 0
        self._physics = physics or PhysicalPhone(seed=1)

    def install(self, stream: Stream, words: list[str]) -> None:
        """`cmd package install -r -d -S BYTES`: the APK follows on the stream."""
        size = int(words[words.index("-S") + 1])
        content = stream.read(size)
        refusal = self.faults.refuse or self.faults.refuse_once
        self.faults.refuse_once = None
        if refusal is not None:
            stream.write(f"Failure [{refusal}: it was told so]\n".encode())
            return
        folder = self.root / "data/app"
        folder.mkdir(parents=True, exist_ok=True)
        incoming = folder / "incoming.apk"
        incoming.write_bytes(content)
        place = folder / read_application_id(incoming)
        place.mkdir(exist_ok=True)
        incoming.replace(place / "base.apk")
        self.installs += 1
        stream.write(b"Success\n")

    def uninstall(self, application: str) -> str:
        (self.root / "data/app" / application / "base.apk").unlink()
        return "Success\n"

    def path(self, application: str) -> str | None:
        place = self.root / "data/app" / application / "base.apk"
        return f"package:/data/app/{application}/base.apk\n" if place.is_file() else None

    def start(self, command: str) -> str | None:
        """What logcat gives to the one who has started an app by an intent and waits; None: it waits for ever."""
        position = self._log.position(self._log.read_now_s())
        if (text := self._run(command)) is None:
            return ""
        self._log.write(text)
        return self._log.first(position, command)

    def _run(self, command: str) -> str | None:
        """The line of the log that tells how an app ended; None: logcat ends without one."""
        found = re.search(r"am start -W -n (\S+)/\S+ (.*?) 1>&2", command)
        assert found is not None, command
        application, words = found.group(1), shlex.split(found.group(2))
        extras = {name: value for _, name, value in zip(words[::3], words[1::3], words[2::3], strict=True)}
        match self.faults.ends:
            case "exception":
                return f"FATAL EXCEPTION: pool-3-thread-1\nProcess: {application}, PID: 4711\n"
            case "died":
                return f"Process {application} (pid 4711) has died: fg  TOP \n"
            case "error":
                return json.dumps({"error": "the model needs more memory than this phone has."}) + "\n"
            case "silent":
                return None
        with zipfile.ZipFile(self.root / "data/app" / application / "base.apk") as archive:
            name = next(entry for entry in archive.namelist() if entry.endswith("/manifest.json"))
            manifest = json.loads(archive.read(name))
        record = self._record(manifest, extras)
        folder = self.root / FILES / application / "files"
        folder.mkdir(parents=True, exist_ok=True)
        hidden = {"verdict": {"grade": "invalid", "code": "hidden", "detail": {}}} if self._phone.locked else {}
        written = json.dumps(record | hidden | self.faults.edit)
        (folder / extras["output"]).write_text(written + "\n", encoding="utf-8")
        line = {
            "id": record["id"],
            "variant": record["variant"],
            "median_ns": 1,
            "verdict": "ok",
            "file": f"/{FILES}/{application}/files/{extras['output']}",
        }
        return json.dumps(line) + "\n"

    def _record(self, manifest: dict[str, Any], extras: dict[str, str]) -> dict[str, object]:
        variant = next(entry for entry in manifest["variants"] if entry["id"] == extras["variant"])
        runs = int(extras["runs"])
        self._physics.begin_run()
        latency = [round(self._physics.infer(0.005) * 1e9) for _ in range(runs)]
        unknown: dict[str, object] = {"value": None, "unit": "degC", "reason": "not told"}
        conditions = {
            "temperature_c": unknown,
            "thermal_status": {"value": 0, "unit": "status", "reason": None},
            "battery_percent": {"value": 78, "unit": "%", "reason": None},
            "charging": {"value": "discharging", "reason": None},
            "clocks_mhz": [],
        }
        return {
            "schema": 2,
            "id": str(uuid.uuid4()),
            "started_at": "2026-01-02T03:04:05Z",
            "model_name": manifest["model"]["name"],
            "bundle_sha256": "0" * 64,
            "variant": variant["id"],
            "variant_sha256": variant["sha256"],
            "variant_bytes": variant["bytes"],
            "backend": variant["backend"],
            "device": {"kind": "android", "id": extras["device"]}
            | {key: {"value": key, "reason": None} for key in ("model", "soc", "os", "build", "abi")},
            "mode": "app",
            "runtime": "TensorFlow Lite",
            "runtime_version": "2.16.1",
            "delegate_requested": variant["delegate"],
            "delegate_executed": {"value": variant["delegate"], "reason": None},
            "threads": int(extras["threads"]),
            "protocol": {"name": extras["protocol"], "warmup": int(extras["warmup"]), "runs": runs},
            "conditions_start": conditions,
            "conditions_end": conditions,
            "metric": "latency",
            "simulated": None,
            "load_ns": {"value": 5e6, "unit": "ns", "reason": None},
            "first_ns": {"value": 9e6, "unit": "ns", "reason": None},
            "latency_ns": latency,
            "instructions": {"value": None, "unit": "instructions", "reason": "instructions are counted on arm64 only"},
            "peak_memory_bytes": {"value": 9e7, "unit": "B", "reason": None},
            "samples": [],
            "golden": {"id": "0", "passed": True, "psnr_db": 88.0, "max_abs_error": 0.001, "min_psnr_db": 45.0},
            "golden_reason": None,
            "verdict": {"grade": "ok", "code": "ok", "detail": {}},
        }
