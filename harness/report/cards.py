"""One run in detail: its statistics, its samples, what it was measured under, and its pictures."""

from __future__ import annotations

from harness.analysis.grouping import label_device
from harness.analysis.processor_use import load_beside
from harness.analysis.throttling import Throttling, find_throttling, measure_energy
from harness.analysis.verdict import find_throttling_status
from harness.probes import list_probes
from harness.records.pictures import Picture, decode_png, encode_png, make_difference
from harness.records.run import BrowserInfo, Reading, Run, TextReading
from harness.records.verdict import NOT_STATIONARY
from harness.report import text
from harness.report.curves import plot_throttling
from harness.report.endurance import describe_throttling, format_hottest
from harness.report.model import Entry
from harness.report.plots import Series, run_plot
from harness.report.view import Card, Comparison, ConditionRow, Fact, Gallery
from harness.statistics import Summary

SAMPLES = "Every sample in the order of measurement, and how they are distributed. Line and band: median in its 95 % interval; red: far out."


def make_card(entry: Entry, anchor: str, gallery: Gallery) -> Card:
    run, summary = entry.run, entry.summary
    plot, caption = None, ""
    statistics: tuple[Fact, ...] = ()
    lasting = find_throttling(run) if run.protocol.sustained else None
    if lasting is not None and summary is not None:
        plot, caption = plot_throttling(run, lasting), _write_lasting_caption(run, lasting)
        statistics = _list_lasting_statistics(run, lasting, summary)
    elif summary is not None:
        label = f"{run.variant} on {label_device(run)}"
        plot = run_plot(Series(label=label, latency_ns=run.latency_ns, summary=summary))
        changes = " Dashed red: the level changed here." if run.verdict.code in NOT_STATIONARY else ""
        caption, statistics = SAMPLES + changes, _statistics(entry, summary)
    return Card(
        anchor=anchor,
        run=run,
        device=label_device(run),
        under=f"back to back for {run.protocol.duration_s / 60:g} minutes"
        if run.protocol.duration_s
        else entry.name.removeprefix(run.variant).removeprefix(", "),
        grade=entry.verdict.grade,
        verdict=entry.verdict.text,
        headline=text.format_headline(run, summary),
        statistics=statistics,
        facts=_run_facts(run),
        plot=plot,
        caption=caption,
        conditions=_conditions(run),
        comparisons=_comparisons(entry, gallery),
    )


def _write_lasting_caption(run: Run, shown: Throttling) -> str:
    parts = ["Throughput, temperatures and clocks on one time axis."]
    if find_throttling_status(run):
        parts.append("Shaded: the device told a thermal status above 0, darker for a higher one.")
    if shown.throttled_after_s is not None:
        parts.append("Dashed red: from here on the throughput stayed below 90 % of its peak.")
    return " ".join(parts)


def _list_lasting_statistics(run: Run, shown: Throttling, summary: Summary) -> tuple[Fact, ...]:
    """Throughput, and not quantiles: latencies of a cool and of a hot phone have no common distribution."""
    return (
        Fact(name="minute 1", value=text.format_rate(shown.first_minute)),
        Fact(name="last minute", value=text.format_rate(shown.last_minute)),
        Fact(name="sustained / peak", value=f"{shown.sustained_ratio:.0%}"),
        Fact(name="throttled after", value=describe_throttling(shown)),
        Fact(name="hottest", value=format_hottest(run)),
        Fact(name="inferences", value=f"{summary.count:,}"),
    )


def _statistics(entry: Entry, summary: Summary) -> tuple[Fact, ...]:
    facts = [
        Fact(name="median", value=text.format_milliseconds(summary.median)),
        Fact(name="95 % interval", value=text.format_interval(summary.low, summary.high)),
        Fact(name="p90", value=text.format_milliseconds(summary.p90)),
        Fact(name="p95", value=text.format_milliseconds(summary.p95)),
        Fact(name="p99", value=text.format_milliseconds(summary.p99)),
        Fact(name="MAD", value=text.format_milliseconds(summary.mad)),
        Fact(name="samples", value=f"{summary.count}, {summary.outliers} far out"),
    ]
    if entry.level is not None and entry.level.between:
        over = (
            f"{text.format_milliseconds(entry.level.value)} ({text.format_interval(entry.level.low, entry.level.high)})"
        )
        facts.append(Fact(name=f"over {entry.level.rounds} rounds", value=over))
    return tuple(facts)


def _browser(browser: BrowserInfo) -> list[Fact]:
    shared = "with" if browser.isolated else "without"
    about = f"{browser.name} {browser.version}, a page {shared} shared memory"
    return [
        Fact(name="browser", value=about),
        _text("GPU", browser.gpu),
        _reading("step of its clock", browser.timer_ns),
    ]


def _run_facts(run: Run) -> tuple[Fact, ...]:
    at_start = {sample.probe: sample.value for sample in reversed(run.samples)}
    before = at_start.get("memory_before_load")
    memory = _reading("peak memory", run.peak_memory_bytes)
    if before is not None and memory.reason is None:
        memory = Fact(name="peak memory", value=f"{memory.value}, {text.format_size(before)} of it before loading")
    protocol = f"{run.protocol.name}: {run.protocol.warmup} warm-up, {run.protocol.runs} measured, {run.way.words}"
    facts = [
        _text("model", run.device.model),
        _text("processor", run.device.soc),
        _text("system", run.device.os),
        _text("build", run.device.build),
        _text("ABI", run.device.abi),
        Fact(name="runtime", value=f"{run.runtime} {run.runtime_version} ({run.mode})"),
        Fact(name="delegate asked for", value=run.delegate_requested),
        _text("delegate that executed", run.delegate_executed),
        Fact(name="protocol", value=protocol),
    ]
    if run.browser is not None:
        facts += _browser(run.browser)
    if run.op_devices:
        facts.append(Fact(name="ops by device", value=text.describe_op_devices(run)))
    if "low_power_mode" in at_start:
        facts.append(Fact(name="low power mode", value="on" if at_start["low_power_mode"] else "off"))
    if run.compile_ns is not None:
        facts.append(_reading("compile", run.compile_ns))
    if run.metric == "latency":
        facts += [_reading("load", run.load_ns), _reading("first inference", run.first_ns)]
    else:
        facts.append(_reading("instructions per inference", run.instructions))
    facts += [memory, _reading("energy per inference", measure_energy(run))]
    facts += _processors(run)
    if "load_average" in at_start:
        facts.append(
            Fact(name="other load at the start", value=f"{at_start['load_average']:.1f} programs wanted to run")
        )
    golden = Fact(name="golden", value=text.describe_golden(run), reason=run.golden_reason)
    if run.golden is not None:
        golden = Fact(
            name="golden",
            value=f"{text.describe_golden(run)}; at least {run.golden.min_psnr_db:g} dB asked, largest error {run.golden.max_abs_error:.3g}",
        )
    return (
        *facts,
        golden,
        Fact(name="started", value=text.format_moment(run.started_at)),
        Fact(name="run", value=run.id),
    )


def _processors(run: Run) -> list[Fact]:
    """Clocks of each domain over the whole pass, and what other programs used meanwhile."""
    use = run.processor_use
    if use is None:
        return []
    clocks = [
        Fact(name=f"clock of CPU {state.cpus or state.policy}", value=text.format_clock(state), reason=state.reason)
        for state in use.time_in_state
    ] or [Fact(name="time at each clock", value=text.DASH, reason="the device shows no clock domains")]
    beside = load_beside(run)
    value = f"{text.format_percent(beside)} of all processors" if beside.value is not None else text.DASH
    return [*clocks, Fact(name="load by other programs meanwhile", value=value, reason=beside.reason)]


def _conditions(run: Run) -> tuple[ConditionRow, ...]:
    start, end = run.conditions_start, run.conditions_end
    told = ((probe.title, probe.of(start), probe.of(end)) for probe in list_probes())
    return tuple(
        ConditionRow(name=title, start=_tell(first), end=_tell(last))
        for title, first, last in told
        if first is not None or last is not None
    )


def _tell(entry: Reading | TextReading | tuple[Reading, ...] | None) -> Fact:
    if entry is None:
        return Fact(name="", value=text.DASH, reason="the device did not tell it then")
    if isinstance(entry, tuple):
        return _clocks(entry)
    return _reading("", entry) if isinstance(entry, Reading) else _text("", entry)


def _clocks(clocks: tuple[Reading, ...]) -> Fact:
    known = [f"{clock.value:.0f}" for clock in clocks if clock.value is not None]
    return (
        Fact(name="", value=" ".join(known) + " MHz")
        if known
        else Fact(name="", value=text.DASH, reason=clocks[0].reason)
    )


def _reading(name: str, entry: Reading) -> Fact:
    return Fact(name=name, value=text.format_reading(entry), reason=entry.reason)


def _text(name: str, entry: TextReading) -> Fact:
    return Fact(name=name, value=text.format_text(entry), reason=entry.reason)


def _comparisons(entry: Entry, gallery: Gallery) -> tuple[Comparison, ...]:
    def of(role: str) -> dict[str, Picture]:
        return {picture.name: picture for picture in entry.pictures if picture.role == role}

    inputs, source, expected, outputs = of("input"), of("source"), of("expected"), of("output")
    before = next(iter(inputs.values()), None)
    comparisons = []
    for name in outputs.keys() & (source.keys() | expected.keys()):
        wanted, title = (source[name], "source model") if name in source else (expected[name], "expected")
        apart, gain = make_difference(decode_png(wanted.png), decode_png(outputs[name].png))
        caption = f"difference of the two, amplified {gain}{text.TIMES}"
        if not apart.any():
            caption = "difference of the two: none, every pixel is equal"
        comparisons.append(
            Comparison(
                name=name,
                before=gallery.show(before.png, "before") if before else None,
                wanted=gallery.show(wanted.png, title),
                output=gallery.show(outputs[name].png, "device output"),
                difference=gallery.show(encode_png(apart), caption),
            )
        )
    return tuple(sorted(comparisons, key=lambda comparison: comparison.name))
