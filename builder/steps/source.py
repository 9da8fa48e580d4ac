"""The step of the source: the model loaded, exported and run on the evaluation data."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from builder.bundle import hash_tree
from builder.errors import DataError, MissingToolError
from builder.project.condition_inputs import find_uncovered
from builder.project.config import VariantSection
from builder.project.held_out import check_held_out
from builder.project.project import Project
from builder.project.small_pictures import find_small
from builder.project.source_kinds import IMPORT_PACKAGES, find_source_kind
from builder.project.used import recall, remember
from builder.sources import find_environment
from builder.steps.listener import Listener
from builder.storage.cache import (
    find_whole,
    hold_lock,
    keep_entry,
    locate,
    make_content_key,
    making,
    publish,
    read_versions,
)
from builder.storage.environments import make_python
from builder.workers.messages import RESULT, SourceJob, SourceResult
from builder.workers.orders import TORCH
from builder.workers.servers import warm
from builder.workers.supervisor import run_job

SOURCE_PACKAGES = ("torch", "safetensors", "scikit-image")  # the extra `convert`, part of every backend's


WARNINGS = "warnings.json"


WHAT = "the source model"
# Evaluation samples that travel with the bundle.
GOLDENS = 1


@dataclass(frozen=True, kw_only=True)
class SourceStep:
    folder: Path
    key: str
    result: SourceResult


def export_source(project: Project, listener: Listener) -> SourceStep:
    """The source model, exported and run on the evaluation data. Raises SourceError, DataError, ConversionError."""
    require_importer(project)
    hold_out(project, listener)
    freeze = project.config.legalize.freeze_norms
    if freeze and not project.data.calibration:
        raise DataError(
            "'freeze_norms' takes statistics from calibration data; set 'calibration' in [data] of builder.toml."
        )
    job = SourceJob(
        config=project.config,
        folder=project.folder,
        calibration=tuple(file.path for file in project.data.calibration) if freeze else (),
        evaluation=tuple(file.path for file in project.data.evaluation),
        goldens=min(GOLDENS, len(project.data.evaluation)),
    )
    key, cached = _source(project, job, listener)
    listener.finish(WHAT, cached=cached)
    folder = locate("source", key)
    result = SourceResult.model_validate_json((folder / RESULT).read_text(encoding="utf-8"))
    for text in result.warnings:
        listener.warn(text)
    if (frozen := result.frozen_norms) is not None:
        listener.warn(
            f"the statistics of {frozen.norms} norms are fixed from {frozen.samples} calibration samples: the network agrees with the "
            f"trained one to {frozen.psnr_db_worst:.1f} dB on the worst evaluation sample, and all further figures are against it"
        )
    return SourceStep(folder=folder, key=key, result=result)


def warm_up(project: Project, sections: Iterable[VariantSection]) -> None:
    """Begin to import what these variants' converters need, while data and source are read, where the source is not kept yet."""
    known = recall(project.make_source_key(), project.folder)
    if known is None or find_whole("source", known) is None:
        warm((TORCH, *dict.fromkeys(section.backend for section in sections)))


def _source(project: Project, job: SourceJob, listener: Listener) -> tuple[str, bool]:
    """The key of the loaded source, and whether an earlier run had made it from all that its factory would use today."""
    base = project.make_source_key()
    with hold_lock(f"source {base}"):
        known = None if project.fresh.first("source", base) else recall(base, project.folder)
        if known is not None and find_whole("source", known) is not None:
            return known, True
        if (needed := find_environment(project.config, project.folder)) is not None:
            make_python(needed, listener.warn)
        with making("source") as work:
            run_job(
                job, work, what=WHAT, limits=project.config.limits, on_stage=lambda text: listener.stage(WHAT, text)
            )
            used = SourceResult.model_validate_json((work / RESULT).read_text(encoding="utf-8")).used
            # With the hash of the network itself: one that came out otherwise, whatever made it so, has another key.
            key = make_content_key({"base": base, "used": used.model_dump(mode="json"), "made": hash_tree(work)})
            publish(work, "source", key)
        remember(base, used, key)
        return key, False


def require_importer(project: Project) -> None:
    """What reads the model's file is installed. Raises MissingToolError with the command that adds it."""
    kind = find_source_kind(project.config.model.source)
    extra = "keras" if kind == "keras" else "onnx"
    needed = ("keras", "h5py") if kind == "keras" else IMPORT_PACKAGES.get(kind, ())
    missing = [name for name, version in read_versions(needed).items() if version == "missing"]
    if missing:
        raise MissingToolError(
            f"the model {project.config.model.source!r} needs {missing[0]}, which is not installed: pip install 'edgebundle[{extra}]'."
        )


def hold_out(project: Project, listener: Listener) -> None:
    """Nothing of the evaluation set is used for calibration; looked at once for each pair of sets. Raises DataError.

    Warns of values of condition inputs that calibration leaves out, and of pictures far smaller than the network's input.
    """
    sets = {"calibration": project.data.calibration, "evaluation": project.data.evaluation}
    inputs = project.config.input
    key = make_content_key(
        {name: [file.sha256 for file in files] for name, files in sets.items()}
        | {"code": project.code, "inputs": [section.model_dump(mode="json") for section in inputs]}
    )

    def make(work: Path) -> None:
        check_held_out(project.data, lambda read, of: listener.stage("the data", f"compare {read}/{of}"))
        warnings = (*find_uncovered(project.data, inputs), *find_small(project.data, inputs))
        (work / WARNINGS).write_text(json.dumps(warnings), encoding="utf-8")

    folder, cached = keep_entry("heldout", key, make)
    for text in json.loads((folder / WARNINGS).read_text(encoding="utf-8")):
        listener.warn(text)
    listener.finish("the data", cached=cached)
