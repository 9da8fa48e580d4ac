"""The variant job: rewrite, lower, read the precision back, run the file, judge quality and coverage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builder.backends import BACKENDS
from builder.backends.borders import make_logical
from builder.backends.coverage import explain_left, require_coverage
from builder.backends.support import SupportedPlan
from builder.bundle import GoldenTensor, LayerPrecision, Quality
from builder.errors import MissingToolError, NotExecutedError, VerificationError
from builder.graph.culprit import name_overflow
from builder.graph.model import Model
from builder.graph.samples import read_sample
from builder.legalize.for_variant import collect_cures
from builder.precision.plan import ResolvedPlan
from builder.precision.stated import find_missed
from builder.quality.declared import OutputCheck
from builder.quality.metrics import QualityMeter
from builder.quality.perceptual import Perceptual
from builder.quality.steadiness import compute_floor_db
from builder.workers.jobs.folder import (
    load_source,
    read_reference,
    read_source,
    refuse_paths_of_this_machine,
    stage,
)
from builder.workers.jobs.goldens import read_golden_reference, read_golden_sample, write_golden
from builder.workers.jobs.lowering import Made, make_artifact
from builder.workers.jobs.shown import Shown
from builder.workers.messages import SourceResult, VariantJob, VariantResult

if TYPE_CHECKING:
    from builder.backends.base import Execution
    from builder.graph.tensors import Tensors

# An artifact whose layers are all floats and that agrees less than this with its source was converted wrongly.
FLOAT_GATE_DB = 40.0
# On an accelerator that computes all in fp16 right files go down to 27.8 dB (msgnet of the corpus, 105 dB in fp32).
HALF_GATE_DB = 20.0
# Two pictures that have nothing to do with each other agree to about 8 dB.
UNRELATED_DB = 7.0
# Noise 60 dB below the inputs comes out ten times stronger.
SENSITIVE_DB = 40.0


def run_variant(job: VariantJob, folder: Path) -> VariantResult:
    backend = BACKENDS[job.backend]
    execution = backend.execution(job.delegate)
    if job.runtime not in (None, execution.runtime):
        raise MissingToolError(
            f"this worker executes {job.delegate} with {execution.runtime}, not with {job.runtime} as the machine that asks; "
            "give both the same drivers ('builder doctor' lists them)."
        )
    source = read_source(job.source)
    artifact = folder / f"artifact{backend.SPEC.suffix}"
    made = make_artifact(job, folder, artifact)
    model, lowered = made.model, made.lowered
    refuse_paths_of_this_machine(artifact)
    plan = job.plan.keeping(lowered.kept)

    stage(folder, "read back")
    realised = backend.read_back(artifact, model)
    if any(norm.name in plan.plan.choices for norm in model.layers.norms):
        realised |= backend.read_norms(artifact, model)
    layers = compare_with_request(realised, plan, job.backend, model)
    integers = {name for name, scheme in realised.items() if scheme == "static_wi8_ai8"}
    ranges = [rule for rule in plan.plan.ranges if rule.layer in integers]
    if ranges and (wrong := find_missed(ranges, backend.read_integers(artifact, model))) is not None:
        raise VerificationError(
            f"{wrong}; remove that range from the plan, or state it for one side of the operations between."
        )
    if not plan.plan.as_trained:  # there the checkpoint decides
        compare_between(backend.read_between(artifact), plan.plan.between, job.backend)

    unproven = execution.unproven
    try:
        seen = execute(job, made, source, execution, folder)
        if job.plan.plan.between == "float" and all(c.scheme.mode == "float" for c in job.plan.plan.choices.values()):
            half = execution.runtime != backend.describe_runtime()
            require_agreement(seen.quality, plan.plan, source, half=half)
    except NotExecutedError as error:
        seen, unproven = leave_unexecuted(job, model, source, execution, folder), str(error)
    coverage = backend.coverage(artifact, job.delegate)
    if coverage.left:
        coverage = explain_left(coverage, lowered.origins, load_source(job.source)[0].program, collect_cures())
    require_coverage(coverage, job.require_coverage)
    return VariantResult(
        artifact=artifact.name,
        inputs=lowered.inputs,
        outputs=lowered.outputs,
        layers=layers,
        quality=seen.quality,
        coverage=coverage,
        predicted=backend.predict_coverage(artifact, job.delegate),
        minimum_runtime=backend.read_minimum_runtime(artifact),
        predicted_peak_memory_bytes=backend.predict_peak_memory(artifact, lowered.inputs, lowered.outputs),
        golden_outputs=seen.goldens,
        perceptual=seen.perceptual,
        shown=seen.shown,
        legalized=made.legalized,
        tiling=source.tiling,
        unproven=unproven,
    )


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the artifact gave on the evaluation data."""

    quality: Quality
    goldens: tuple[tuple[GoldenTensor, ...], ...]
    perceptual: float | None = None
    shown: tuple[int, ...] = ()


def execute(job: VariantJob, made: Made, source: SourceResult, execution: Execution, folder: Path) -> Seen:
    """Raises VerificationError for outputs that no bundle should hold, NotExecutedError where only the real runtime can tell."""
    model, lowered = made.model, made.lowered
    stage(folder, f"compile for {execution.runtime}")
    runner = execution.open(folder / f"artifact{BACKENDS[job.backend].SPEC.suffix}", lowered.inputs, lowered.outputs)
    runner = make_logical(runner, lowered.inputs, lowered.outputs, (*model.inputs, *model.outputs))
    meter = QualityMeter(outputs=model.outputs)
    check = OutputCheck(outputs=model.outputs, whose=f"the {job.backend} file")
    likeness = Perceptual(job.perceptual.lpips) if job.perceptual is not None else None
    similarities: list[float] = []
    goldens = []
    shown = Shown(folder / "pictures")
    for number, path in enumerate(job.evaluation):
        stage(folder, f"evaluate {number + 1}/{len(job.evaluation)}")
        outputs = runner(read_sample(path, model.inputs))
        wanted = read_reference(job.source, number)
        require_numbers(outputs, model, path)
        require_pictures(outputs, wanted, model, path, execution.runtime)
        meter.add(outputs, wanted)
        check.add(outputs)
        shown.add(number, outputs, meter.psnrs[-1])
        if likeness is not None:
            similarities += [likeness(outputs[s.name], wanted[s.name], s) for s in model.outputs if s.kind == "image"]
    for number, stored in enumerate(source.golden_inputs):
        stage(folder, f"golden {number + 1}/{len(source.golden_inputs)}")
        outputs = runner(read_golden_sample(job.source, stored, model.inputs))
        require_numbers(outputs, model, job.evaluation[number])
        goldens.append(write_golden(folder, f"golden-{number}", outputs, model.outputs))
    check.refuse_constant()
    quality = meter.result(execution.runtime)
    if min(meter.psnrs) < UNRELATED_DB:
        sensitive = source.noise_db is not None and source.noise_db < SENSITIVE_DB
        cure = (
            f"this network makes {source.noise_db:g} dB of noise that is 60 dB below its inputs, and rounding to integers is louder: use fp16 or fp32"
            if sensitive
            else "try another plan"
        )
        raise VerificationError(
            f"the artifact gives unrelated values ({quality.psnr_db_worst} dB on the worst sample); {cure}."
        )
    return Seen(
        quality=quality,
        goldens=tuple(goldens),
        perceptual=round(min(similarities), 5) if similarities else None,
        shown=shown.keep(),
    )


def leave_unexecuted(job: VariantJob, model: Model, source: SourceResult, execution: Execution, folder: Path) -> Seen:
    """No figures; its goldens are what the source model gives, for the device to be held to."""
    goldens = (
        write_golden(folder, f"golden-{number}", read_golden_reference(job.source, number), model.outputs)
        for number in range(len(source.golden_inputs))
    )
    quality = Quality(runtime=execution.runtime, images=0, psnr_db_worst=None, psnr_db_mean=None, max_abs_error=None)
    return Seen(quality=quality, goldens=tuple(goldens))


def require_numbers(outputs: Tensors, model: Model, path: Path) -> None:
    """Raises VerificationError for an output with NaN or infinities, naming the first layer whose values leave float16."""
    import numpy as np

    wrong = next((name for name, value in outputs.items() if not np.isfinite(value).all()), None)
    if wrong is None:
        return
    sample = read_sample(path, model.inputs)
    first = name_overflow(model.program, [sample[spec.name] for spec in model.inputs], float(np.finfo("f2").max))
    if first is not None:
        why = f"{first} is the first whose values fp16 cannot hold (65504); use fp32 there and up to the next norm or activation"
    else:
        why = "the source model's values all stay below 65504, so a scheme is to blame; try another plan"
    raise VerificationError(f"the artifact gives NaN or infinite values in {wrong!r} for {path.name}: {why}.")


def require_agreement(quality: Quality, plan: ResolvedPlan, source: SourceResult, *, half: bool) -> None:
    """Raises VerificationError for a file of floats that agrees less than what floats do to this network.

    `half`: an accelerator computed all of it in fp16.
    """
    wide = not half and all(choice.scheme.name == "fp32" for choice in plan.choices.values())
    least = compute_floor_db(HALF_GATE_DB if half else FLOAT_GATE_DB, source.noise_db, "fp32" if wide else "fp16")
    if quality.psnr_db_worst is None or quality.psnr_db_worst >= least:
        return
    why = (
        "report this with the model"
        if wide
        else "or fp16 is too coarse for it; give one layer the scheme fp32, so that activations and norms that no rule names compute in fp32 too"
    )
    raise VerificationError(
        f"the artifact agrees with the source model to only {quality.psnr_db_worst} dB on {quality.runtime} although all its layers are floats "
        f"(at least {least:g} dB is expected of this network): the converter produced something else, {why}."
    )


def require_pictures(outputs: Tensors, wanted: Tensors, model: Model, path: Path, runtime: str) -> None:
    """Raises VerificationError for a picture of one colour, black as a rule, where the source model gives more."""
    for spec in model.outputs:
        if spec.kind == "image" and outputs[spec.name].std() == 0 and wanted[spec.name].std() > 0:
            raise VerificationError(
                f"{runtime} gives a picture of one value ({outputs[spec.name].flat[0]:g}) in {spec.name!r} for {path.name}, which the source "
                "model does not; use another delegate or scheme."
            )


def compare_with_request(
    realised: dict[str, str], plan: SupportedPlan, backend: str, model: Model
) -> tuple[LayerPrecision, ...]:
    """Requested and realised scheme of every layer, and of every norm that the plan names.

    Raises VerificationError where they differ without a named fallback.
    """
    rows = []
    for layer in model.layers.rows:
        if layer.op == "norm" and layer.name not in plan.plan.choices:
            continue  # it computes as what is between the layers
        wanted, got = plan.plan.scheme(layer.name).name, realised.get(layer.name, "absent")
        if wanted != got:
            what = "norm" if layer.op == "norm" else "layer"
            raise VerificationError(
                f"{what} {layer.name!r} was asked for as {wanted} but the {backend} file holds it as {got}; "
                f"give it another scheme in the plan or set on_unsupported."
            )
        rows.append(
            LayerPrecision(
                layer=layer.name,
                op=layer.op,
                requested=plan.requested.scheme(layer.name).name,
                realised=got,
                fallback=plan.reasons.get(layer.name),
            )
        )
    return tuple(rows)


def compare_between(realised: str, wanted: str, backend: str) -> None:
    """Raises VerificationError where the operations between the layers are not what was asked for."""
    if realised != wanted:
        raise VerificationError(
            f"the operations between the layers were asked for as {wanted} but the {backend} file has them as "
            f"{realised}; set between = {realised!r} in the plan."
        )
