"""The step of one variant: planned, lowered, read back, run and judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from builder.backends import BACKENDS
from builder.backends.support import SupportedPlan, check_support
from builder.bundle import file_sha256
from builder.errors import DataError, MissingToolError
from builder.legalize.for_variant import chosen
from builder.precision.plan import resolve
from builder.precision.ranges import CalibrationSettings
from builder.project.config import VariantSection
from builder.project.project import Project
from builder.steps.cached import cached_step
from builder.steps.listener import Listener
from builder.steps.source import SOURCE_PACKAGES, SourceStep
from builder.storage.cache import content_key, entry, versions
from builder.storage.environments import ONNX2TF, python_of
from builder.workers.messages import (
    RESULT,
    PerceptualRequest,
    VariantJob,
    VariantResult,
)
from builder.workers.supervisor import RunJob, run_job


@dataclass(frozen=True, kw_only=True)
class VariantStep:
    section: VariantSection
    folder: Path
    key: str
    result: VariantResult


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
    folder = cached_step(project, "variant", key, job, f"variant {section.name!r}", listener, stop, run)
    return VariantStep(
        section=section,
        folder=folder,
        key=key,
        result=VariantResult.model_validate_json((folder / RESULT).read_text(encoding="utf-8")),
    )


def _perceptual_key(request: PerceptualRequest | None) -> dict[str, str]:
    if request is None:
        return {}
    return {"perceptual": "" if request.lpips is None else file_sha256(request.lpips)}
