"""What a report is about: the runs of a store, chosen and joined with what their bundles say. Every format is made from this."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.grouping import Group, by_time, group_runs, label_device, label_variants
from harness.analysis.session_verdict import SessionVerdict, judge_session
from harness.analysis.trends import Change, find_changes
from harness.records.profile import Profile
from harness.records.run import Run
from harness.records.store import Store
from harness.records.way import Way
from harness.statistics import Level, Summary, estimate_level_of_rounds, estimate_level_of_summary, summarize

if TYPE_CHECKING:
    from builder.bundle import Manifest, Variant
    from harness.records.pictures import Picture

# Runs shown one by one with plots and pictures; every run is in the tables.
MOST_DETAILED = 40


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The last measurement of a variant on a device: the verdict of its newest session and the run that decides it, with its summary for
    latency runs, the level over the good rounds, the manifest's facts, and, where it is shown in detail, its pictures."""

    run: Run
    name: str
    verdict: SessionVerdict
    rounds: int
    summary: Summary | None
    level: Level | None
    variant: Variant | None
    pictures: tuple[Picture, ...]
    detailed: bool


@dataclass(frozen=True, kw_only=True)
class Past:
    """One run of the history: when it started, the median of its latencies in ns, and its grade."""

    started_at: str
    median_ns: float
    grade: str


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """One bundle: the last measurement of each variant on each device. `left_out` counts the earlier runs of the same.

    `history` has all runs of the model, earlier builds included: device -> variant -> runs in order; `changes` are where it changed for good.
    """

    model_name: str
    bundle_sha256: str
    manifest: Manifest | None
    entries: tuple[Entry, ...]
    left_out: int
    history: dict[str, dict[str, list[Past]]]
    changes: tuple[Change, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """The newest bundle of each model; `left_out` counts runs of its earlier builds."""

    chapters: tuple[Chapter, ...]
    left_out: int
    profiles: tuple[Profile, ...] = ()

    def profiles_of(self, variant_sha256: str) -> tuple[Profile, ...]:
        return tuple(profile for profile in self.profiles if profile.variant_sha256 == variant_sha256)

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(entry for chapter in self.chapters for entry in chapter.entries)


def load_report(store: Store) -> Report:
    """Choose what to show: of each model the bundle measured last, of each variant on each device the last measurement."""
    runs = [run for run in store.runs() if not run.baseline]
    by_model: dict[str, list[Run]] = {}
    for run in runs:
        by_model.setdefault(run.model_name, []).append(run)
    chapters = []
    for name, every in by_model.items():
        newest = by_time(every)[-1].bundle_sha256
        chapters.append(_chapter(store, name, [run for run in every if run.bundle_sha256 == newest], every))
    shown = sum(sum(entry.rounds for entry in chapter.entries) + chapter.left_out for chapter in chapters)
    return Report(chapters=tuple(chapters), left_out=len(runs) - shown)


def summarize_run(run: Run) -> Summary | None:
    return summarize(run.latency_ns) if run.metric == "latency" and run.latency_ns else None


def _chapter(store: Store, name: str, runs: list[Run], every: list[Run]) -> Chapter:
    digest = runs[-1].bundle_sha256
    manifest = store.manifest(digest)
    facts = {variant.id: variant for variant in manifest.variants} if manifest else {}
    chosen = group_runs(runs)
    if manifest:  # the bundle's order of preference is the order people think in
        order = {variant.id: index for index, variant in enumerate(manifest.variants)}
        chosen.sort(key=lambda group: order.get(group.variant, len(order)))
    detailed = _choose_detailed(chosen)
    shared = _find_shared(runs)
    entries = tuple(_entry(store, group, shared, facts.get(group.variant), group.place in detailed) for group in chosen)
    labels = label_variants(entry.run for entry in entries)
    entries = tuple(replace(entry, name=labels[entry.run.id]) for entry in entries)
    return Chapter(
        model_name=name,
        bundle_sha256=digest,
        manifest=manifest,
        entries=entries,
        left_out=len(runs) - sum(entry.rounds for entry in entries),
        history=_history(by_time(every)),
        changes=tuple(find_changes(every)),
    )


Shared = dict[tuple[tuple[str, str], str | None], set[str]]
"""The variants that took turns, by device and session."""


def _find_shared(runs: list[Run]) -> Shared:
    shared: Shared = {}
    for run in runs:
        shared.setdefault(((run.device.kind, run.device.id), run.session), set()).add(run.variant)
    return shared


def _entry(store: Store, group: Group, shared: Shared, variant: Variant | None, detailed: bool) -> Entry:
    verdict = judge_session(group)
    good = [run for run in group.runs if run.verdict.grade == "ok"] if verdict.exit_code == 0 else []
    run = verdict.decides
    summary = summarize_run(run)
    return Entry(
        run=run,
        name=run.variant,
        verdict=verdict,
        rounds=len(group.runs),
        summary=summary,
        level=_level(good, summary, len(shared[group.device, run.session])),
        variant=variant,
        pictures=store.pictures(run.id) if detailed else (),
        detailed=detailed,
    )


def _level(good: list[Run], summary: Summary | None, turns: int) -> Level | None:
    """Over the good rounds, or of the one run that is shown; None where there are no latencies, or none above zero."""
    if summary is None or summary.low <= 0:
        return None
    rounds = [run.latency_ns for run in good if run.latency_ns and all(run.latency_ns)]
    return estimate_level_of_rounds(rounds, turns) if len(rounds) > 1 else estimate_level_of_summary(summary)


def _choose_detailed(chosen: list[Group]) -> set[tuple[str, tuple[str, str], str, bool, Way]]:
    """As many as the page can hold, every variant in turn, so that none is left out for another's many devices."""
    by_variant: dict[str, list[Group]] = {}
    for group in chosen:
        by_variant.setdefault(group.variant, []).append(group)
    turns = (group for turn in zip_longest(*by_variant.values()) for group in turn if group is not None)
    return {group.place for _, group in zip(range(MOST_DETAILED), turns, strict=False)}


def _history(runs: Iterable[Run]) -> dict[str, dict[str, list[Past]]]:
    """Devices and variants that were measured at two moments or more."""
    entries_of: dict[str, dict[str, list[Past]]] = {}
    every = list(runs)
    labels = label_variants(every)
    for run in every:
        if run.metric == "latency" and run.latency_ns and not run.protocol.sustained:
            past = Past(started_at=run.started_at, median_ns=float(np.median(run.latency_ns)), grade=run.verdict.grade)
            entries_of.setdefault(label_device(run), {}).setdefault(labels[run.id], []).append(past)
    several = {
        device: {variant: past for variant, past in variants.items() if len({entry.started_at for entry in past}) > 1}
        for device, variants in entries_of.items()
    }
    return {device: variants for device, variants in several.items() if variants}
