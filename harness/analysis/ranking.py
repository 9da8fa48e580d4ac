"""The order of a bundle's variants as phones and browsers measured it, written into the bundle: apps and pages take the first that fits."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from builder.bundle import MANIFEST, BrowserRanking, Bundle, Phone, Ranking, list_tree
from harness.analysis.browser_ranking import find_level, rank_browsers
from harness.analysis.grouping import group_runs
from harness.analysis.session_verdict import judge_session
from harness.errors import MeasurementError, UsageError, VerificationError
from harness.records.phone import describe_phone
from harness.records.run import Run

MODES = ("app", "shell")
Place = tuple[str | None, str | None]  # SoC, else model


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """Orders of one bundle's variants: of phones for apps, and of browsers for pages."""

    phones: tuple[Ranking, ...]
    browsers: tuple[BrowserRanking, ...]


def rank_measured(runs: Iterable[Run], bundle: Bundle) -> Ranked:
    """Raises MeasurementError when neither a phone nor a browser measured two variants."""
    own = [run for run in runs if _is_latency(run) and _sha256s(bundle).get(run.variant) == run.variant_sha256]
    phones, usable = _rank_phones(own)
    browsers, paged = rank_browsers(own)
    if not (phones or browsers):
        raise MeasurementError(
            f"no phone or browser measured two variants of this bundle well enough to rank them ({usable + paged} good measurements of its artifacts on "
            "Android, iOS and in browsers); measure it with 'harness run BUNDLE -d android'."
        )
    return Ranked(phones=phones, browsers=browsers)


def _rank_phones(runs: Iterable[Run]) -> tuple[tuple[Ranking, ...], int]:
    """One order, fastest first, for each SoC (each model where a phone does not name its SoC) that measured two variants or more.

    Counted are the bundle's very artifacts on phones whose newest session is `ok`, runs over minutes apart; phones of one SoC are averaged
    geometrically, over the variants that all of them measured. A variant that was wrong on one phone of a place, in whichever mode, is
    in no order of that place. And how many measurements were good.
    """
    verdicts = [judge_session(group) for group in group_runs(run for run in runs if run.mode in MODES)]
    usable = [verdict for verdict in verdicts if verdict.exit_code == 0]
    wrong = {
        (_place(found.group.last), found.group.variant)
        for found in verdicts
        if found.exit_code == VerificationError.exit_code
    }
    by_place: dict[Place, dict[tuple[str, str], dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    known: dict[tuple[str, str], Phone] = {}
    apps: set[tuple[str, str]] = set()
    for verdict in usable:
        group, place = verdict.group, _place(verdict.group.last)
        if place is not None and not group.sustained and (place, group.variant) not in wrong:
            times = by_place[place][group.device]
            times[group.variant] = min(
                find_level(verdict), times.get(group.variant, math.inf)
            )  # of a sweep, the best way
            known[group.device] = describe_phone(group.last.device)
            apps |= {group.device} if group.last.mode == "app" else set()
    rankings: list[Ranking] = []
    for (soc, model), phones in sorted(by_place.items(), key=lambda item: tuple(name or "" for name in item[0])):
        ranked = {serial for kind, serial in apps & phones.keys() if len(phones[kind, serial]) > 1}
        # a phone that its app ranked too: users get the app's runtime
        phones = {device: times for device, times in phones.items() if device in apps or device[1] not in ranked}
        shared = set.intersection(*(set(measured) for measured in phones.values()))
        mean = {v: float(np.mean([np.log(measured[v]) for measured in phones.values()])) for v in shared}
        if len(mean) > 1:
            order = tuple(sorted(mean, key=lambda v: (mean[v], v)))
            rankings.append(
                Ranking(soc=soc, model=model, variants=order, phones=_phones(known[device] for device in phones))
            )
    return tuple(rankings), len(usable)


def write_ranked(bundle: Bundle, ranked: Ranked, out: Path) -> None:
    """The bundle with these orders in its manifest, in the new directory `out`. Raises UsageError when it exists or cannot be written."""
    if out.exists():
        raise UsageError(f"{out} exists; choose another place with -o.")
    manifest = bundle.manifest.model_copy(update={"rankings": ranked.phones, "browser_rankings": ranked.browsers})
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            listed = {entry.file for entry in manifest.files}
            for path in list_tree(bundle.root):
                name = path.relative_to(bundle.root).as_posix()
                if name in listed:  # not what marks a directory as the builder's
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, folder / name)
            (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
            folder.chmod(0o755)
            os.rename(folder, out)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise UsageError(f"{out} cannot be written ({error.strerror}); choose another place with -o.") from error


def _sha256s(bundle: Bundle) -> dict[str, str]:
    return {variant.id: variant.sha256 for variant in bundle.manifest.variants}


def _is_latency(run: Run) -> bool:
    return run.metric == "latency" and run.simulated is None


def _phones(phones: Iterable[Phone]) -> tuple[Phone, ...]:
    """Each once, in an order of their own, so that the same runs give the same bytes."""
    return tuple(sorted(set(phones), key=lambda phone: phone.model_dump_json()))


def _place(run: Run) -> Place | None:
    if run.device.soc.value is not None:
        return run.device.soc.value, None
    return None if run.device.model.value is None else (None, run.device.model.value)
