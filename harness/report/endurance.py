"""Runs over minutes: who is fast at first, who is fast after the heat, and the curves between."""

from __future__ import annotations

from harness.records import Run
from harness.report import text
from harness.report.model import Entry
from harness.report.view import Endurance, Fact, Rank
from harness.throttling import Throttling, curves, energy_per_inference, ranking
from harness.verdicts import grade


def endurance(device: str, entries: list[Entry], cards: dict[str, str]) -> Endurance | None:
    """None for a device without a lasting run of two minutes or more. `cards` says where a run (by its id) is shown in detail."""
    ranked = ranking(entry.run for entry in entries if entry.run.protocol.sustained)
    if not ranked:
        return None
    at_the_end = sorted(range(len(ranked)), key=lambda index: -ranked[index][1].last_minute)
    places = {index: place + 1 for place, index in enumerate(at_the_end)}
    longest = max(shown.throughput.t_s[-1] for _, shown in ranked)
    return Endurance(
        device=device,
        simulated=ranked[0][0].simulated,
        minutes=f"{longest / 60:.0f}",
        changed=any(places[index] != index + 1 for index in places),
        ranks=tuple(
            _rank(run, shown, index + 1, places[index], cards.get(run.id)) for index, (run, shown) in enumerate(ranked)
        ),
    )


def _rank(run: Run, shown: Throttling, first: int, last: int, anchor: str | None) -> Rank:
    energy = energy_per_inference(run)
    heat = [value for curve in curves(run, "degC") for value in curve.values]
    after = shown.throttled_after_s
    return Rank(
        variant=run.variant,
        anchor=anchor,
        first=f"{text.significant(shown.first_minute)} / s",
        first_place=first,
        last=f"{text.significant(shown.last_minute)} / s",
        last_place=last,
        ratio=f"{shown.sustained_ratio:.0%}",
        throttled="never" if after is None else f"{after / 60:.1f} min",
        hottest=f"{max(heat):.0f} °C" if heat else text.DASH,
        energy=Fact(name="energy", value=text.reading(energy), reason=energy.reason),
        grade=grade(run.verdict),
    )
