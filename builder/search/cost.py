"""What an artifact costs to run, relative to the fp32 artifact: arm64 instructions counted under QEMU, or weighted MACs."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from builder import process
from builder.assemble import write_bundle
from builder.cache import code_sha256, content_key, entry, locked, publishing
from builder.errors import ConversionError, VerificationError
from builder.precision.layers import LayerTable
from builder.precision.plan import uniform_plan
from builder.precision.scheme import parse_scheme
from builder.project import Project
from builder.search.space import Schemes
from builder.steps import SourceStep, VariantStep

DEVICE = "arm64"
RUNNABLE = ("tflite", "executorch")
MEASURE_S = 600.0
DEVICES_S = 60.0
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
    """One inference of the artifact as the arm64 runtime executes it, counted by `harness run -d arm64`; kept by content."""

    project: Project
    source: SourceStep
    base: float = 0.0
    name: str = INSTRUCTIONS

    def ratio(self, step: VariantStep, schemes: Schemes) -> float:
        """Raises VerificationError where the arm64 runtime refuses the artifact or gives another output."""
        return round(self.instructions(step) / self.base, 4)

    def instructions(self, step: VariantStep) -> float:
        key = content_key({"variant": step.key, "source": self.source.key, "harness": harness_sha256()})
        with locked(f"cost {key}"):
            kept = entry("cost", key) / "instructions.json"
            if not kept.is_file():
                with publishing("cost", key) as work:
                    (work / kept.name).write_text(json.dumps(self._count(step)), encoding="utf-8")
            return float(json.loads(kept.read_text(encoding="utf-8")))

    def _count(self, step: VariantStep) -> float:
        # The plan's text in the bundle plays no part in the count.
        project = replace(self.project, found={step.section.name: uniform_plan("fp32")})
        with tempfile.TemporaryDirectory(prefix="edgebundle-cost-") as name:
            folder = Path(name)
            (folder / "bundle").mkdir()
            write_bundle(project, self.source, [step], folder / "bundle")
            run: list[str | Path] = ["run", folder / "bundle", "-d", DEVICE, "-o", folder / "runs.jsonl", "--json"]
            try:
                done = process.run([sys.executable, "-m", "harness", *run], timeout_s=MEASURE_S, check=False)
                runs = json.loads(done.stdout)["runs"]
                value, golden = runs[0]["instructions"]["value"], runs[0]["golden"]
            except (process.ToolError, ValueError, KeyError, IndexError, TypeError) as error:
                raise ConversionError(f"'harness run -d {DEVICE}' gave no count ({error}).") from error
        if value is None:
            raise VerificationError(f"{DEVICE} does not run the artifact: {runs[0]['verdict']}.")
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
