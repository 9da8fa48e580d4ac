"""`harness compare`: which variants became faster or slower, and which runs may not be compared at all."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import UsageError
from harness.records import Run
from harness.report.model import latest
from harness.report.text import device_label
from harness.statistics import Ratio, ratio_of_medians
from harness.verdicts import grade


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One variant on one device, latest run against latest run.

    `refused` says why the two may not be compared; otherwise `ratio` (latencies) or `instructions` (exact counts: base, new) is set.
    """

    variant: str
    device: str
    base: Run
    new: Run
    refused: str | None = None
    ratio: Ratio | None = None
    instructions: tuple[int, int] | None = None

    @property
    def verdict(self) -> str:
        if self.refused is not None:
            return f"not comparable: {self.refused}"
        if self.ratio is not None:
            same = (
                self.base.variant_sha256 == self.new.variant_sha256
                and self.ratio.verdict != "no significant difference"
            )
            return self.ratio.verdict + (" (the same artifact: only the conditions differ)" if same else "")
        assert self.instructions is not None  # one of the three is always set
        base, new = self.instructions
        return "the same count" if base == new else f"{'more' if new > base else 'fewer'} instructions"


def compare_runs(base: list[Run], new: list[Run]) -> tuple[Comparison, ...]:
    """Compare every variant and device that both sides measured. Raises UsageError when there is none."""
    if not base or not new:
        raise UsageError(
            f"there is nothing to compare: {'BASE' if not base else 'NEW'} holds no runs; measure with 'harness run'."
        )
    found = []
    for run in latest(new):
        same_variant = [candidate for candidate in latest(base) if candidate.variant == run.variant]
        same_device = [candidate for candidate in same_variant if _device(candidate) == _device(run)]
        if same_variant:
            found.append(_compare(base=(same_device or same_variant)[0], new=run))
    if not found:
        raise UsageError(f"BASE and NEW share no variant: {_variants(base)} there, {_variants(new)} here.")
    return tuple(found)


def _compare(*, base: Run, new: Run) -> Comparison:
    reason = incomparable(base, new)
    label = device_label(new)
    if reason is not None:
        return Comparison(variant=new.variant, device=label, base=base, new=new, refused=reason)
    if new.metric == "instructions":
        before, after = base.instructions.value, new.instructions.value
        if before is None or after is None:
            missing = base.instructions.reason if before is None else new.instructions.reason
            return Comparison(
                variant=new.variant, device=label, base=base, new=new, refused=f"no instruction count ({missing})"
            )
        return Comparison(variant=new.variant, device=label, base=base, new=new, instructions=(int(before), int(after)))
    if not all(base.latency_ns) or not all(new.latency_ns) or not base.latency_ns or not new.latency_ns:
        return Comparison(
            variant=new.variant, device=label, base=base, new=new, refused="a run has no or zero latencies"
        )
    return Comparison(
        variant=new.variant, device=label, base=base, new=new, ratio=ratio_of_medians(base.latency_ns, new.latency_ns)
    )


def incomparable(base: Run, new: Run) -> str | None:
    """The first reason why two runs measure different things, or None when only the artifact differs."""
    for run, side in ((base, "BASE"), (new, "NEW")):
        if grade(run.verdict) != "ok":
            return f"the run of {side} is {run.verdict}"
    facts = (
        ("device", device_label(base), device_label(new)),
        ("operating system", base.device.os.value, new.device.os.value),
        ("build", base.device.build.value, new.device.build.value),
        ("simulation", base.simulated or "none", new.simulated or "none"),
        ("metric", base.metric, new.metric),
        ("mode", base.mode, new.mode),
        ("runtime", f"{base.runtime} {base.runtime_version}", f"{new.runtime} {new.runtime_version}"),
        ("delegate", base.delegate_executed.value, new.delegate_executed.value),
        ("threads", base.threads, new.threads),
        ("protocol", _protocol(base), _protocol(new)),
    )
    for what, before, after in facts:
        if before != after:
            return f"different {what}: {before} and {after}"
    return None


def _protocol(run: Run) -> str:
    return f"{run.protocol.name} ({run.protocol.warmup} + {run.protocol.runs} runs)"


def _device(run: Run) -> tuple[str, str]:
    return run.device.kind, run.device.id


def _variants(runs: list[Run]) -> str:
    return ", ".join(dict.fromkeys(run.variant for run in runs))
