"""The step of one variant: planned, lowered, read back, run and judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from builder.backends import BACKENDS
from builder.backends.support import SupportedPlan, check_support
from builder.bundle import LayerPrecision, hash_file
from builder.errors import DataError, MissingToolError, VerificationError
from builder.legalize.for_variant import check_rewrites, choose
from builder.precision.plan import resolve
from builder.precision.ranges import CalibrationSettings
from builder.precision.scheme import SCHEMES, parse_scheme
from builder.project.config import VariantSection
from builder.project.data import DataFile
from builder.project.project import Project
from builder.steps.listener import Listener
from builder.steps.source import SOURCE_PACKAGES, SourceStep
from builder.steps.step import Step, Working, run_step
from builder.storage.cache import make_content_key, read_versions
from builder.storage.environments import make_python
from builder.workers.messages import PerceptualRequest, SharedKeys, VariantJob, VariantResult

# Of the layers that stay floats; a sentence has to end.
NAMED = 5


@dataclass(frozen=True, kw_only=True)
class VariantStep:
    section: VariantSection
    folder: Path
    key: str
    result: VariantResult


def require_packages(project: Project, sections: Sequence[VariantSection]) -> None:
    """Everything that these variants' converters need is installed. Raises MissingToolError with the command that adds it."""
    for section in sections:
        needed = (*SOURCE_PACKAGES, *BACKENDS[section.backend].SPEC.packages)
        missing = [name for name, version in read_versions(needed).items() if version == "missing"]
        if missing:
            raise MissingToolError(
                f"variant {section.name!r} needs {missing[0]}, which is not installed: pip install 'edgebundle[{section.backend}]'."
            )


def require_proofs(sections: Sequence[VariantSection]) -> None:
    """Raises VerificationError for a variant with `require_proven` whose delegate this machine cannot execute."""
    for section in sections:
        why = BACKENDS[section.backend].execution(section.delegate).unproven
        if section.require_proven and why is not None:
            raise VerificationError(
                f"variant {section.name!r} has require_proven = true but stays unproven here: {why}; "
                "'builder doctor' says what can be added, or remove require_proven."
            )


def require_plans(project: Project, sections: Sequence[VariantSection]) -> None:
    """Every plan that is written can be read, before the network is. Raises ConfigError naming the file, the rule and the near name."""
    for section in sections:
        if section.search is not None:
            continue
        plan, where = project.plan(section)
        for number, rule in enumerate(plan.rule, 1):
            parse_scheme(rule.scheme, where=f"{where}, rule {number}")
        for name in plan.fallbacks:
            parse_scheme(name, where=f"{where}, on_unsupported")


def warn_unproven(variants: Sequence[VariantStep], listener: Listener) -> None:
    """One warning for each reason."""
    for why in dict.fromkeys(step.result.unproven for step in variants):
        if why is not None:
            names = ", ".join(repr(step.section.name) for step in variants if step.result.unproven == why)
            listener.warn(f"unproven: {names}: {why}")


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
    working: Working,
    perceptual: PerceptualRequest | None = None,
) -> VariantStep:
    """One variant: lowered, read back, run and measured.

    Raises ConversionError, VerificationError, DataError, Interrupted.
    """
    step = make_variant_step(project, source, section, plan, perceptual)
    other = section.options.find_other_converter()
    if other is not None and (project.fresh.wanted or not step.is_kept):
        make_python(other.environment, working.listener.warn)
    result = run_step(step, project, working)
    if section.require_proven and result.unproven is not None:
        raise VerificationError(
            f"variant {section.name!r} has require_proven = true but stays unproven here: {result.unproven.rstrip('.')}; "
            "or remove require_proven."
        )
    _tell_floats(section, result, working.listener)
    for row in result.legalized:
        if not row.places:
            working.listener.warn(
                f"variant {section.name!r}: the rewrite {row.rewrite!r} would move an output by {row.max_error:.2g} of its range and was left out; "
                "what the delegate leaves for it stands in the coverage"
            )
    return VariantStep(section=section, folder=step.folder, key=step.key, result=result)


def _tell_floats(section: VariantSection, result: VariantResult, listener: Listener) -> None:
    """Layers that were asked for in integers and are floats in the file, a warning for each reason; the manifest has them all."""
    floats = [
        row
        for row in result.layers
        if SCHEMES[row.requested].has_integers and SCHEMES[row.realised].mode == "float" and row.fallback
    ]
    by_reason: dict[str, list[LayerPrecision]] = {}
    for row in floats:
        by_reason.setdefault(str(row.fallback).replace(repr(row.layer), "it"), []).append(row)
    for reason, rows in by_reason.items():
        names = ", ".join(repr(row.layer) for row in rows[:NAMED]) + (
            f" and {len(rows) - NAMED} more" if rows[NAMED:] else ""
        )
        listener.warn(
            f"variant {section.name!r}: {names} stays {rows[0].realised}, {rows[0].requested} was asked for: {reason.rstrip('.')}"
        )


def make_variant_step(
    project: Project,
    source: SourceStep,
    section: VariantSection,
    plan: SupportedPlan,
    perceptual: PerceptualRequest | None = None,
) -> Step[VariantResult]:
    """The step of one variant; nothing is run. Raises DataError."""
    calibration = project.data.calibration if plan.plan.needs_calibration else ()
    if plan.plan.needs_calibration and not calibration:
        raise DataError(
            f"variant {section.name!r} has static schemes or corrected biases, which need calibration data; set 'calibration' in [data] of builder.toml."
        )
    if not plan.plan.has_integers and plan.plan.between == "float":  # its settings decide nothing
        plan = replace(plan, plan=replace(plan.plan, calibration=CalibrationSettings()))
    job = _job(project, source, section, plan, calibration, perceptual)
    return Step(
        kind="variant",
        what=f"variant {section.name!r}",
        content={
            "source": source.key,
            "job": job.model_dump(mode="json", exclude={"source", "plan", "calibration", "evaluation", "perceptual"}),
            "plan": _plan_content(plan),
            "calibration": [file.sha256 for file in calibration],
            "versions": read_versions(BACKENDS[section.backend].SPEC.packages),
            **_make_perceptual_key(perceptual),
        },
        job=job,
        result=VariantResult,
    )


def _job(
    project: Project,
    source: SourceStep,
    section: VariantSection,
    plan: SupportedPlan,
    calibration: Sequence[DataFile],
    perceptual: PerceptualRequest | None,
) -> VariantJob:
    backend = BACKENDS[section.backend]
    halves = any(choice.scheme.name == "fp16" for choice in plan.plan.choices.values())
    traits = backend.SPEC.delegate(section.delegate).list_traits(halves=halves)
    # the rewrites are made for what the usual converter makes of them
    usual = section.options.find_other_converter() is None
    rewrites = choose(traits, project.config.legalize.off) if usual else ()
    required = project.config.legalize.require
    check_rewrites("require", required)
    legalized = {"source": source.key, "rewrites": rewrites, "required": required}
    return VariantJob(
        backend=section.backend,
        delegate=section.delegate,
        runtime=BACKENDS[section.backend].execution(section.delegate).runtime,
        source=source.folder,
        plan=plan,
        keys=_make_shared_keys(legalized, section, plan, calibration),
        perceptual=perceptual,
        calibration=tuple(file.path for file in calibration),
        evaluation=tuple(file.path for file in project.data.evaluation),
        rewrites=rewrites,
        required=required,
        require_coverage=section.require_coverage,
        options=section.options,
    )


def _make_shared_keys(
    legalized: Mapping[str, object], section: VariantSection, plan: SupportedPlan, calibration: Sequence[DataFile]
) -> SharedKeys:
    """Of what plans share: the rewritten program, the fp32 file, what calibration saw."""
    other = section.options.find_other_converter()
    floats = {
        **legalized,
        "backend": section.backend,
        "converter": () if other is None else other.environment.packages,
        "equalize": plan.plan.calibration.equalize,
        "versions": read_versions(BACKENDS[section.backend].SPEC.packages),
    }
    return SharedKeys(
        legalized=make_content_key(legalized),
        floats=make_content_key(floats),
        observed=make_content_key({**floats, "calibration": [file.sha256 for file in calibration]}),
    )


def _plan_content(plan: SupportedPlan) -> dict[str, object]:
    """What of a plan decides an artifact and its rows in the manifest: not which rule won."""
    return {
        "requested": {name: choice.scheme.name for name, choice in plan.requested.choices.items()},
        "schemes": {name: choice.scheme.name for name, choice in plan.plan.choices.items()},
        "reasons": plan.reasons,
        "between": plan.plan.between,
        "calibration": plan.plan.calibration.model_dump(mode="json"),
    }


def _make_perceptual_key(request: PerceptualRequest | None) -> dict[str, str]:
    if request is None:
        return {}
    return {"perceptual": "" if request.lpips is None else hash_file(request.lpips)}
