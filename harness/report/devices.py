"""The table of one device: every variant that ran on it, their distributions, and what earlier runs gave."""

from __future__ import annotations

import math
from datetime import datetime

from harness.analysis.processor_use import find_fastest_domain, load_beside
from harness.analysis.throttling import measure_energy
from harness.analysis.trends import Change
from harness.report import text
from harness.report.curves import Trace, plot_history
from harness.report.model import Entry, Past
from harness.report.plots import Series, plot_overview
from harness.report.sweep import plot_sweep
from harness.report.view import DeviceTable, Row

# Variants in one plot, of the fastest; the table has all.
MOST_PLOTTED = 24
# Lines that the eye tells apart; those with most runs are drawn.
MOST_TRACES = 10


def make_device_table(
    device: str,
    entries: list[Entry],
    history: dict[str, list[Past]],
    changes: list[Change],
    anchor: str,
    cards: dict[str, str],
) -> DeviceTable:
    """`cards` says where a run (by its id) is shown in detail."""
    entries = sorted(entries, key=lambda entry: (entry.verdict.grade == "invalid", _choose_shown_latency(entry)))
    run = entries[0].run
    info = run.device
    good = [entry for entry in entries if entry.verdict.grade == "ok" and entry.level is not None]
    slowest = max((entry.level.value for entry in good if entry.level is not None), default=0.0)
    fastest = min(good, key=lambda entry: entry.level.value if entry.level else 0.0, default=None)
    series = [
        Series(
            label=entry.name,
            latency_ns=entry.run.latency_ns,
            summary=entry.summary,
            grade=entry.verdict.grade,
        )
        for entry in entries
        if entry.summary is not None
    ]
    about = [part.value for part in (info.model, info.soc, info.os) if part.value]
    words: list[str] = [entry.verdict.grade for entry in entries]
    return DeviceTable(
        anchor=anchor,
        device=device,
        about=", ".join(dict.fromkeys(about)),
        simulated=run.simulated,
        metric=run.metric,
        counts={word: words.count(word) for word in ("ok", "unstable", "invalid")},
        fastest=f"{fastest.name}, {text.format_milliseconds(fastest.level.value)}" if fastest and fastest.level else "",
        rows=tuple(_row(entry, slowest, cards.get(entry.run.id)) for entry in entries),
        counters=any(entry.run.processor_use is not None for entry in entries),
        plot=plot_overview(series[:MOST_PLOTTED]) if len(series) > 1 else None,
        over_rounds=any(entry.level is not None and entry.level.between for entry in entries),
        history=_history(history, changes),
        changes=tuple(changes),
        sweep=plot_sweep(entries),
    )


def _choose_shown_latency(entry: Entry) -> float:
    """What plot and table are both ordered by, so that a row is found again: the level told, ns; what has none comes last. Invalid runs
    come after all others: how fast a wrong output was made is no rank."""
    if entry.level is not None:
        return entry.level.value
    return entry.summary.median if entry.summary is not None else math.inf


def _row(entry: Entry, slowest: float, anchor: str | None) -> Row:
    run, summary, level = entry.run, entry.summary, entry.level
    word = entry.verdict.grade
    result = text.format_headline(run, summary)
    interval = text.format_interval(summary.low, summary.high) if summary else text.DASH
    if level is not None and level.between:
        result = text.format_milliseconds(level.value)
        interval = f"{text.format_interval(level.low, level.high)}, {level.rounds} rounds"
    energy = measure_energy(run)
    return Row(
        variant=entry.name,
        anchor=anchor,
        size=text.format_size(run.variant_bytes),
        quality=text.format_decibel(entry.variant.quality.psnr_db_worst) if entry.variant else text.DASH,
        result=result,
        share=level.value / slowest if level is not None and slowest and word == "ok" else None,
        interval=interval,
        tail=text.format_milliseconds(summary.p90) if summary else text.DASH,
        memory=text.format_reading(run.peak_memory_bytes),
        energy=text.format_reading(energy) if energy.value is not None else text.DASH,
        clock=text.format_clock_parts(find_fastest_domain(run.processor_use)),
        beside=text.format_percent(load_beside(run)),
        golden=text.describe_golden(run),
        grade=word,
        verdict=entry.verdict.text,
        why=entry.verdict.why,
    )


def _history(history: dict[str, list[Past]], changes: list[Change]) -> str | None:
    traces = [
        Trace(
            label=variant,
            points=tuple(
                (datetime.fromisoformat(entry.started_at).timestamp(), entry.median_ns / 1e6, entry.grade)
                for entry in past
            ),
        )
        for variant, past in history.items()
    ]
    traces = sorted(traces, key=lambda trace: -len(trace.points))[:MOST_TRACES]
    moments = [change.first.moment.timestamp() for change in changes]
    # a variant keeps its colour
    return plot_history(sorted(traces, key=lambda trace: trace.label), moments) if traces else None
