"""Numbers as people read them: a unit on every one, and enough digits to compare by."""

from __future__ import annotations

from harness.analysis.processor_use import average_clock, measure_top_share
from harness.records.run import Reading, Run, TextReading, TimeInState, parse_moment
from harness.statistics import Summary

DASH = "\u2013"  # stands for "no value", and between the ends of an interval
TIMES = "\u00d7"


def format_significant(value: float, digits: int = 3) -> str:
    """`value` with at least `digits` significant digits and no exponent: 0.0123, 4.56, 123, 12345."""
    if value == 0:
        return "0"
    from math import floor, log10

    decimals = max(0, digits - 1 - floor(log10(abs(value))))
    return f"{value:.{decimals}f}"


def format_milliseconds(ns: float) -> str:
    return f"{format_significant(ns / 1e6)} ms"


def format_interval(low_ns: float, high_ns: float) -> str:
    return f"{format_significant(low_ns / 1e6)} {DASH} {format_significant(high_ns / 1e6)} ms"


def format_size(value: float) -> str:
    """Decimal units, as phones and stores show them."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if value >= factor:
            return f"{format_significant(value / factor)} {unit}"
    return f"{value:.0f} B"


def format_instructions(value: float) -> str:
    return f"{value / 1e6:,.3f} M"


def format_joules(value: float) -> str:
    return f"{format_significant(value)} J" if value >= 1 else f"{format_significant(value * 1e3)} mJ"


def format_rate(per_second: float) -> str:
    return f"{format_significant(per_second)} / s"


def format_moment(iso: str) -> str:
    """`2026-01-02T05:04:05.678+02:00` as `2026-01-02 03:04 UTC`."""
    return f"{parse_moment(iso):%Y-%m-%d %H:%M} UTC"


def format_moments(first: str, last: str) -> str:
    """From one to another, each part told once."""
    begin, end = format_moment(first), format_moment(last)
    if begin == end:
        return begin
    return f"{begin.removesuffix(' UTC')} to {end[11:] if begin[:10] == end[:10] else end}"


def format_reading(entry: Reading) -> str:
    """A reading with its unit, or a dash; the reason is shown beside it by whoever has the room."""
    if entry.value is None:
        return DASH
    shown = {"degC": "°C", "status": "", "headroom": ""}.get(entry.unit, entry.unit)
    if entry.unit == "ns":
        return format_milliseconds(entry.value)
    if entry.unit == "instructions":
        return f"{entry.value:,.0f} instructions"
    if entry.unit == "B":
        return format_size(entry.value)
    if entry.unit == "J":
        return format_joules(entry.value)
    return f"{entry.value:g} {shown}".strip()


def format_clock(state: TimeInState) -> str:
    """`2406 MHz, 45 % at 2802`: the mean over the pass, and how long the domain was at its highest clock."""
    return ", ".join(format_clock_parts(state)) if state.mhz else DASH


def format_clock_parts(state: TimeInState | None) -> tuple[str, str]:
    """The two halves of `format_clock`; a dash and nothing where it is unknown."""
    mean, share = (average_clock(state).value, measure_top_share(state).value) if state is not None else (None, None)
    if state is None or mean is None or share is None:
        return DASH, ""
    return f"{mean:.0f} MHz", f"{share:.0f} % at {state.mhz[-1]:.0f}"


def format_percent(entry: Reading) -> str:
    return DASH if entry.value is None else f"{entry.value:.0f} %"


def format_text(entry: TextReading) -> str:
    return entry.value if entry.value is not None else DASH


def format_headline(run: Run, summary: Summary | None) -> str:
    """The one number that a run is about: median latency, or instructions where time means nothing."""
    if run.metric == "instructions":
        value = run.instructions.value
        return DASH if value is None else f"{format_instructions(value)} instructions"
    return DASH if summary is None else format_milliseconds(summary.median)


def describe_golden(run: Run) -> str:
    if run.golden is None:
        return "not checked"
    return f"{'passed' if run.golden.passed else 'FAILED'}, {format_decibel(run.golden.psnr_db)}"


def format_decibel(value: float | None) -> str:
    """PSNR; 200 dB is the manifest's word for equal, None that nothing could execute the file where it was made."""
    if value is None:
        return DASH
    return "equal" if value >= 200 else f"{value:.1f} dB"


def describe_op_devices(run: Run) -> str:
    """How many ops each device executes, by the runtime's own plan; where it is not the one with most, which."""
    from collections import Counter

    counts = Counter(entry.device for entry in run.op_devices).most_common()
    parts = [f"{counts[0][0]} {counts[0][1]}"]
    for device, count in counts[1:]:
        kinds = Counter(entry.op for entry in run.op_devices if entry.device == device)
        named = ", ".join(f"{op} x {times}" if times > 1 else op for op, times in sorted(kinds.items()))
        parts.append(f"{device} {count} ({named})")
    return "; ".join(parts)
