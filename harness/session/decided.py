"""Whether a session can stop: what its protocol wants decided is, or its limit of rounds is reached."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from harness.analysis.comparison import compare_builds
from harness.analysis.gate import decide
from harness.records.run import Run
from harness.records.way import Way
from harness.statistics import estimate_level_of_rounds
from harness.statistics.levels import find_two_levels

Kind = tuple[str, Way]


def find_undecided(runs: Sequence[Run], limit: float) -> dict[Kind, str]:
    """Variants of one device of which a change by `limit` could not be told yet, each with what is known.

    With a baseline measured in turns that is what the gate says of the two; else the interval of the variant's level over its rounds.
    """
    good = [
        run for run in runs if run.verdict.grade == "ok" and run.metric == "latency" and min(run.latency_ns, default=0)
    ]
    if any(run.baseline for run in good):
        decisions = decide(compare_builds(good), limit)
        return {
            (kind := (entry.comparison.variant, entry.comparison.new.way)): entry.why + explain_mixed(good, kind)
            for entry in decisions
            if entry.outcome == "not precise enough"
        }
    kinds = {}
    for kind in dict.fromkeys((run.variant, run.way) for run in good):
        level = estimate_level_of_rounds([run.latency_ns for run in good if (run.variant, run.way) == kind])
        reach = level.high / level.value - 1
        if reach > limit:
            kinds[kind] = f"its interval reaches {reach:.1%} from its level{explain_mixed(good, kind)}"
    return kinds


def explain_mixed(runs: Sequence[Run], kind: Kind) -> str:
    """Half a sentence where rounds lie on two levels: more of them do not help, holding them on one does."""
    levels = find_two_levels(
        [median(run.latency_ns) for run in runs if (run.variant, run.way) == kind and not run.baseline]
    )
    if levels is None:
        return ""
    return (
        f"; its rounds lie on two levels, {levels[0] / 1e6:.3g} and {levels[1] / 1e6:.3g} ms, as by a big and a middle core: set 'cores' in the "
        "protocol"
    )
