"""What a run is worth: the rule that gives each run its verdict (harness/records/verdict.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from builder.bundle import Bundle, Golden
from builder.bundle.tensors import EQUAL_DB, as_golden, find_peak, list_specs, measure_psnr_db, read_golden
from harness.analysis.processor_use import load_beside
from harness.errors import MeasurementError, VerificationError
from harness.records.run import Conditions, GoldenResult, Run
from harness.records.verdict import DISTURBED, Verdict
from harness.statistics import judge_stationarity, summarize
from harness.statistics.change import Stationarity

if TYPE_CHECKING:
    from harness.records.tensors import Tensors

# 1.4826 MAD / median of the warm latencies; above it neither the median nor a comparison means much.
MAX_DISPERSION = 0.10
# How far the 95 % interval may reach from the median.
MAX_UNCERTAINTY = 0.05
# Percent of all processors that others may use meanwhile: as much as `standard` lets begin (conditions.max_load).
MAX_LOAD = 20.0
# By which a record may have rounded its decibels.
ROUNDED_DB = 0.01
# Relative; kernels round clocks to their own steps.
SAME_CLOCK = 0.01


def check_golden(
    bundle: Bundle, golden: Golden, variant_id: str, outputs: Tensors
) -> tuple[GoldenResult | None, str | None]:
    """Compare a device's outputs with a golden: the worst tensor counts. Without a result, the reason why."""
    expected = next((e for e in golden.expected if e.variant == variant_id), None)
    if expected is None:
        return None, f"golden {golden.id} has no expected output for variant {variant_id}"
    if not outputs:
        return None, "the device gave no outputs"
    specs = {spec.name: spec for spec in list_specs(bundle.manifest.outputs, bundle.variant(variant_id).outputs)}
    psnr, error = [], []
    for tensor in expected.tensors:
        spec = specs[tensor.name]
        want = read_golden(bundle.root, tensor, spec)
        raw = np.asarray(outputs[tensor.name], np.float32)
        if not np.isfinite(raw).all():
            return _replace_not_finite(golden, expected.min_psnr_db), None
        got = as_golden(raw, spec, tensor.encoding)
        psnr.append(measure_psnr_db(got, want, find_peak(spec, want)))
        error.append(float(np.max(np.abs(got - want), initial=0)))
    result = GoldenResult(
        id=golden.id,
        passed=min(psnr) >= expected.min_psnr_db,
        psnr_db=min(psnr),
        max_abs_error=max(error),
        min_psnr_db=expected.min_psnr_db,
    )
    return result, None


def _replace_not_finite(golden: Golden, min_psnr_db: float) -> GoldenResult:
    """As apps write it: JSON has no infinity, so that the largest float32 stands for the error."""
    largest = float(np.finfo(np.float32).max)
    return GoldenResult(id=golden.id, passed=False, psnr_db=-EQUAL_DB, max_abs_error=largest, min_psnr_db=min_psnr_db)


def judge(run: Run) -> Run:
    """The run with the verdict that its own fields give; of what it said before only `hidden` counts, which only an app sees."""
    return run.model_copy(update={"verdict": judge_run(run)})


def judge_run(run: Run) -> Verdict:
    """The first thing that speaks against a run, worst first: a wrong output, a measurement that is none, one that is poor."""
    rules = (_find_wrong_output, _judge_hidden, _judge_disturbed, _judge_unchecked, _judge_dark, _judge_load, _noise)
    return next((verdict for rule in rules if (verdict := rule(run)) is not None), Verdict.of("ok"))


def _find_wrong_output(run: Run) -> Verdict | None:
    golden, executed = run.golden, run.delegate_executed.value
    if golden is not None and (not golden.passed or golden.psnr_db < golden.min_psnr_db - ROUNDED_DB):
        if golden.psnr_db <= -EQUAL_DB:
            return Verdict.of("not_finite", golden=golden.id)
        return Verdict.of("golden_failed", golden=golden.id, psnr_db=golden.psnr_db, min_psnr_db=golden.min_psnr_db)
    if executed is not None and executed != run.delegate_requested:
        return Verdict.of("other_delegate", executed=executed, requested=run.delegate_requested)
    return None


def _judge_hidden(run: Run) -> Verdict | None:
    return run.verdict if run.verdict.code == "hidden" else None


def _judge_disturbed(run: Run) -> Verdict | None:
    """One of DISTURBED, of a run that is judged by its latency."""
    if run.metric != "latency":
        return None
    if not run.latency_ns:
        return Verdict.of("no_latencies")
    if run.protocol.sustained:
        return None
    hottest = find_throttling_status(run)
    if hottest:
        return Verdict.of("throttled", status=hottest)
    before, after = find_clock_ceiling(run.conditions_start), find_clock_ceiling(run.conditions_end)
    if before is not None and after is not None and abs(after / before - 1) > SAME_CLOCK:
        return Verdict.of("clocks_changed", before_mhz=before, after_mhz=after)
    return _judge_moved(judge_stationarity(run.latency_ns))


def _judge_moved(series: Stationarity) -> Verdict | None:
    """How a series is not stationary, None when it is."""
    if series.stationary:
        return None
    if series.drifts:
        return Verdict.of("drifted", drift=series.drift)
    first = series.shifts[0]
    if len(series.shifts) == 1:
        return Verdict.of("changed_level", change=first.after / first.before - 1, sample=first.at + 1)
    return Verdict.of("changed_levels", times=len(series.shifts), change=series.change, sample=first.at + 1)


def _judge_unchecked(run: Run) -> Verdict | None:
    if run.golden is None:
        return Verdict.of("unchecked", reason=str(run.golden_reason))
    if run.delegate_executed.value is None:
        return Verdict.of("delegate_unknown", reason=str(run.delegate_executed.reason))
    return None


def _judge_dark(run: Run) -> Verdict | None:
    before, after = run.conditions_start.screen, run.conditions_end.screen
    dark = before is not None and after is not None and (before.value, after.value) == ("on", "off")
    return Verdict.of("screen_off") if dark else None


def _judge_load(run: Run) -> Verdict | None:
    beside = load_beside(run).value
    loaded = beside is not None and beside > MAX_LOAD
    return Verdict.of("others_load", percent=beside or 0.0, limit=MAX_LOAD) if loaded else None


def find_throttling_status(run: Run) -> int:
    """The highest thermal status told before, during and after a run; 0 where none was told."""
    told = [run.conditions_start.thermal_status.value, run.conditions_end.thermal_status.value]
    told += [sample.value for sample in run.samples if sample.unit == "status"]
    return int(max((value for value in told if value is not None), default=0))


def find_clock_ceiling(state: Conditions) -> float | None:
    """Mean over the CPUs of the highest clock that each may take, in MHz; None where a limit is unknown."""
    known = [limit.value for limit in state.clock_limits_mhz if limit.value is not None]
    return sum(known) / len(known) if known and len(known) == len(state.clock_limits_mhz) else None


def _noise(run: Run) -> Verdict | None:
    if run.metric != "latency" or run.protocol.sustained:
        return None
    summary = summarize(run.latency_ns)
    if summary.dispersion > MAX_DISPERSION:
        return Verdict.of("varies", part=summary.dispersion, limit=MAX_DISPERSION)
    reach = max(summary.high - summary.median, summary.median - summary.low) / summary.median if summary.median else 0.0
    return Verdict.of("uncertain", part=reach, limit=MAX_UNCERTAINTY) if reach > MAX_UNCERTAINTY else None


def choose_exit_code(verdict: Verdict) -> int:
    """What a verdict means to a gate: 0 good, 5 the output is wrong or something else executed, 7 the measurement is not good enough.

    An invalid run for a reason that is not known here counts as the worst.
    """
    if verdict.grade == "ok":
        return 0
    if verdict.grade == "unstable" or verdict.code in DISTURBED:
        return MeasurementError.exit_code
    return VerificationError.exit_code
