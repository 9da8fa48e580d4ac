"""Runs over minutes: who is fast at first, who is fast after the heat, and the curves between."""

from __future__ import annotations

from harness.analysis.throttling import Throttling, measure_energy, rank_lasting, read_curves
from harness.records.run import Run
from harness.report import text
from harness.report.model import Entry
from harness.report.view import Endurance, Fact, Rank


def make_endurance(device: str, entries: list[Entry], cards: dict[str, str]) -> Endurance | None:
    """None for a device without a lasting run of two minutes or more. `cards` says where a run (by its id) is shown in detail."""
    ranked = rank_lasting(entry.run for entry in entries if entry.run.protocol.sustained)
    if not ranked:
        return None
    grades = {entry.run.id: entry.verdict.grade for entry in entries}
    words = [grades[run.id] for run, _ in ranked]
    at_the_end = sorted(
        range(len(ranked)), key=lambda index: (words[index] == "invalid", -ranked[index][1].last_minute)
    )
    places = {index: place + 1 for place, index in enumerate(at_the_end)}
    longest = max(shown.throughput.t_s[-1] for _, shown in ranked)
    return Endurance(
        device=device,
        simulated=ranked[0][0].simulated,
        minutes=f"{longest / 60:.0f}",
        changed=any(places[index] != index + 1 for index in places),
        ranks=tuple(
            _rank(run, shown, index + 1, places[index], cards.get(run.id), words[index])
            for index, (run, shown) in enumerate(ranked)
        ),
    )


def _rank(run: Run, shown: Throttling, first: int, last: int, anchor: str | None, grade: str) -> Rank:
    energy = measure_energy(run)
    return Rank(
        variant=run.variant,
        anchor=anchor,
        first=text.format_rate(shown.first_minute),
        first_place=first,
        last=text.format_rate(shown.last_minute),
        last_place=last,
        ratio=f"{shown.sustained_ratio:.0%}",
        throttled=describe_throttling(shown),
        hottest=format_hottest(run),
        energy=Fact(name="energy", value=text.format_reading(energy), reason=energy.reason),
        grade=grade,
    )


def describe_throttling(shown: Throttling) -> str:
    """When throughput fell for good, after the start."""
    return "never" if shown.throttled_after_s is None else f"{shown.throttled_after_s / 60:.1f} min"


def format_hottest(run: Run) -> str:
    """Of all that the device's sensors told during a run."""
    told = [value for curve in read_curves(run, "degC") for value in curve.values]
    return f"{max(told):.0f} °C" if told else text.DASH
