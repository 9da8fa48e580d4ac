"""`harness compare`: which variants became faster or slower, and which runs may not be compared at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from harness.analysis.grouping import Group, group_runs, label_device
from harness.analysis.nights import Nights, collect_nights, estimate_ratio_of_groups
from harness.analysis.one_sided import find_counterpart
from harness.analysis.session_verdict import judge_session
from harness.analysis.verdict import find_clock_ceiling
from harness.errors import UsageError
from harness.records.run import Run
from harness.statistics import Ratio, estimate_ratio_of_rounds, estimate_ratio_of_runs, holm, pair_ratio
from harness.statistics.ratio import FEWEST_PAIRS

# At the start of a run: the width of a band that cool-down by temperature keeps easily.
TEMPERATURE_BAND_C = 5.0
# Of the clock: probes round to steps of some MHz.
SAME_CLOCK = 0.01


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two artifacts on one device, each with the rounds of its last measurement.

    `refused` says why they may not be compared; otherwise `ratio` (latencies) or `instructions` (exact counts: base, new) is set.
    `base` and `new` are the last runs of the two sides, `left_out` names the runs of either that are not ok.
    """

    variant: str
    against: str
    device: str
    base: Run
    new: Run
    left_out: tuple[str, ...] = ()
    refused: str | None = None
    ratio: Ratio | None = None
    instructions: tuple[int, int] | None = None

    @property
    def verdict(self) -> str:
        """`faster`, `slower`, and so on; `fewer instructions` or `more` for counts; or why there is none."""
        if self.refused is not None:
            return f"not comparable: {self.refused}"
        if self.ratio is not None:
            said: str = self.ratio.verdict
            if said == "undecided":
                return (
                    f"undecided: how sessions differ is not known; measure {self.ratio.missing} more, or both builds in one session "
                    "('harness run BASE NEW')"
                )
            if said != "no significant difference" and self.base.variant_sha256 == self.new.variant_sha256:
                return f"{said} (the same artifact: only the conditions differ)"
            if said != "no significant difference" and self.ratio.basis == "one run":
                return f"{said} (one run a side: how a run differs from the next is not known)"
            return said
        assert self.instructions is not None  # one of the three is always set
        base, new = self.instructions
        return "the same count" if base == new else f"{'more' if new > base else 'fewer'} instructions"


def compare_runs(base: Iterable[Run], new: Iterable[Run]) -> tuple[Comparison, ...]:
    """Every variant and device that both sides measured; p-values corrected for their number by Holm. Raises UsageError for none."""
    base, new = list(base), list(new)
    before, after = group_runs(base), group_runs(new)
    history = collect_nights([*base, *new])
    if not before or not after:
        raise UsageError(
            f"there is nothing to compare: {'BASE' if not before else 'NEW'} holds no runs; measure with 'harness run'."
        )
    comparisons = []
    for group in after:
        held = find_counterpart(group, before)
        if held is not None:
            comparisons.append(compare_groups(held, group, history))
    if not comparisons:
        raise UsageError(f"BASE and NEW share no variant: {_variants(before)} there, {_variants(after)} here.")
    return correct_for_number(comparisons)


def compare_builds(runs: Iterable[Run]) -> tuple[Comparison, ...]:
    """The two builds that the newest session of each device measured in turns. Empty where none did."""
    every = list(runs)
    before = group_runs(every, baseline=True)
    comparisons = []
    for group in group_runs(every):
        base = next((candidate for candidate in before if candidate.place == group.place), None)
        if base is not None and base.last.session == group.last.session:
            comparisons.append(compare_groups(base, group))
    return correct_for_number(comparisons)


def compare_variants(runs: Iterable[Run]) -> tuple[Comparison, ...]:
    """On each device, every variant of one store against the first. Raises UsageError where no device has two."""
    comparisons = []
    first: dict[tuple[object, ...], Group] = {}
    for group in group_runs(runs):
        # a device whose runs are counts and one whose runs are times are never the same row
        base = first.setdefault((*group.place[1:], group.last.model_name), group)
        if base is not group:
            comparisons.append(compare_groups(base, group))
    if not comparisons:
        raise UsageError("there is nothing to compare: no device has runs of two variants; give a second store.")
    return correct_for_number(comparisons)


def correct_for_number(comparisons: Iterable[Comparison]) -> tuple[Comparison, ...]:
    """The same comparisons with p-values adjusted for how many they are."""
    entries = list(comparisons)
    places = [index for index, entry in enumerate(entries) if entry.ratio is not None]
    ratios = [ratio for entry in entries if (ratio := entry.ratio) is not None]
    for index, ratio, adjusted in zip(places, ratios, holm([ratio.p for ratio in ratios]), strict=True):
        entries[index] = replace(entries[index], ratio=replace(ratio, p_adjusted=adjusted))
    return tuple(entries)


def compare_groups(base: Group, new: Group, history: Nights | None = None) -> Comparison:
    """One comparison, of sides whose newest sessions are ok.

    Rounds that their protocols tolerate and runs of earlier sessions that are not ok are left out and named. Rounds that both sides
    measured in one session are paired.
    """
    good = [[run for run in group.runs if run.verdict.grade == "ok"] for group in (base, new)]
    entry = Comparison(
        variant=new.variant,
        against=base.variant,
        device=label_device(new.last),
        base=good[0][-1] if good[0] else base.last,
        new=good[1][-1] if good[1] else new.last,
        left_out=tuple(run.verdict.words for group in (base, new) for run in group.runs if run.verdict.grade != "ok"),
    )
    for side, group in (("BASE", base), ("NEW", new)):
        verdict = judge_session(group)
        if verdict.exit_code:
            what = "run" if len(verdict.runs) == 1 else "session"
            return replace(entry, refused=f"the {what} of {side} is {verdict.text}")
    same_variant = base.variant == new.variant
    for run in good[0][:-1] + good[1]:
        reason = explain_incomparable(entry.base, run, same_variant=same_variant)
        if reason is not None:
            return replace(entry, refused=reason)
    if entry.new.metric == "instructions":
        before, after = entry.base.instructions, entry.new.instructions
        if before.value is None or after.value is None:
            missing = before.reason if before.value is None else after.reason
            return replace(entry, refused=f"no instruction count ({missing})")
        return replace(entry, instructions=(int(before.value), int(after.value)))
    if not all(run.latency_ns and all(run.latency_ns) for side in good for run in side):
        return replace(entry, refused="a run has no or zero latencies")
    if _of_one_session(*good) or len(good[0]) == len(good[1]) == 1:
        return replace(entry, ratio=_ratio(*good))
    return replace(entry, ratio=estimate_ratio_of_groups(base, new, history or {}))


def _of_one_session(base: list[Run], new: list[Run]) -> bool:
    return base[-1].session is not None and base[-1].session == new[-1].session


def _ratio(base: list[Run], new: list[Run]) -> Ratio:
    rounds = [
        {(run.session, run.round): run.latency_ns for run in side if run.round is not None} for side in (base, new)
    ]
    both = [key for key in rounds[0] if key in rounds[1] and key[0] is not None]
    if len(both) >= FEWEST_PAIRS:
        return pair_ratio([rounds[0][key] for key in both], [rounds[1][key] for key in both])
    if len(base) == len(new) == 1:
        return estimate_ratio_of_runs(base[0].latency_ns, new[0].latency_ns)
    return estimate_ratio_of_rounds([run.latency_ns for run in base], [run.latency_ns for run in new])


def explain_incomparable(
    base: Run, new: Run, *, same_variant: bool = True, apart_from: frozenset[str] = frozenset()
) -> str | None:
    """The first reason why two runs measure different things, or None when only the artifact differs.

    Two builds of one variant must have run in the same runtime and delegate; for two variants those are part of the choice. `apart_from`
    names what may differ because it is what is compared.
    """
    facts: tuple[tuple[str, Callable[[Run], object]], ...] = (
        # the first: a simulator's time is its computer's, and says nothing of a device, whatever else is equal
        ("simulation", lambda run: run.simulated or "none"),
        ("way of measuring", lambda run: "natively" if run.browser is None else f"by a page in {run.browser.name}"),
        ("device", label_device),
        ("device model", lambda run: run.device.model.value),
        ("operating system", lambda run: run.device.os.value),
        ("build", lambda run: run.device.build.value),
        ("metric", lambda run: run.metric),
        ("mode", lambda run: run.mode),
        ("browser", lambda run: run.browser and run.browser.version),
        ("GPU", lambda run: run.browser and run.browser.gpu.value if run.delegate_executed.value == "gpu" else None),
        ("runtime", lambda run: f"{run.runtime} {run.runtime_version}" if same_variant else None),
        ("delegate", lambda run: run.delegate_executed.value if same_variant else None),
        ("threads", lambda run: run.threads),
        ("cores", lambda run: run.cores or "any"),
        ("protocol", _protocol),
        ("input", lambda run: run.input_sha256 and run.input_sha256[:12]),
    )
    for what, fact in facts:
        before, after = fact(base), fact(new)
        if before != after and what not in apart_from:
            return f"different {what}: {before} and {after}"
    return _find_different_state(base, new) if base.metric == "latency" else None


def _find_different_state(base: Run, new: Run) -> str | None:
    first, second = base.conditions_start.temperature_c, new.conditions_start.temperature_c
    if (first.value is None) != (second.value is None):
        return f"a start temperature is unknown ({first.reason or second.reason})"
    of = [run.conditions_start.temperature_of for run in (base, new)]
    sources = [(told.value or "").partition(" ")[0] for told in of if told is not None]
    if len(sources) == 2 and sources[0] != sources[1]:
        return f"different sensors of the temperature: {sources[0]} and {sources[1]}"
    if first.value is not None and second.value is not None and abs(first.value - second.value) > TEMPERATURE_BAND_C:
        return (
            f"different temperature: {first.value:.1f} and {second.value:.1f} °C at the start, "
            f"more than {TEMPERATURE_BAND_C:g} °C apart"
        )
    before, after = find_clock_ceiling(base.conditions_start), find_clock_ceiling(new.conditions_start)
    if before is not None and after is not None and abs(after / before - 1) > SAME_CLOCK:
        return f"different clocks: limits of {before:.0f} and {after:.0f} MHz on average"
    return None


def _protocol(run: Run) -> str:
    """Its name and what it fixes; how many samples it took until the interval was narrow enough is a result."""
    if run.protocol.sustained:
        return f"{run.protocol.name} ({run.protocol.duration_s:g} s)"
    return f"{run.protocol.name} (warm-up of {run.protocol.warmup})"


def _variants(groups: list[Group]) -> str:
    return ", ".join(dict.fromkeys(group.variant for group in groups))
