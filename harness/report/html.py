"""A report as one HTML file that needs nothing else: no network, no fonts, no files beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.pictures import Picture, difference, png_bytes, png_pixels
from harness.records import Reading, Run, TextReading
from harness.report import text
from harness.report.model import Chapter, Entry, Report
from harness.report.plots import Series, overview_plot, run_plot
from harness.report.view import Card, Comparison, ConditionRow, Fact, Gallery, Page, Section
from harness.verdicts import grade

if TYPE_CHECKING:
    from builder.bundle import Variant


def render(report: Report) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("harness.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["size"] = text.size
    environment.filters["db"] = text.decibel
    gallery = Gallery()
    pages = [_page(chapter, index, gallery) for index, chapter in enumerate(report.chapters)]
    return environment.get_template("report.html.j2").render(
        pages=pages, left_out=report.left_out, pictures=gallery.uris
    )


def _page(chapter: Chapter, index: int, gallery: Gallery) -> Page:
    runs = [entry.run for entry in chapter.entries]
    manifest = chapter.manifest
    first, last = min(r.started_at for r in runs), max(r.started_at for r in runs)
    devices = dict.fromkeys(text.device_label(run) for run in runs)
    overviews = []
    for device in devices:
        series = [
            Series(label=e.run.variant, latency_ns=e.run.latency_ns)
            for e in chapter.entries
            if text.device_label(e.run) == device and e.summary is not None
        ]
        if len(series) > 1:
            overviews.append((device, overview_plot(series)))
    facts = {variant.id: variant for variant in manifest.variants} if manifest else {}
    names = dict.fromkeys([*facts, *(run.variant for run in runs)])
    counts = {word: sum(grade(run.verdict) == word for run in runs) for word in ("ok", "unstable", "invalid")}
    return Page(
        chapter=chapter,
        title=chapter.model_name + (f" {manifest.model.version}" if manifest else ""),
        input_text=", ".join(f"{spec.name} {text.TIMES.join(map(str, spec.shape))}" for spec in manifest.inputs)
        if manifest
        else "",
        when=_when(first) if first[:16] == last[:16] else f"{_when(first)} to {_when(last)}",
        counts=counts,
        overviews=tuple(overviews),
        sections=tuple(
            _section(name, facts.get(name), [e for e in chapter.entries if e.run.variant == name], f"m{index}", gallery)
            for name in names
        ),
    )


def _when(moment: str) -> str:
    return f"{moment[:10]} {moment[11:16]} UTC"


def _section(name: str, variant: Variant | None, entries: list[Entry], prefix: str, gallery: Gallery) -> Section:
    anchor = "".join(c if c.isalnum() or c == "-" else "-" for c in f"{prefix}-{name}")
    size = variant.bytes if variant else entries[0].run.variant_bytes
    backend = variant.backend if variant else entries[0].run.backend
    facts = [Fact(name="size", value=f"{text.size(size)} ({size:,} B)"), Fact(name="backend", value=backend)]
    fallbacks, precision = 0, ""
    if variant is not None:
        quality = variant.quality
        facts += [
            Fact(
                name="delegate",
                value=f"{variant.delegate}, takes {variant.coverage.delegated_ops} of {variant.coverage.total_ops} ops",
            ),
            Fact(
                name="PSNR worst / mean",
                value=f"{text.decibel(quality.psnr_db_worst)} / {text.decibel(quality.psnr_db_mean)}",
            ),
        ]
        if quality.ssim_worst is not None and quality.ssim_mean is not None:
            facts.append(Fact(name="SSIM worst / mean", value=f"{quality.ssim_worst:.4f} / {quality.ssim_mean:.4f}"))
        if quality.top1_agreement is not None:
            facts.append(Fact(name="same top class", value=f"{quality.top1_agreement:.1%}"))
        facts.append(
            Fact(
                name="quality measured on",
                value=f"{quality.images} held-out input{'s' if quality.images != 1 else ''}, executed by {quality.runtime}",
            )
        )
        schemes: dict[str, int] = {}
        for layer in variant.layers:
            schemes[layer.realised] = schemes.get(layer.realised, 0) + 1
        precision = ", ".join(f"{count} {scheme}" for scheme, count in schemes.items())
        fallbacks = sum(layer.fallback is not None for layer in variant.layers)
    cards = tuple(_card(entry, f"{anchor}-{number}", gallery) for number, entry in enumerate(entries))
    return Section(
        id=name,
        anchor=anchor,
        variant=variant,
        facts=tuple(facts),
        precision=precision,
        fallbacks=fallbacks,
        cards=cards,
    )


def _card(entry: Entry, anchor: str, gallery: Gallery) -> Card:
    run, summary = entry.run, entry.summary
    statistics: tuple[Fact, ...] = ()
    if summary is not None:
        statistics = (
            Fact(name="median", value=text.milliseconds(summary.median)),
            Fact(name="95 % interval", value=text.interval(summary.low, summary.high)),
            Fact(name="p90", value=text.milliseconds(summary.p90)),
            Fact(name="p99", value=text.milliseconds(summary.p99)),
            Fact(name="MAD", value=text.milliseconds(summary.mad)),
            Fact(name="samples", value=str(summary.count)),
        )
    return Card(
        anchor=anchor,
        run=run,
        device=text.device_label(run),
        grade=grade(run.verdict),
        headline=text.headline(run, summary),
        interval=text.interval(summary.low, summary.high) if summary else "",
        golden=text.golden_text(run),
        statistics=statistics,
        facts=_run_facts(run),
        plot=run_plot(Series(label=f"{run.variant} on {text.device_label(run)}", latency_ns=run.latency_ns))
        if summary
        else None,
        conditions=_conditions(run),
        comparisons=_comparisons(entry, gallery),
    )


def _run_facts(run: Run) -> tuple[Fact, ...]:
    at_start = {sample.probe: sample.value for sample in reversed(run.samples)}
    before = at_start.get("memory_before_load")
    memory = _reading("peak memory", run.peak_memory_bytes)
    if before is not None and memory.reason is None:
        memory = Fact(name="peak memory", value=f"{memory.value}, {text.size(before)} of it before loading")
    protocol = f"{run.protocol.name}: {run.protocol.warmup} warm-up, {run.protocol.runs} measured, {run.threads} thread{'s' if run.threads > 1 else ''}"
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
    if run.metric == "latency":
        facts += [_reading("load", run.load_ns), _reading("first inference", run.first_ns)]
    else:
        facts.append(_reading("instructions per inference", run.instructions))
    facts.append(memory)
    if "load_average" in at_start:
        facts.append(
            Fact(name="other load at the start", value=f"{at_start['load_average']:.1f} programs wanted to run")
        )
    golden = Fact(name="golden", value=text.golden_text(run), reason=run.golden_reason)
    if run.golden is not None:
        golden = Fact(
            name="golden",
            value=f"{text.golden_text(run)}; at least {run.golden.min_psnr_db:g} dB asked, largest error {run.golden.max_abs_error:.3g}",
        )
    return (*facts, golden, Fact(name="started", value=_when(run.started_at)), Fact(name="run", value=run.id))


def _conditions(run: Run) -> tuple[ConditionRow, ...]:
    start, end = run.conditions_start, run.conditions_end
    rows = [
        ConditionRow(name="temperature", start=_reading("", start.temperature_c), end=_reading("", end.temperature_c)),
        ConditionRow(
            name="thermal status", start=_reading("", start.thermal_status), end=_reading("", end.thermal_status)
        ),
        ConditionRow(name="battery", start=_reading("", start.battery_percent), end=_reading("", end.battery_percent)),
        ConditionRow(name="charging", start=_text("", start.charging), end=_text("", end.charging)),
        ConditionRow(name="CPU clocks", start=_clocks(start.clocks_mhz), end=_clocks(end.clocks_mhz)),
    ]
    return tuple(rows)


def _clocks(clocks: tuple[Reading, ...]) -> Fact:
    known = [f"{clock.value:.0f}" for clock in clocks if clock.value is not None]
    if not known:
        return Fact(name="", value=text.DASH, reason=clocks[0].reason if clocks else "the device gave no clocks")
    return Fact(name="", value=" ".join(known) + " MHz")


def _reading(name: str, entry: Reading) -> Fact:
    return Fact(name=name, value=text.reading(entry), reason=entry.reason)


def _text(name: str, entry: TextReading) -> Fact:
    return Fact(name=name, value=text.text(entry), reason=entry.reason)


def _comparisons(entry: Entry, gallery: Gallery) -> tuple[Comparison, ...]:
    def of(role: str) -> dict[str, Picture]:
        return {picture.name: picture for picture in entry.pictures if picture.role == role}

    inputs, source, expected, outputs = of("input"), of("source"), of("expected"), of("output")
    before = next(iter(inputs.values()), None)
    found = []
    for name in outputs.keys() & (source.keys() | expected.keys()):
        wanted, title = (source[name], "source model") if name in source else (expected[name], "expected")
        apart, gain = difference(png_pixels(wanted.png), png_pixels(outputs[name].png))
        caption = f"difference of the two, amplified {gain}{text.TIMES}"
        if not apart.any():
            caption = "difference of the two: none, every pixel is equal"
        found.append(
            Comparison(
                name=name,
                before=gallery.show(before.png, "before") if before else None,
                wanted=gallery.show(wanted.png, title),
                output=gallery.show(outputs[name].png, "device output"),
                difference=gallery.show(png_bytes(apart), caption),
            )
        )
    return tuple(sorted(found, key=lambda comparison: comparison.name))
