"""From a source and a plan to the artifact: what all plans share is read where it is kept, the rest is this plan's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from builder.backends import BACKENDS
from builder.backends.base import Lowered
from builder.bundle import Legalization
from builder.graph.model import Model
from builder.graph.samples import read_samples
from builder.precision.biases import corrected
from builder.precision.equalize import equalized
from builder.precision.plan import ResolvedPlan
from builder.precision.ranges import Observed
from builder.storage.cache import kept, whole
from builder.workers.jobs.folder import remove, stage
from builder.workers.jobs.shared import Tell, culprit_named, float_file, observed, rewritten
from builder.workers.messages import VariantJob

if TYPE_CHECKING:
    from builder.backends.coreml.half_range import Reached

REACHED = "reached.json"


@dataclass(frozen=True, kw_only=True)
class Made:
    """A written artifact: how it maps to the model, the model that it was made of, and what was rewritten before."""

    lowered: Lowered
    model: Model
    legalized: tuple[Legalization, ...]


def make_artifact(job: VariantJob, folder: Path, artifact: Path) -> Made:
    """Write the artifact of the job's plan. Raises ConversionError, VerificationError."""

    def tell(text: str) -> None:
        stage(folder, text)

    if job.backend == "tflite" and not job.plan.plan.as_trained:  # its own integers are in the program already
        return _realise(job, folder, artifact, tell)
    tell("legalize")
    model, rows = rewritten(job)
    model = prepared(model, job.plan.plan, job, tell)
    tell("lower")
    with culprit_named(job, model, folder):
        if job.backend == "coreml":
            lowered = _lower_coreml(job, model, artifact, tell)
        else:
            lowered = BACKENDS[job.backend].lower(
                model, job.plan.plan, job.delegate, lambda: _observed(job, model, tell), artifact
            )
    return Made(lowered=lowered, model=model, legalized=rows)


def _realise(job: VariantJob, folder: Path, artifact: Path, tell: Tell) -> Made:
    """From the fp32 file, which needs no torch."""
    from builder.backends.tflite import realised_for
    from builder.backends.tflite.activations import observe_file

    floats = float_file(job, folder)
    tell("lower")

    def seen() -> Observed:
        return observed(job, floats.model, lambda samples: observe_file(floats.content, floats.lowered, samples), tell)

    artifact.write_bytes(realised_for(job.delegate, floats.content, floats.model, job.plan.plan, seen))
    return Made(lowered=floats.lowered, model=floats.model, legalized=floats.legalized)


def prepared(model: Model, plan: ResolvedPlan, job: VariantJob, tell: Tell) -> Model:
    """The model with its channels equalized and its biases corrected where the plan asks for it.

    TFLite's fp32 file is corrected instead: converting another one for every plan would take seconds each.
    """
    if plan.calibration.equalize:
        model = replace(model, program=equalized(model.program))
    if plan.calibration.correct_biases and plan.has_integers:
        seen = _observed(job, model, tell)
        model = replace(model, program=corrected(model.program, model.layers, plan, seen))
    return model


def _observed(job: VariantJob, model: Model, tell: Tell) -> Observed:
    return observed(job, model, lambda samples: BACKENDS[job.backend].observe(model, samples), tell)


def _lower_coreml(job: VariantJob, model: Model, artifact: Path, tell: Tell) -> Lowered:
    """The file, with layers in fp32 instead of fp16 whose values on the evaluation data are too large for it.

    How large they get is looked up in the file of the first plan, and is the same for all others.
    """
    from builder.backends import coreml
    from builder.backends.coreml.compute import in_fp16
    from builder.backends.coreml.half_range import Reached, reached, within_half

    def made(asked: ResolvedPlan) -> Lowered:
        return coreml.lower(
            model, asked, job.delegate, dict, artifact, io=job.io, deployment_target=job.deployment_target
        )

    plan = job.plan.plan
    if not any(in_fp16(choice.scheme) for choice in plan.choices.values()):
        return made(plan)
    rows = TypeAdapter(dict[str, Reached])
    lowered = None if whole("reached", job.keys.floats) is not None else made(plan)

    def look(work: Path) -> None:
        tell("look for values that fp16 cannot hold")
        found: dict[str, Reached] = reached(
            artifact, model, lowered or made(plan), read_samples(job.evaluation, model.inputs)
        )
        (work / REACHED).write_bytes(rows.dump_json(found))

    folder, _ = kept("reached", job.keys.floats, look)
    known = rows.validate_json((folder / REACHED).read_bytes())
    kept_plan, reasons = within_half(plan, known, [norm.name for norm in model.layers.norms])
    if lowered is None or reasons:
        remove(artifact)
        lowered = made(kept_plan)
    return replace(lowered, kept=reasons)
