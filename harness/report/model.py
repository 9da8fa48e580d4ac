"""What a report is about: the runs of a store, chosen and joined with what their bundles say. Every format is made from this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.records import Run
from harness.selection import latest
from harness.statistics import Summary, summarize
from harness.store import Store

if TYPE_CHECKING:
    from builder.bundle import Manifest, Variant
    from harness.pictures import Picture


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A run with its summary (latency runs only), the manifest's facts and its pictures, where the store has them."""

    run: Run
    summary: Summary | None
    variant: Variant | None
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """One bundle: the latest run of each variant on each device. `left_out` counts the earlier runs of the same."""

    model_name: str
    bundle_sha256: str
    manifest: Manifest | None
    entries: tuple[Entry, ...]
    left_out: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """The newest bundle of each model; `left_out` counts runs of its earlier builds."""

    chapters: tuple[Chapter, ...]
    left_out: int

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(entry for chapter in self.chapters for entry in chapter.entries)


def load_report(store: Store) -> Report:
    """Choose what to show: of each model the bundle measured last, of each variant on each device the latest run."""
    runs = list(store.runs())
    newest = {run.model_name: run.bundle_sha256 for run in runs}  # runs are in order of time, so the last one stays
    chapters = [
        _chapter(store, name, digest, [r for r in runs if r.bundle_sha256 == digest]) for name, digest in newest.items()
    ]
    shown = sum(len(chapter.entries) + chapter.left_out for chapter in chapters)
    return Report(chapters=tuple(chapters), left_out=len(runs) - shown)


def summary_of(run: Run) -> Summary | None:
    return summarize(run.latency_ns) if run.metric == "latency" and run.latency_ns else None


def _chapter(store: Store, name: str, digest: str, runs: list[Run]) -> Chapter:
    manifest = store.manifest(digest)
    facts = {variant.id: variant for variant in manifest.variants} if manifest else {}
    chosen = latest(runs)
    if manifest:  # the bundle's order of preference is the order people think in
        order = {variant.id: index for index, variant in enumerate(manifest.variants)}
        chosen.sort(key=lambda run: order.get(run.variant, len(order)))
    entries = tuple(
        Entry(run=run, summary=summary_of(run), variant=facts.get(run.variant), pictures=store.pictures(run.id))
        for run in chosen
    )
    return Chapter(
        model_name=name, bundle_sha256=digest, manifest=manifest, entries=entries, left_out=len(runs) - len(chosen)
    )
