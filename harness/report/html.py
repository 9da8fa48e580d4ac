"""A report as one HTML file that needs nothing else: no network, no fonts, no files beside it."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from builder.bundle.page import make_document
from harness.analysis.grouping import label_device
from harness.report import text
from harness.report.cards import make_card
from harness.report.devices import make_device_table
from harness.report.endurance import make_endurance
from harness.report.matrix import make_matrix
from harness.report.model import Chapter, Entry, Report
from harness.report.profile import profile_html
from harness.report.view import Fact, Gallery, Page, Section

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
    environment.filters["size"] = text.format_size
    environment.filters["db"] = text.format_decibel
    gallery = Gallery()
    pages = [_page(report, chapter, index, gallery) for index, chapter in enumerate(report.chapters)]
    body = environment.get_template("report.html.j2").render(
        pages=pages, left_out=report.left_out, pictures=gallery.uris
    )
    style = (files("harness.report") / "templates" / "report.css").read_text(encoding="utf-8")
    return make_document(f"{', '.join(page.title for page in pages) or 'No runs'}: measured", body, style=style)


def _page(report: Report, chapter: Chapter, index: int, gallery: Gallery) -> Page:
    runs = [entry.run for entry in chapter.entries]
    manifest = chapter.manifest
    first, last = min(runs, key=lambda run: run.moment), max(runs, key=lambda run: run.moment)
    by_device: dict[str, list[Entry]] = {}
    by_variant: dict[str, list[Entry]] = {}
    for entry in chapter.entries:
        by_device.setdefault(label_device(entry.run), []).append(entry)
        by_variant.setdefault(entry.run.variant, []).append(entry)
    facts = {variant.id: variant for variant in manifest.variants} if manifest else {}
    names = dict.fromkeys([*facts, *by_variant])
    anchors = {name: _anchor(f"m{index}-v{number}-{name}") for number, name in enumerate(names)}
    sections = [
        _section(report, name, facts.get(name), by_variant.get(name, []), anchors[name], gallery) for name in names
    ]
    shown = {shown.run.id: shown.anchor for section in sections for shown in section.cards}
    return Page(
        chapter=chapter,
        title=chapter.model_name + (f" {manifest.model.version}" if manifest else ""),
        input_text=", ".join(f"{spec.name} {text.TIMES.join(map(str, spec.shape))}" for spec in manifest.inputs)
        if manifest
        else "",
        when=text.format_moments(first.started_at, last.started_at),
        counts=count_grades(chapter.entries),
        matrix=make_matrix(chapter.entries, {device: f"m{index}-d{number}" for number, device in enumerate(by_device)}),
        devices=tuple(
            make_device_table(
                device,
                entries,
                chapter.history.get(device, {}),
                [change for change in chapter.changes if change.device == device],
                f"m{index}-d{number}",
                shown,
            )
            for number, (device, every) in enumerate(by_device.items())
            if (entries := [entry for entry in every if not entry.run.protocol.sustained])
        ),
        endurance=tuple(
            curve
            for device, entries in by_device.items()
            if (curve := make_endurance(device, entries, shown)) is not None
        ),
        sections=tuple(section for section in sections if section.cards or section.layers),
        unmeasured=tuple(section for section in sections if not section.measured and not section.layers),
    )


def count_grades(entries: tuple[Entry, ...] | list[Entry]) -> dict[str, int]:
    words: list[str] = [entry.verdict.grade for entry in entries]
    return {word: words.count(word) for word in ("ok", "unstable", "invalid")}


def _anchor(name: str) -> str:
    return "".join(c if c.isalnum() or c == "-" else "-" for c in name)


def _section(
    report: Report, name: str, variant: Variant | None, entries: list[Entry], anchor: str, gallery: Gallery
) -> Section:
    digest = variant.sha256 if variant else entries[-1].run.variant_sha256
    size = variant.bytes if variant else entries[0].run.variant_bytes
    backend = variant.backend if variant else entries[0].run.backend
    facts = [Fact(name="size", value=f"{text.format_size(size)} ({size:,} B)"), Fact(name="backend", value=backend)]
    fallbacks, precision = 0, ""
    if variant is not None:
        facts += _quality(variant)
        schemes: dict[str, int] = {}
        for layer in variant.layers:
            schemes[layer.realised] = schemes.get(layer.realised, 0) + 1
        precision = ", ".join(f"{count} {scheme}" for scheme, count in schemes.items())
        fallbacks = sum(layer.fallback is not None for layer in variant.layers)
    detailed = [entry for entry in entries if entry.detailed]
    return Section(
        id=name,
        anchor=anchor,
        variant=variant,
        facts=tuple(facts),
        precision=precision,
        fallbacks=fallbacks,
        cards=tuple(make_card(entry, f"{anchor}-{number}", gallery) for number, entry in enumerate(detailed)),
        measured=len(entries),
        layers=profile_html(report.profiles_of(digest)),
    )


def _quality(variant: Variant) -> list[Fact]:
    quality = variant.quality
    facts = [
        Fact(
            name="delegate",
            value=f"{variant.delegate}, takes {variant.coverage.delegated_ops} of {variant.coverage.total_ops} ops",
        ),
        Fact(
            name="PSNR worst / mean",
            value=f"{text.format_decibel(quality.psnr_db_worst)} / {text.format_decibel(quality.psnr_db_mean)}",
        ),
    ]
    if quality.ssim_worst is not None and quality.ssim_mean is not None:
        facts.append(Fact(name="SSIM worst / mean", value=f"{quality.ssim_worst:.4f} / {quality.ssim_mean:.4f}"))
    if quality.top1_agreement is not None:
        facts.append(Fact(name="same top class", value=f"{quality.top1_agreement:.1%}"))
    inputs = f"{quality.images} held-out input{'s' if quality.images != 1 else ''}"
    return [*facts, Fact(name="quality measured on", value=f"{inputs}, executed by {quality.runtime}")]
