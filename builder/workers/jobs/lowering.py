"""From a source and a plan to the artifact: what all plans share is read where it is kept, the rest is this plan's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from builder.backends import BACKENDS
from builder.backends.base import Lowered, Reached
from builder.bundle import Legalization
from builder.errors import NotExecutedError
from builder.graph.model import Model
from builder.graph.samples import read_samples
from builder.precision.biases import correct_biases
from builder.precision.equalize import equalize
from builder.precision.plan import ResolvedPlan
from builder.precision.ranges import Observed
from builder.storage.cache import find_whole, keep_entry
from builder.workers.jobs.folder import remove, stage
from builder.workers.jobs.shared import Tell, make_float_file, name_culprit_of, observe_once, rewrite_source
from builder.workers.messages import VariantJob

if TYPE_CHECKING:
    from builder.backends.base import FloatFile, HalfLimits

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

    backend = BACKENDS[job.backend]
    # A network that was trained for integers has them in its program already.
    route = None if job.plan.plan.as_trained else backend.describe_float_file()
    if route is not None:
        return _realise(job, route, folder, artifact, tell)
    tell("legalize")
    model, rows = rewrite_source(job)
    model = prepare(model, job.plan.plan, job, tell)
    tell("lower")
    half = backend.describe_half_limits()

    def lower_plan(plan: ResolvedPlan) -> Lowered:
        return backend.lower(model, plan, job.delegate, lambda: _observe(job, model, tell), artifact, job.options)

    with name_culprit_of(job, model, folder):
        lowered = (
            lower_plan(job.plan.plan) if half is None else _within_half(job, half, model, lower_plan, artifact, tell)
        )
    return Made(lowered=lowered, model=model, legalized=rows)


def _realise(job: VariantJob, route: FloatFile, folder: Path, artifact: Path, tell: Tell) -> Made:
    """From the fp32 file, which needs no torch."""
    floats = make_float_file(job, route, folder)
    tell("lower")

    def observe() -> Observed:
        return observe_once(
            job, floats.model, lambda samples: route.observe(floats.content, floats.lowered, samples), tell
        )

    artifact.write_bytes(route.realise(job.delegate, floats.content, floats.model, job.plan.plan, observe))
    return Made(lowered=floats.lowered, model=floats.model, legalized=floats.legalized)


def prepare(model: Model, plan: ResolvedPlan, job: VariantJob, tell: Tell) -> Model:
    """The model with its channels equalized and its biases corrected where the plan asks for it.

    Where plans start from an fp32 file it is corrected instead: converting another one for every plan would take seconds each.
    """
    if plan.calibration.equalize:
        model = replace(model, program=equalize(model.program))
    if plan.calibration.correct_biases and plan.has_integers:
        seen = _observe(job, model, tell)
        model = replace(model, program=correct_biases(model.program, model.layers, plan, seen))
    return model


def _observe(job: VariantJob, model: Model, tell: Tell) -> Observed:
    return observe_once(job, model, lambda samples: BACKENDS[job.backend].observe(model, samples), tell)


def _within_half(
    job: VariantJob, half: HalfLimits, model: Model, made: Callable[[ResolvedPlan], Lowered], artifact: Path, tell: Tell
) -> Lowered:
    """The file, with layers in fp32 instead of fp16 whose values on the evaluation data are too large for it.

    How large they get is looked up in the file of the first plan, and is the same for all others.
    """
    plan = job.plan.plan
    if not any(half.in_fp16(choice.scheme) for choice in plan.choices.values()):
        return made(plan)
    rows = TypeAdapter(dict[str, Reached])
    lowered = None if find_whole("reached", job.keys.floats) is not None else made(plan)

    def look(work: Path) -> None:
        tell("look for values that fp16 cannot hold")
        samples = read_samples(job.evaluation, model.inputs)
        reach = half.measure_reach(artifact, model, lowered or made(plan), samples)
        (work / REACHED).write_bytes(rows.dump_json(reach))

    try:
        folder, _ = keep_entry("reached", job.keys.floats, look)
    except NotExecutedError:  # told when the file is to be judged
        return lowered or made(plan)
    known = rows.validate_json((folder / REACHED).read_bytes())
    kept_plan, reasons = half.within_half(plan, known, [norm.name for norm in model.layers.norms])
    if lowered is None or reasons:
        remove(artifact)
        lowered = made(kept_plan)
    return replace(lowered, kept=reasons)
