"""What a run is worth: `ok`, `unstable: why` (measured, but not good enough) or `invalid: why` (must not be used)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from builder.bundle import Bundle, Golden
from builder.bundle.tensors import as_golden, golden_tensor, peak_of, psnr_db, specs_of
from harness.analysis.processor_use import load_beside
from harness.errors import MeasurementError, VerificationError
from harness.records.run import Conditions, GoldenResult, Run
from harness.statistics import stationarity, summarize

if TYPE_CHECKING:
    from harness.records.tensors import Tensors

MAX_DISPERSION = (
    0.10  # 1.4826 MAD / median of the warm latencies; above it neither the median nor a comparison means much
)
MAX_UNCERTAINTY = 0.05  # how far the 95 % interval may reach from the median
MAX_LOAD = 20.0  # percent of all processors that others may use meanwhile: as much as `standard` lets begin (conditions.max_load)
SAME_CLOCK = 0.01  # relative; kernels round clocks to their own steps
# the first words of what makes a run invalid though its output is right: the measurement is no measurement of the variant
DISTURBED = ("no latencies", "throttled", "clocks changed", "not stationary")
STATUS_NAMES = ("NONE", "LIGHT", "MODERATE", "SEVERE", "CRITICAL", "EMERGENCY", "SHUTDOWN")  # android.os.PowerManager

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
    specs = {spec.name: spec for spec in specs_of(bundle.manifest.outputs, bundle.variant(variant_id).outputs)}
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


def judged(run: Run) -> Run:
    """The run with the verdict that its own fields give; what it said before does not count."""
    return run.model_copy(update={"verdict": verdict_of(run)})


def verdict_of(run: Run) -> str:
    """The first thing that speaks against a run, worst first: a wrong output, a measurement that is none, one that is poor."""
    wrong = _wrong_output(run) or (_disturbed(run) if run.metric == "latency" else None)
    if wrong is not None:
        return f"invalid: {wrong}"
    if run.golden is None:
        return f"unstable: the output was not checked ({run.golden_reason})"
    if run.delegate_executed.value is None:
        return f"unstable: which delegate executed is unknown ({run.delegate_executed.reason})"
    if _went_dark(run):
        return "unstable: the screen went off while it was measured, which changes how its programs are scheduled"
    beside = load_beside(run).value
    if beside is not None and beside > MAX_LOAD:
        return f"unstable: other programs used {beside:.0f} % of the processors while it was measured (limit {MAX_LOAD:.0f} %)"
    noise = _noise(run) if run.metric == "latency" and not run.protocol.sustained else None
    return "ok" if noise is None else f"unstable: {noise}"


def _wrong_output(run: Run) -> str | None:
    golden, executed = run.golden, run.delegate_executed.value
    if golden is not None and not golden.passed:
        return f"golden {golden.id} reached {golden.psnr_db:.1f} dB, the bundle asks for {golden.min_psnr_db:.1f} dB"
    if golden is None and run.golden_reason is not None and "not finite" in run.golden_reason:
        return run.golden_reason
    if executed is not None and executed != run.delegate_requested:
        return f"{executed} executed it, {run.delegate_requested} was asked for"
    return None


def _disturbed(run: Run) -> str | None:
    """Half a sentence beginning with a word of DISTURBED."""
    if not run.latency_ns:
        return "no latencies came from the device"
    if run.protocol.sustained:
        return None
    hottest = throttling_status(run)
    if hottest:
        return f"throttled: the device told thermal status {hottest} ({STATUS_NAMES[min(hottest, 6)]})"
    before, after = clock_ceiling(run.conditions_start), clock_ceiling(run.conditions_end)
    if before is not None and after is not None and abs(after / before - 1) > SAME_CLOCK:
        return f"clocks changed: their limits went from {before:.0f} to {after:.0f} MHz on average"
    found = stationarity(run.latency_ns)
    return None if found.stationary else f"not stationary: the latency {found.reason}"


def _went_dark(run: Run) -> bool:
    before, after = run.conditions_start.screen, run.conditions_end.screen
    return before is not None and after is not None and (before.value, after.value) == ("on", "off")


def throttling_status(run: Run) -> int:
    """The highest thermal status told before, during and after a run; 0 where none was told."""
    told = [run.conditions_start.thermal_status.value, run.conditions_end.thermal_status.value]
    told += [sample.value for sample in run.samples if sample.unit == "status"]
    return int(max((value for value in told if value is not None), default=0))


def clock_ceiling(state: Conditions) -> float | None:
    """Mean over the CPUs of the highest clock that each may take, in MHz; None where a limit is unknown."""
    known = [limit.value for limit in state.clock_limits_mhz if limit.value is not None]
    return sum(known) / len(known) if known and len(known) == len(state.clock_limits_mhz) else None


def _noise(run: Run) -> str | None:
    summary = summarize(run.latency_ns)
    if summary.dispersion > MAX_DISPERSION:
        return f"the warm latencies vary by {summary.dispersion:.0%} of their median (limit {MAX_DISPERSION:.0%})"
    reach = max(summary.high - summary.median, summary.median - summary.low) / summary.median if summary.median else 0.0
    if reach > MAX_UNCERTAINTY:
        return f"the 95 % interval reaches {reach:.0%} from the median (limit {MAX_UNCERTAINTY:.0%})"
    return None


def exit_code(text: str) -> int:
    """What a verdict means to a gate: 0 good, 5 the output is wrong or something else executed, 7 the measurement is not good enough.

    An invalid run for a reason that is not known here counts as the worst.
    """
    word = grade(text)
    if word == "ok":
        return 0
    if word == "unstable" or text.partition(":")[2].strip().startswith(DISTURBED):
        return MeasurementError.exit_code
    return VerificationError.exit_code


def grade(text: str) -> Grade:
    """First word of a verdict; anything unknown counts as invalid."""
    word = text.partition(":")[0].strip()
    if word == "ok":
        return "ok"
    return "unstable" if word == "unstable" else "invalid"
