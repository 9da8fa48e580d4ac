"""The step of the source: the model loaded, exported and run on the evaluation data."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from builder.errors import DataError, MissingToolError
from builder.project.condition_inputs import uncovered
from builder.project.config import IMPORT_PACKAGES, VariantSection, source_kind
from builder.project.held_out import check_held_out
from builder.project.project import Project
from builder.sources import environment_of
from builder.steps.listener import Listener
from builder.steps.step import Step, run_step
from builder.storage.cache import content_key, kept, versions
from builder.storage.environments import python_of
from builder.workers.messages import SourceJob, SourceResult
from builder.workers.orders import TORCH
from builder.workers.servers import warm

SOURCE_PACKAGES = ("torch", "safetensors", "scikit-image")  # the extra `convert`, part of every backend's


WARNINGS = "warnings.json"


GOLDENS = 1  # evaluation samples that travel with the bundle


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
    step = source_step(project)
    if not step.is_kept and (needed := environment_of(project.config, project.folder)) is not None:
        python_of(needed, listener.warn)
    result = run_step(step, project.config.limits, listener)
    if (frozen := result.frozen_norms) is not None:
        listener.warn(
            f"the statistics of {frozen.norms} norms are fixed from {frozen.samples} calibration samples: the network agrees with the "
            f"trained one to {frozen.psnr_db_worst:.1f} dB on the worst evaluation sample, and all further figures are against it"
        )
    return SourceStep(folder=step.folder, key=step.key, result=result)


def source_step(project: Project) -> Step[SourceResult]:
    """The step of a project's model; nothing is run."""
    freeze = project.config.legalize.freeze_norms
    return Step(
        kind="source",
        what="the source model",
        content={"project": project.source_key()},
        job=SourceJob(
            config=project.config,
            folder=project.folder,
            calibration=tuple(file.path for file in project.data.calibration) if freeze else (),
            evaluation=tuple(file.path for file in project.data.evaluation),
            goldens=min(GOLDENS, len(project.data.evaluation)),
        ),
        result=SourceResult,
    )


def warm_up(project: Project, sections: Iterable[VariantSection]) -> None:
    """Begin to import what these variants' converters need, while data and source are read, where the source is not kept yet."""
    if not source_step(project).is_kept:
        warm((TORCH, *dict.fromkeys(section.backend for section in sections)))


def require_importer(project: Project) -> None:
    """What reads the model's file is installed. Raises MissingToolError with the command that adds it."""
    kind = source_kind(project.config.model.source)
    extra = "keras" if kind == "keras" else "onnx"
    needed = ("keras", "h5py") if kind == "keras" else IMPORT_PACKAGES.get(kind, ())
    missing = [name for name, version in versions(needed).items() if version == "missing"]
    if missing:
        raise MissingToolError(
            f"the model {project.config.model.source!r} needs {missing[0]}, which is not installed: pip install 'edgebundle[{extra}]'."
        )


def hold_out(project: Project, listener: Listener) -> None:
    """Nothing of the evaluation set is used for calibration; looked at once for each pair of sets. Raises DataError.

    Warns of values of condition inputs that calibration leaves out.
    """
    sets = {"calibration": project.data.calibration, "evaluation": project.data.evaluation}
    inputs = project.config.input
    key = content_key(
        {name: [file.sha256 for file in files] for name, files in sets.items()}
        | {"code": project.code, "inputs": [section.model_dump(mode="json") for section in inputs]}
    )

    def make(work: Path) -> None:
        check_held_out(project.data, lambda read, of: listener.stage("the data", f"compare {read}/{of}"))
        (work / WARNINGS).write_text(json.dumps(uncovered(project.data, inputs)), encoding="utf-8")

    folder, cached = kept("heldout", key, make)
    for text in json.loads((folder / WARNINGS).read_text(encoding="utf-8")):
        listener.warn(text)
    listener.done("the data", cached=cached)
