"""The variant job: rewrite, lower, read the precision back, run the file, judge quality and coverage."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from builder.backends import BACKENDS
from builder.backends.borders import logical
from builder.backends.coverage import explained, require_coverage
from builder.bundle import LayerPrecision, Legalization
from builder.errors import ConversionError, VerificationError
from builder.graph.culprit import name_culprit, name_overflow
from builder.graph.model import Model
from builder.graph.samples import read_sample
from builder.legalize.for_variant import legalized
from builder.precision.plan import Choice, ResolvedPlan
from builder.precision.scheme import parse_scheme
from builder.quality.metrics import QualityMeter
from builder.quality.perceptual import Perceptual
from builder.workers.jobs.folder import load_source, read_reference, refuse_paths_of_this_machine, stage, write_golden
from builder.workers.jobs.lowering import lower, prepared
from builder.workers.messages import VariantJob, VariantResult

if TYPE_CHECKING:
    from builder.graph.tensors import Tensors

# An artifact whose layers are all floats and that agrees less than this with its source was converted wrongly.
FLOAT_GATE_DB = 40.0

# The last source with the rewrites of a delegate made and proven, which takes seconds too.
_LEGALIZED: dict[tuple[Path, tuple[str, ...]], tuple[Model, tuple[Legalization, ...]]] = {}


def run_variant(job: VariantJob, folder: Path) -> VariantResult:
    stage(folder, "load")
    backend = BACKENDS[job.backend]
    model, source = load_source(job.source)
    choices = {layer: Choice(scheme=parse_scheme(name, where="plan"), rule=-1) for layer, name in job.schemes.items()}
    plan = ResolvedPlan(
        rules=job.rules, choices=choices, fallback=None, between=job.between, calibration=job.calibration_settings
    )
    artifact = folder / f"artifact{backend.SUFFIX}"

    stage(folder, "legalize")
    source_program = model.program
    model, rewrites = legalized_once(job, model)

    def tell(text: str) -> None:
        stage(folder, text)

    model = prepared(model, plan, job, tell)
    stage(folder, "lower")
    try:
        lowered = lower(job, model, plan, artifact, tell)
    except ConversionError as error:
        if job.route != VariantJob.model_fields["route"].default:
            raise  # the operator is looked for with litert-torch
        stage(folder, "look for the operator that does not convert")
        found = name_culprit(model.program, lambda alone: lower_alone(job, alone, folder))
        if found is None:
            raise
        raise ConversionError(f"{str(error).rstrip('.')}: {found}.") from error
    refuse_paths_of_this_machine(artifact)
    if lowered.kept:
        update = {"schemes": job.schemes | dict.fromkeys(lowered.kept, "fp32"), "reasons": job.reasons | lowered.kept}
        job = job.model_copy(update=update)

    stage(folder, "read back")
    realised = backend.read_back(artifact, model)
    if any(norm.name in job.schemes for norm in model.layers.norms):
        realised |= backend.read_norms(artifact, model)
    layers = compare_with_request(realised, job, model)
    compare_between(backend.read_between(artifact), job)

    stage(folder, "run")
    runner = backend.runner(artifact, lowered.inputs, lowered.outputs, os.cpu_count() or 1)
    runner = logical(runner, lowered.inputs, lowered.outputs, (*model.inputs, *model.outputs))
    meter = QualityMeter(outputs=model.outputs)
    likeness = Perceptual(job.perceptual.lpips) if job.perceptual is not None else None
    similarities: list[float] = []
    goldens = []
    for number, path in enumerate(job.evaluation):
        stage(folder, f"evaluate {number + 1}/{len(job.evaluation)}")
        outputs = runner(read_sample(path, model.inputs))
        wanted = read_reference(job.source, number)
        require_numbers(outputs, model, path)
        meter.add(outputs, wanted)
        if likeness is not None:
            similarities += [likeness(outputs[s.name], wanted[s.name], s) for s in model.outputs if s.kind == "image"]
        if number < len(source.golden_inputs):
            goldens.append(write_golden(folder, f"golden-{number}", outputs, model.outputs))
    quality = meter.result(backend.runtime_name())
    if quality.psnr_db_worst < 0:
        raise VerificationError(
            f"the artifact gives unrelated values ({quality.psnr_db_worst} dB on the worst sample); try another plan."
        )
    floats = plan.between == "float" and all(choice.scheme.mode == "float" for choice in choices.values())
    if floats and quality.psnr_db_worst < FLOAT_GATE_DB:
        raise VerificationError(
            f"the artifact agrees with the source model to only {quality.psnr_db_worst} dB although all its layers are floats "
            f"(at least {FLOAT_GATE_DB:g} dB is expected): the converter produced something else, or fp16 is too coarse for it; give one "
            "layer the scheme fp32, so that activations and norms that no rule names compute in fp32 too."
        )
    coverage = explained(backend.coverage(artifact, job.delegate), lowered.origins, source_program)
    require_coverage(coverage, job.require_coverage)
    return VariantResult(
        artifact=artifact.name,
        inputs=lowered.inputs,
        outputs=lowered.outputs,
        layers=layers,
        quality=quality,
        coverage=coverage,
        predicted=backend.predicted(artifact, job.delegate),
        minimum_runtime=backend.minimum_runtime(artifact),
        predicted_peak_memory_bytes=backend.peak_memory(artifact, lowered.inputs, lowered.outputs),
        golden_outputs=tuple(goldens),
        perceptual=round(min(similarities), 5) if similarities else None,
        legalized=rewrites,
        tiling=source.tiling,
    )


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


def lower_alone(job: VariantJob, model: Model, folder: Path) -> None:
    """A network of one operator in floats, by the same converter. Raises ConversionError."""
    backend = BACKENDS[job.backend]
    choices = {layer: Choice(scheme=parse_scheme("fp32", where="plan"), rule=-1) for layer in model.layers.names()}
    out = folder / f"alone{backend.SUFFIX}"
    try:
        backend.lower(model, ResolvedPlan(rules=(), choices=choices, fallback=None), job.delegate, dict, out)
    finally:
        shutil.rmtree(out, ignore_errors=True) if out.is_dir() else out.unlink(missing_ok=True)


def legalized_once(job: VariantJob, model: Model) -> tuple[Model, tuple[Legalization, ...]]:
    """The model with the job's rewrites, from an earlier job of this process where it had the same."""
    key = (job.source, job.rewrites)
    if key not in _LEGALIZED:
        _LEGALIZED.clear()
        _LEGALIZED[key] = legalized(model, job.rewrites, job.evaluation)
    return _LEGALIZED[key]


def compare_with_request(realised: dict[str, str], job: VariantJob, model: Model) -> tuple[LayerPrecision, ...]:
    """Requested and realised scheme of every layer, and of every norm that the plan names.

    Raises VerificationError where they differ without a named fallback.
    """
    rows = []
    for layer in model.layers.rows:
        if layer.op == "norm" and layer.name not in job.schemes:
            continue  # it computes as what is between the layers
        wanted, got = job.schemes[layer.name], realised.get(layer.name, "absent")
        if wanted != got:
            what = "norm" if layer.op == "norm" else "layer"
            raise VerificationError(
                f"{what} {layer.name!r} was asked for as {wanted} but the {job.backend} file holds it as {got}; "
                f"give it another scheme in the plan or set on_unsupported."
            )
        rows.append(
            LayerPrecision(
                layer=layer.name,
                op=layer.op,
                requested=job.requested[layer.name],
                realised=got,
                fallback=job.reasons.get(layer.name),
            )
        )
    return tuple(rows)


def compare_between(realised: str, job: VariantJob) -> None:
    """Raises VerificationError where the operations between the layers are not what was asked for."""
    if realised != job.between:
        raise VerificationError(
            f"the operations between the layers were asked for as {job.between} but the {job.backend} file has them as "
            f"{realised}; set between = {realised!r} in the plan."
        )
