"""`harness check`: may a build pass? Its verdicts, and, against a baseline, whether anything became slower than allowed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.analysis.comparison import Comparison
from harness.errors import UsageError

Outcome = Literal["within", "regression", "not precise enough", "not comparable"]
PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?%")


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One comparison and what the gate makes of it; `why` is half a sentence."""

    comparison: Comparison
    outcome: Outcome
    why: str


def parse_fraction(text: str) -> float:
    """`3%` as 0.03. Raises UsageError for anything but a percentage above 0 and up to 1000."""
    match = PERCENT.fullmatch(text.strip())
    value = float(match.group(1)) / 100 if match else 0.0
    if not 0 < value <= 10:
        raise UsageError(f"{text!r} is not a limit for a slow-down; write a percentage, e.g. --max-regression 3%.")
    return value


def decide(comparisons: Sequence[Comparison], limit: float) -> tuple[Decision, ...]:
    """A decision for each comparison; `limit` is the greatest slow-down that passes, as a fraction."""
    return tuple(_decision(entry, limit) for entry in comparisons)


def _decision(entry: Comparison, limit: float) -> Decision:
    if entry.refused is not None:
        return Decision(comparison=entry, outcome="not comparable", why=entry.refused)
    if entry.instructions is not None:
        base, new = entry.instructions
        slower = new > base * (1 + limit)
        why = f"{base:,} and {new:,} instructions, exact counts"
        return Decision(comparison=entry, outcome="regression" if slower else "within", why=why)
    ratio = entry.ratio
    assert ratio is not None  # the third of the three forms of a comparison
    span = f"{ratio.value - 1:+.1%} ({ratio.low - 1:+.1%} to {ratio.high - 1:+.1%})"
    if ratio.basis == "too few sessions":
        why = (
            f"{span}, and how sessions differ is not known; measure {ratio.missing} more sessions of either build, or both in one "
            "session ('harness run BASE NEW')"
        )
        return Decision(comparison=entry, outcome="not precise enough", why=why)
    if ratio.basis == "one run":
        why = f"{span} from one run a side, which does not tell how runs differ; measure several rounds"
        return Decision(comparison=entry, outcome="not precise enough", why=why)
    if ratio.verdict == "slower" and ratio.value > 1 + limit:
        return Decision(comparison=entry, outcome="regression", why=f"{span}, p = {ratio.p_adjusted:.2g}")
    if ratio.high <= 1 + limit or (ratio.value <= 1 + limit and ratio.reach <= limit):
        return Decision(comparison=entry, outcome="within", why=span)
    return Decision(
        comparison=entry, outcome="not precise enough", why=f"{span} cannot tell a slow-down of {limit:.1%} from none"
    )
