"""The order of a bundle's variants as phones measured it, written into the bundle: apps take the first that fits their device."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from builder.bundle import MANIFEST, Bundle, Phone, Ranking, tree_files
from harness.analysis.grouping import group_runs
from harness.analysis.session_verdict import SessionVerdict, session_verdict
from harness.analysis.verdict import exit_code
from harness.errors import MeasurementError, UsageError, VerificationError
from harness.records.phone import phone_of
from harness.records.run import Run

MODES = ("app", "shell")
Place = tuple[str | None, str | None]  # SoC, else model


def rank_measured(runs: Iterable[Run], bundle: Bundle) -> tuple[Ranking, ...]:
    """One order, fastest first, for each SoC (each model where a phone does not name its SoC) that measured two variants or more.

    Counted are the bundle's very artifacts on phones whose newest session is `ok`, runs over minutes apart; phones of one SoC are averaged
    geometrically, over the variants that all of them measured. A variant that was wrong on one phone of a place, in whichever mode, is
    in no order of that place. Raises MeasurementError when no phone measured two.
    """
    wanted = {variant.id: variant.sha256 for variant in bundle.manifest.variants}
    own = [run for run in runs if _is_of_a_phone(run) and wanted.get(run.variant) == run.variant_sha256]
    verdicts = [session_verdict(group) for group in group_runs(own)]
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
            times[group.variant] = min(_level(verdict), times.get(group.variant, math.inf))  # of a sweep, the best way
            known[group.device] = phone_of(group.last.device)
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
    if not rankings:
        raise MeasurementError(
            f"no phone measured two variants of this bundle well enough to rank them ({len(usable)} good measurements of its artifacts on "
            "Android and iOS); measure it with 'harness run BUNDLE -d android'."
        )
    return tuple(rankings)


def write_ranked(bundle: Bundle, rankings: tuple[Ranking, ...], out: Path) -> None:
    """The bundle with these rankings in its manifest, in the new directory `out`. Raises UsageError when it exists or cannot be written."""
    if out.exists():
        raise UsageError(f"{out} exists; choose another place with -o.")
    manifest = bundle.manifest.model_copy(update={"rankings": rankings})
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            listed = {entry.file for entry in manifest.files}
            for path in tree_files(bundle.root):
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


def _is_of_a_phone(run: Run) -> bool:
    """Apps choose by rankings, and name their phones as the records of a phone's shell and of apps do."""
    return run.mode in MODES and run.metric == "latency" and run.simulated is None


def _level(verdict: SessionVerdict) -> float:
    """Median of all good samples that the group holds, earlier sessions of the same file included."""
    return float(
        np.median(np.concatenate([run.latency_ns for run in verdict.group.runs if exit_code(run.verdict) == 0]))
    )


def _phones(phones: Iterable[Phone]) -> tuple[Phone, ...]:
    """Each once, in an order of their own, so that the same runs give the same bytes."""
    return tuple(sorted(set(phones), key=lambda phone: phone.model_dump_json()))


def _place(run: Run) -> Place | None:
    if run.device.soc.value is not None:
        return run.device.soc.value, None
    return None if run.device.model.value is None else (None, run.device.model.value)
