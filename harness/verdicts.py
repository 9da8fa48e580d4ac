"""What a run is worth: `ok`, `unstable: why` (measured, but not good enough) or `invalid: why` (must not be used)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from builder.bundle import Bundle, Golden
from builder.bundle.tensors import as_golden, golden_tensor, peak_of, psnr_db
from harness.records import GoldenResult, TextReading
from harness.statistics import summarize

if TYPE_CHECKING:
    from harness.devices.base import Tensors

MAX_DISPERSION = (
    0.10  # 1.4826 MAD / median of the warm latencies; above it neither the median nor a comparison means much
)
MAX_UNCERTAINTY = 0.05  # how far the 95 % interval may reach from the median; a change of level within a run widens it

Grade = Literal["ok", "unstable", "invalid"]


def check_golden(
    bundle: Bundle, golden: Golden, variant_id: str, outputs: Tensors
) -> tuple[GoldenResult | None, str | None]:
    """Compare a device's outputs with a golden: the worst tensor counts. Without a result, the reason why."""
    expected = next((e for e in golden.expected if e.variant == variant_id), None)
    if expected is None:
        return None, f"golden {golden.id} has no expected output for variant {variant_id}"
    if not outputs:
        return None, "the device gave no outputs"
    specs = {spec.name: spec for spec in bundle.manifest.outputs}
    psnr, error = [], []
    for tensor in expected.tensors:
        spec = specs[tensor.name]
        want = golden_tensor(bundle.root, tensor, spec)
        raw = np.asarray(outputs[tensor.name], np.float32)
        if not np.isfinite(raw).all():
            return None, f"output {tensor.name} holds values that are not finite"
        got = as_golden(raw, spec, tensor.encoding)
        psnr.append(psnr_db(got, want, peak_of(spec, want)))
        error.append(float(np.max(np.abs(got - want), initial=0)))
    result = GoldenResult(
        id=golden.id,
        passed=min(psnr) >= expected.min_psnr_db,
        psnr_db=min(psnr),
        max_abs_error=max(error),
        min_psnr_db=expected.min_psnr_db,
    )
    return result, None


def verdict(
    *,
    golden: GoldenResult | None,
    golden_reason: str | None,
    delegate_requested: str,
    delegate_executed: TextReading,
    metric: Literal["latency", "instructions"],
    latency_ns: tuple[int, ...],
) -> str:
    """The first thing that speaks against a run, worst first."""
    if golden is not None and not golden.passed:
        return f"invalid: golden {golden.id} reached {golden.psnr_db:.1f} dB, the bundle asks for {golden.min_psnr_db:.1f} dB"
    if golden is None and golden_reason is not None and "not finite" in golden_reason:
        return f"invalid: {golden_reason}"
    if delegate_executed.value is not None and delegate_executed.value != delegate_requested:
        return f"invalid: {delegate_executed.value} executed it, {delegate_requested} was asked for"
    if golden is None:
        return f"unstable: the output was not checked ({golden_reason})"
    if delegate_executed.value is None:
        return f"unstable: which delegate executed is unknown ({delegate_executed.reason})"
    if metric == "latency":
        if not latency_ns:
            return "invalid: the device gave no latencies"
        summary = summarize(latency_ns)
        if summary.dispersion > MAX_DISPERSION:
            return f"unstable: the warm latencies vary by {summary.dispersion:.0%} of their median (limit {MAX_DISPERSION:.0%})"
        reach = (
            max(summary.high - summary.median, summary.median - summary.low) / summary.median if summary.median else 0.0
        )
        if reach > MAX_UNCERTAINTY:
            return f"unstable: the 95 % interval reaches {reach:.0%} from the median (limit {MAX_UNCERTAINTY:.0%})"
    return "ok"


def grade(text: str) -> Grade:
    """First word of a verdict; anything unknown counts as invalid."""
    word = text.partition(":")[0].strip()
    if word == "ok":
        return "ok"
    return "unstable" if word == "unstable" else "invalid"
