"""The cached steps of a conversion: export the source once, lower each variant once; only what changed runs again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Protocol

from builder.backends import BACKENDS
from builder.bundle import file_sha256
from builder.cache import content_key, entry, locked, publishing, versions
from builder.conditions import uncovered
from builder.config import IMPORT_PACKAGES, VariantSection, source_kind
from builder.environments import ONNX2TF, python_of
from builder.errors import DataError, MissingToolError
from builder.exports import PACKAGES
from builder.heldout import check_held_out
from builder.jobs import (
    RESULT,
    ExportJob,
    ExportResult,
    PerceptualRequest,
    SourceJob,
    SourceResult,
    VariantJob,
    VariantResult,
)
from builder.legalization import chosen
from builder.precision.plan import resolve
from builder.precision.ranges import CalibrationSettings
from builder.project import Project
from builder.sources import environment_of
from builder.supervisor import RunJob, run_job
from builder.support import SupportedPlan, check_support

SOURCE_PACKAGES = ("torch", "safetensors", "scikit-image")  # the extra `convert`, part of every backend's
WARNINGS = "warnings.json"
GOLDENS = 1  # evaluation samples that travel with the bundle


class Listener(Protocol):
    """Hears what the pipeline does; the command line draws progress bars from it."""

    def stage(self, step: str, text: str) -> None: ...

    def done(self, step: str, *, cached: bool) -> None: ...

    def warn(self, text: str) -> None: ...


class Silent:
    """A listener that hears nothing, for use from Python."""

    def stage(self, step: str, text: str) -> None:
        pass

    def done(self, step: str, *, cached: bool) -> None:
        pass

    def warn(self, text: str) -> None:
        pass


@dataclass(frozen=True, kw_only=True)
class SourceStep:
    folder: Path
    key: str
    result: SourceResult


@dataclass(frozen=True, kw_only=True)
class VariantStep:
    section: VariantSection
    folder: Path
    key: str
    result: VariantResult


def export_source(project: Project, listener: Listener) -> SourceStep:
    """The source model, exported and run on the evaluation data. Raises SourceError, DataError, ConversionError."""
    require_importer(project)
    hold_out(project, listener)
    key = project.source_key()
    if not entry("source", key).is_dir() and (needed := environment_of(project.config, project.folder)) is not None:
        python_of(needed, listener.warn)
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
    folder = _cached(project, "source", key, job, "the source model", listener)
    result = SourceResult.model_validate_json((folder / RESULT).read_text(encoding="utf-8"))
    if (frozen := result.frozen_norms) is not None:
        listener.warn(
            f"the statistics of {frozen.norms} norms are fixed from {frozen.samples} calibration samples: the network agrees with the "
            f"trained one to {frozen.psnr_db_worst:.1f} dB on the worst evaluation sample, and all further figures are against it"
        )
    return SourceStep(folder=folder, key=key, result=result)


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
    cached = entry("heldout", key).is_dir()
    if not cached:
        with publishing("heldout", key) as work:
            check_held_out(project.data, lambda read, of: listener.stage("the data", f"compare {read}/{of}"))
            (work / WARNINGS).write_text(json.dumps(uncovered(project.data, inputs)), encoding="utf-8")
    for text in json.loads((entry("heldout", key) / WARNINGS).read_text(encoding="utf-8")):
        listener.warn(text)
    listener.done("the data", cached=cached)


def require_packages(project: Project, sections: Sequence[VariantSection]) -> None:
    """Everything that these variants' converters need is installed. Raises MissingToolError with the command that adds it."""
    for section in sections:
        needed = (*SOURCE_PACKAGES, *BACKENDS[section.backend].PACKAGES)
        missing = [name for name, version in versions(needed).items() if version == "missing"]
        if missing:
            raise MissingToolError(
                f"variant {section.name!r} needs {missing[0]}, which is not installed: pip install 'edgebundle[{section.backend}]'."
            )


def plan_variant(project: Project, source: SourceStep, section: VariantSection) -> SupportedPlan:
    """The plan of a variant, resolved over the layers and checked against the backend. Raises ConfigError."""
    plan, where = project.plan(section)
    resolved = resolve(plan, source.result.layers, where=where)
    return check_support(resolved, source.result.layers, BACKENDS[section.backend], section.delegate, where=where)


def lower_variant(
    project: Project,
    source: SourceStep,
    section: VariantSection,
    plan: SupportedPlan,
    listener: Listener,
    stop: Event,
    run: RunJob = run_job,
    perceptual: PerceptualRequest | None = None,
) -> VariantStep:
    """One variant: lowered, read back, run and measured by `run`; `stop` ends it from another thread.

    Raises ConversionError, VerificationError, DataError, Interrupted.
    """
    backend = BACKENDS[section.backend]
    calibration = project.data.calibration if plan.plan.needs_calibration else ()
    if plan.plan.needs_calibration and not calibration:
        raise DataError(
            f"variant {section.name!r} has static schemes or corrected biases, which need calibration data; set 'calibration' in [data] of builder.toml."
        )
    settings = (
        plan.plan.calibration if plan.plan.has_integers or plan.plan.between != "float" else CalibrationSettings()
    )
    halves = any(choice.scheme.name == "fp16" for choice in plan.plan.choices.values())
    stock = section.route == "onnx2tf"  # the rewrites are made for what litert-torch makes of them
    rewrites = () if stock else chosen(section.backend, section.delegate, project.config.legalize.off, halves=halves)
    observed = {
        "source": source.key,
        "backend": section.backend,
        "rewrites": rewrites,
        "route": ONNX2TF.packages if stock else (),
        "equalize": settings.equalize,
        "calibration": [file.sha256 for file in calibration],
        "versions": versions(backend.PACKAGES),
    }
    job = VariantJob(
        backend=section.backend,
        delegate=section.delegate,
        source=source.folder,
        rules=plan.requested.rules,
        requested={name: choice.scheme.name for name, choice in plan.requested.choices.items()},
        schemes={name: choice.scheme.name for name, choice in plan.plan.choices.items()},
        reasons=plan.reasons,
        between=plan.plan.between,
        calibration_settings=settings,
        observed_key=content_key(observed),
        perceptual=perceptual,
        calibration=tuple(file.path for file in calibration),
        evaluation=tuple(file.path for file in project.data.evaluation),
        rewrites=rewrites,
        require_coverage=section.require_coverage,
        route=section.route,
        io=section.io,
        deployment_target=section.deployment_target,
    )
    key = content_key(
        {
            "source": source.key,
            "job": job.model_dump(mode="json", exclude={"source", "calibration", "evaluation", "rules", "perceptual"}),
            "calibration": [file.sha256 for file in calibration],
            "versions": versions(backend.PACKAGES),
            **_perceptual_key(perceptual),
        }
    )
    if stock and not entry("variant", key).is_dir():
        python_of(ONNX2TF, listener.warn)
    folder = _cached(project, "variant", key, job, f"variant {section.name!r}", listener, stop, run)
    return VariantStep(
        section=section,
        folder=folder,
        key=key,
        result=VariantResult.model_validate_json((folder / RESULT).read_text(encoding="utf-8")),
    )


def export_file(
    project: Project, source: SourceStep, format_name: str, dynamic: bool, listener: Listener
) -> tuple[Path, ExportResult]:
    """One export of the source model: the directory of its files, and what it is. Raises ConversionError, ConfigError, MissingToolError."""
    missing = [name for name, version in versions(PACKAGES[format_name]).items() if version == "missing"]
    if missing:
        raise MissingToolError(f"the export {format_name!r} needs {missing[0]}: pip install 'edgebundle[onnx]'.")
    job = ExportJob(
        format=format_name,
        dynamic=dynamic,
        source=source.folder,
        config=project.config,
        folder=project.folder,
        evaluation=tuple(file.path for file in project.data.evaluation),
    )
    name = project.config.model.name
    key = content_key(
        {
            "source": source.key,
            "format": format_name,
            "dynamic": dynamic,
            "name": name,
            "versions": versions(PACKAGES[format_name]),
        }
    )
    folder = _cached(project, "export", key, job, f"export {format_name!r}", listener)
    return folder / "files", ExportResult.model_validate_json((folder / RESULT).read_text(encoding="utf-8"))


def _perceptual_key(request: PerceptualRequest | None) -> dict[str, str]:
    if request is None:
        return {}
    return {"perceptual": "" if request.lpips is None else file_sha256(request.lpips)}


def _cached(
    project: Project,
    step: str,
    key: str,
    job: SourceJob | VariantJob | ExportJob,
    what: str,
    listener: Listener,
    stop: Event | None = None,
    run: RunJob = run_job,
) -> Path:
    """The entry of this key, made by a worker process unless it is there; two builds never make the same entry twice."""
    on_stage: Callable[[str], None] = lambda text: listener.stage(what, text)  # noqa: E731
    with locked(f"{step} {key}"):
        folder = entry(step, key)
        cached = folder.is_dir()
        if not cached:
            with publishing(step, key) as work:
                run(job, work, what=what, limits=project.config.limits, on_stage=on_stage, stop=stop)
    listener.done(what, cached=cached)
    return folder
