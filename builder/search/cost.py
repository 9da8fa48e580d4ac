"""What an artifact costs to run, relative to the fp32 artifact: arm64 instructions counted under QEMU, or weighted MACs."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from threading import Event, Lock
from typing import Protocol

from builder import process
from builder.assemble import write_bundle
from builder.bundle import file_sha256, tree_files
from builder.cache import code_sha256, content_key, entry, locked, publishing
from builder.errors import ConversionError, Interrupted, VerificationError
from builder.precision.layers import LayerTable
from builder.precision.plan import uniform_plan
from builder.precision.scheme import parse_scheme
from builder.project import Project
from builder.search.space import Schemes
from builder.steps import SourceStep, VariantStep

DEVICE = "arm64"
RUNNABLE = ("tflite", "executorch")
MEASURE_S = 3600.0
DEVICES_S = 60.0
RUNS = "runs.jsonl"
UNSTABLE = 7  # the harness' exit code for a measurement that is not good enough; counts do not vary
INSTRUCTIONS = "arm64 NEON instructions counted under QEMU"
WEIGHTED_MACS = "MACs weighted by the width of their arithmetic"


class CostMeter(Protocol):
    """`name` says what is counted; `ratio` is that of fp32."""

    name: str

    def ratio(self, step: VariantStep, schemes: Schemes) -> float: ...


@dataclass(kw_only=True)
class MacCost:
    """MACs times arithmetic width over 32 bits: 1 for floats (16-bit floats are stored only), 1/4 for int8, 1/2 for int16."""

    layers: LayerTable
    name: str

    def ratio(self, step: VariantStep, schemes: Schemes) -> float:
        total = sum(layer.macs for layer in self.layers.layers)
        weighted = sum(layer.macs * _width(scheme) for layer, scheme in zip(self.layers.layers, schemes, strict=True))
        return round(weighted / total, 4)


def _width(name: str) -> float:
    scheme = parse_scheme(name, where="cost")
    return {"static": scheme.activation_bits / 32, "dynamic": 8 / 32}.get(scheme.mode, 1.0)


@dataclass(kw_only=True)
class InstructionCost:
    """One inference of the artifact as the arm64 runtime executes it, counted by `harness run -d arm64`; kept by content.

    `floats` makes the fp32 artifact, whose count is the unit; emulated float arithmetic takes the longest of all, so that
    it is counted in the background while plans are exported. A count belongs to the bytes of an artifact and to an input.
    """

    project: Project
    source: SourceStep
    floats: Callable[[], VariantStep]
    stop: Event
    name: str = INSTRUCTIONS
    _base: Future[float] | None = None
    _guard: Lock = field(default_factory=Lock)

    def ratio(self, step: VariantStep, schemes: Schemes) -> float:
        """Raises VerificationError where the arm64 runtime refuses the artifact or gives another output."""
        base = self.begin()
        own = self.instructions(step)
        return round(own / base.result(), 4)

    def begin(self) -> Future[float]:
        """The count of fp32, begun where it was not."""
        with self._guard:
            if self._base is None:
                threads = ThreadPoolExecutor(1)
                self._base = threads.submit(lambda: self.instructions(self.floats()))
                threads.shutdown(wait=False)
            return self._base

    def instructions(self, step: VariantStep) -> float:
        artifact = step.folder / step.result.artifact
        parts = {file.relative_to(artifact).as_posix(): file_sha256(file) for file in tree_files(artifact)}
        sample = self.project.data.evaluation[0].sha256
        key = content_key({"artifact": parts, "sample": sample, "harness": harness_sha256()})
        with locked(f"cost {key}"):
            kept = entry("cost", key) / "instructions.json"
            if not kept.is_file():
                with publishing("cost", key) as work:
                    (work / kept.name).write_text(json.dumps(self._count(step)), encoding="utf-8")
            return float(json.loads(kept.read_text(encoding="utf-8")))

    def _hear(self) -> None:
        if self.stop.is_set():
            raise Interrupted("the count of instructions was stopped.")

    def _count(self, step: VariantStep) -> float:
        # The plan's text in the bundle plays no part in the count.
        project = replace(self.project, found={step.section.name: uniform_plan("fp32")})
        with tempfile.TemporaryDirectory(prefix="edgebundle-cost-") as name:
            folder = Path(name)
            (folder / "bundle").mkdir()
            write_bundle(project, self.source, [step], [self.source], folder / "bundle")
            # The protocol is named for its time limit: a large network takes minutes under QEMU.
            run: list[str | Path] = [
                "run",
                folder / "bundle",
                "-d",
                DEVICE,
                "-o",
                folder / RUNS,
                "--protocol",
                "standard",
                "-q",
            ]
            log = folder / "log.txt"
            limits = self.project.config.limits
            try:
                status = process.run_limited(
                    [sys.executable, "-m", "harness", *map(str, run)],
                    log=log,
                    timeout_s=MEASURE_S,
                    memory_bytes=int(limits.memory_gb * 1e9),
                    poll=self._hear,
                )
                record = json.loads((folder / RUNS).read_text(encoding="utf-8").splitlines()[-1])
                value, golden = record["instructions"]["value"], record["golden"]
            except (process.ToolError, OSError, ValueError, KeyError, IndexError, TypeError) as error:
                told = log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:] if log.is_file() else []
                raise ConversionError(
                    f"'harness run -d {DEVICE}' gave no count ({'; '.join(told) or error})."
                ) from error
        if status not in (0, UNSTABLE):
            raise VerificationError(f"'harness run -d {DEVICE}' ended with {status}: {record['verdict']}.")
        if value is None:
            raise VerificationError(f"{DEVICE} does not run the artifact: {record['verdict']}.")
        if golden is not None and not golden["passed"]:
            raise VerificationError(
                f"{DEVICE} gives another output than this machine ({golden['psnr_db']} dB, at least {golden['min_psnr_db']} dB is expected)."
            )
        return float(value)


def harness_sha256() -> str | None:
    """Hash of the installed harness, which holds the runtimes' versions; None where it is not installed."""
    found = find_spec("harness")
    return code_sha256(Path(found.origin).parent) if found and found.origin else None


def why_not_counted(backend: str) -> str | None:
    """Why instructions of this backend cannot be counted here, or None."""
    if backend not in RUNNABLE:
        return f"{DEVICE} runs no {backend}"
    try:
        done = process.run([sys.executable, "-m", "harness", "devices", "--json"], timeout_s=DEVICES_S)
        states = {device["kind"]: str(device["state"]) for device in json.loads(done.stdout)["devices"]}
    except (process.ToolError, ValueError, KeyError, TypeError) as error:
        return f"'harness devices' failed: {error}"
    state = states.get(DEVICE, "not known to the harness")
    return None if state == "ready" else state


def measure_name(backend: str) -> str:
    """What cost means here: counted where it can be, else weighted MACs with the reason."""
    reason = why_not_counted(backend)
    return INSTRUCTIONS if reason is None else f"{WEIGHTED_MACS} ({reason})"
