"""What a variant's worker does before the file exists: weights equalized, activations observed, the plan lowered.

What several plans share is made once: observations are kept by content, and for TFLite the fp32 file stays in the process.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from builder.backends import BACKENDS
from builder.backends.base import Lowered
from builder.errors import ConversionError
from builder.graph.model import Model
from builder.graph.samples import read_samples
from builder.precision.biases import corrected
from builder.precision.equalize import equalized
from builder.precision.plan import ResolvedPlan
from builder.precision.ranges import Observed, load_observed, save_observed
from builder.storage.cache import entry, locked, publishing
from builder.workers.messages import VariantJob

if TYPE_CHECKING:
    from builder.backends.base import Backend
    from builder.backends.coreml.half_range import Reached
    from builder.graph.tensors import Tensors

OBSERVED = "observed.npz"
PARITY_DB, PARITY_SAMPLES = 60.0, 2  # of an fp32 file by a converter that is not trusted
# How large the values around each layer of the last source get on its evaluation data; the same for every plan.
_REACHED: dict[tuple[Path, tuple[str, ...]], dict[str, Reached]] = {}
# The fp32 TFLite files of the last source, with its channels equalized and not: it takes seconds to make, and every plan starts from it.
_FLOAT_FILE: dict[tuple[Path, tuple[str, ...], bool, str], tuple[bytes, Lowered]] = {}


def prepared(model: Model, plan: ResolvedPlan, job: VariantJob, tell: Callable[[str], None]) -> Model:
    """The model with its channels equalized and its biases corrected where the plan asks for it."""
    if plan.calibration.equalize:
        model = replace(model, program=equalized(model.program))
    # The fp32 TFLite file is corrected instead: converting another one for every plan would take seconds each.
    if plan.calibration.correct_biases and plan.has_integers and job.backend != "tflite":
        seen = _observed(job, model, tell)
        model = replace(model, program=corrected(model.program, model.layers, plan, seen))
    return model


def lower(job: VariantJob, model: Model, plan: ResolvedPlan, artifact: Path, tell: Callable[[str], None]) -> Lowered:
    """The backend's own `lower`, but for TFLite with the fp32 file of an earlier job of this process."""
    backend = BACKENDS[job.backend]

    def seen() -> Observed:
        return _observed(job, model, tell)

    if job.backend == "coreml":
        return _lower_coreml(job, model, plan, artifact, tell)
    if job.backend != "tflite" or job.delegate not in backend.DELEGATES:
        return backend.lower(model, plan, job.delegate, seen, artifact)
    from builder.backends.tflite import realised_for

    float_file, lowered = _float_file(job, model)
    artifact.write_bytes(realised_for(job.delegate, float_file, model, plan, seen))
    return lowered


def _lower_coreml(
    job: VariantJob, model: Model, plan: ResolvedPlan, artifact: Path, tell: Callable[[str], None]
) -> Lowered:
    """The file, with layers in fp32 instead of fp16 whose values on the evaluation data are too large for it."""
    from builder.backends import coreml
    from builder.backends.coreml.compute import in_fp16
    from builder.backends.coreml.half_range import reached, within_half

    def made(asked: ResolvedPlan) -> Lowered:
        return coreml.lower(
            model, asked, job.delegate, dict, artifact, io=job.io, deployment_target=job.deployment_target
        )

    key = (job.source, job.rewrites)
    lowered: Lowered | None = None
    if not any(in_fp16(choice.scheme) for choice in plan.choices.values()):
        return made(plan)
    if key not in _REACHED:
        lowered = made(plan)
        tell("look for values that fp16 cannot hold")
        _REACHED.clear()
        _REACHED[key] = reached(artifact, model, lowered, read_samples(job.evaluation, model.inputs))
    kept_plan, kept = within_half(plan, _REACHED[key], [norm.name for norm in model.layers.norms])
    if lowered is None or kept:
        shutil.rmtree(artifact, ignore_errors=True)
        lowered = made(kept_plan)
    return replace(lowered, kept=kept)


def _float_file(job: VariantJob, model: Model) -> tuple[bytes, Lowered]:
    from builder.backends.tflite.convert import LITERT_TORCH, to_float_file

    key = (job.source, job.rewrites, job.calibration_settings.equalize, job.route)
    if key not in _FLOAT_FILE:
        for other in [other for other in _FLOAT_FILE if other[:2] != key[:2]]:
            del _FLOAT_FILE[other]
        made = to_float_file(model, job.route)
        if job.route != LITERT_TORCH:
            samples = read_samples(job.evaluation[:PARITY_SAMPLES], model.inputs)
            require_parity(*made, model, samples, job.route, BACKENDS[job.backend])
        _FLOAT_FILE[key] = made
    return _FLOAT_FILE[key]


def require_parity(
    float_file: bytes, lowered: Lowered, model: Model, samples: Iterable[Tensors], route: str, backend: Backend
) -> None:
    """Raises ConversionError where the fp32 file of a converter that is not trusted differs from the source model.

    It is looked at before a plan makes integers of it, behind which an error could hide.
    """
    from builder.quality.parity import agree, torch_run

    source = torch_run(model.program.module(), model.inputs, model.outputs)
    with tempfile.NamedTemporaryFile(suffix=backend.SUFFIX) as file:
        Path(file.name).write_bytes(float_file)
        run = backend.runner(Path(file.name), lowered.inputs, lowered.outputs, 1)
        for sample in samples:
            found = agree(run(sample), source(sample), model.outputs)
            if not found >= PARITY_DB:
                raise ConversionError(
                    f"{route} made something else of the model: its fp32 file agrees to {found:.1f} dB with it, {PARITY_DB:g} dB "
                    "are needed; remove 'route' from the variant to use litert-torch."
                )


def _observed(job: VariantJob, model: Model, tell: Callable[[str], None]) -> Observed:
    """What calibration sees, from an earlier job where one has seen the same. Workers wait for one another here."""
    key = job.observed_key
    tell("wait for the calibration of another variant")
    with locked(f"observed {key}"):
        kept = entry("observed", key) / OBSERVED
        if not kept.is_file():
            with publishing("observed", key) as work:
                save_observed(_observe(job, model, counted(job, model, tell)), work / OBSERVED)
    tell("lower")
    return load_observed(kept)


def _observe(job: VariantJob, model: Model, samples: Iterator[Tensors]) -> Observed:
    if job.backend != "tflite":
        return BACKENDS[job.backend].observe(model, samples)
    from builder.backends.tflite.activations import observe_file

    float_file, lowered = _float_file(job, model)
    return observe_file(float_file, lowered, samples)


def counted(job: VariantJob, model: Model, tell: Callable[[str], None]) -> Iterator[Tensors]:
    """The calibration samples one at a time, telling how far it is."""
    for number, sample in enumerate(read_samples(job.calibration, model.inputs)):
        tell(f"calibrate {number + 1}/{len(job.calibration)}")
        yield sample
