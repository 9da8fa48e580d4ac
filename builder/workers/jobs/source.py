"""The source job: a model of any kind as one exported program, and its outputs on the evaluation data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.bundle.tensors import scale_to_unit
from builder.errors import VerificationError
from builder.graph.culprit import name_overflow
from builder.graph.refusals import refuse_what_no_file_holds
from builder.graph.samples import read_sample, read_samples
from builder.graph.tiling import find_tiling
from builder.precision.quantizers import without_quantizers
from builder.project.source_kinds import find_source_kind
from builder.quality.declared import OutputCheck
from builder.quality.untrained import look_for_zeros
from builder.sources.recorder import recording
from builder.sources.repeatable import require_repeatable
from builder.workers.jobs.folder import stage
from builder.workers.jobs.goldens import name_golden_reference, simplify_sample, write_golden
from builder.workers.messages import PROGRAM, SourceJob, SourceResult

if TYPE_CHECKING:
    from builder.bundle import Tiling
    from builder.graph.model import Model
    from builder.graph.tensors import Tensors
    from builder.quality.parity import Run

# Evaluation samples on which the network's answer to noise is measured.
NOISY = 2


def run_source(job: SourceJob, folder: Path) -> SourceResult:
    import numpy as np
    import torch

    from builder.quality.parity import make_torch_run
    from builder.sources import checkpoint, load_checked
    from builder.sources.frozen_norms import freeze_norms

    stage(folder, "load")
    own_weights = job.config.model.weights is None
    with recording(job.folder) as recorder:
        model, agreement = load_checked(job.config, job.folder, job.evaluation)
        if find_source_kind(job.config.model.source) == "factory":
            stage(folder, "build the network again")
            require_repeatable(
                lambda: checkpoint.load_module(job.folder, job.config), recorder.modules(), own_weights=own_weights
            )
        used = recorder.list_used()
    refuse_what_no_file_holds(model.program)
    told = (*model.told, *look_for_zeros(model))
    frozen = None
    if job.config.legalize.freeze_norms:
        stage(folder, "freeze the statistics of norms")
        model, frozen = freeze_norms(model, job.calibration, job.evaluation)
    torch.export.save(model.program, folder / PROGRAM)
    run = make_torch_run(model.program.module(), model.inputs, model.outputs)
    (folder / "reference").mkdir()
    golden_inputs, golden_references = [], []
    check = OutputCheck(outputs=model.outputs, whose="the source model")
    for number, path in enumerate(job.evaluation):
        stage(folder, f"source model on evaluation data {number + 1}/{len(job.evaluation)}")
        sample = read_sample(path, model.inputs)
        outputs = run(sample)
        _refuse_not_finite(model, run, sample, outputs, path.name)
        check.add(outputs)
        np.savez(folder / "reference" / f"{number:04d}.npz", **outputs)  # type: ignore[arg-type]
        if number < job.goldens:
            plain = simplify_sample(sample, model.inputs)
            outputs = run(plain)
            _refuse_not_finite(model, run, plain, outputs, path.name)
            np.savez(folder / name_golden_reference(number), **outputs)  # type: ignore[arg-type]
            golden_inputs.append(write_golden(folder, f"golden-{number}.input", plain, model.inputs))
            golden_references.append(write_golden(folder, f"golden-{number}.reference", outputs, model.outputs))
    warnings = (*told, *check.judge())
    noise, tiling = _measure_network(job, model, run, folder)
    return SourceResult(
        inputs=model.inputs,
        outputs=model.outputs,
        layers=model.layers,
        golden_inputs=tuple(golden_inputs),
        golden_references=tuple(golden_references),
        imported=agreement,
        frozen_norms=frozen,
        tiling=tiling,
        noise_db=noise,
        warnings=warnings,
        used=used,
        weights_sha256=hash_tensors(model.program.state_dict) if own_weights else None,
    )


def hash_tensors(state: Mapping[str, Any]) -> str:
    """SHA-256 of names, types, shapes and values, in the order of the names."""
    import torch

    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        tensor = value.detach().contiguous()
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _measure_network(job: SourceJob, model: Model, run: Run, folder: Path) -> tuple[float | None, Tiling]:
    """What the network makes of noise at its inputs (dB, None without evaluation data), and by which tiles it can be run."""
    from builder.quality.steadiness import measure_noise_db

    stage(folder, "noise at the inputs")
    noisy = read_samples(job.evaluation[:NOISY], model.inputs)
    noise = round(measure_noise_db(run, noisy, model.inputs, model.outputs), 1) if job.evaluation else None
    stage(folder, "tiles against the whole")
    first = read_sample(job.evaluation[0], model.inputs) if job.evaluation else {}
    floats = without_quantizers(model.program)
    return noise, find_tiling(floats, model.inputs, model.outputs, first.get(model.inputs[0].name))  # type: ignore[arg-type]


def _refuse_not_finite(model: Model, run: Run, sample: Tensors, outputs: Tensors, where: str) -> None:
    """Raises VerificationError naming the range of the input, or the first operator that is at fault, as far as that is found."""
    import numpy as np

    bad = next((name for name, value in outputs.items() if not np.isfinite(value).all()), None)
    if bad is None:
        return
    said = f"the source model gives NaN or infinite values in {bad!r} for {where}"
    picture = next((spec for spec in model.inputs if spec.kind == "image"), None)
    if picture is not None and picture.range != (0.0, 1.0):
        unit = sample | {picture.name: scale_to_unit(sample[picture.name], picture).astype(np.float32)}
        if all(np.isfinite(value).all() for value in run(unit).values()):
            raise VerificationError(
                f"{said}, but none for the same picture in 0..1: correct what builder.toml says of the input {picture.name!r}; "
                "range = [0.0, 1.0] would be such."
            )
    culprit = name_overflow(model.program, [sample[spec.name] for spec in model.inputs], float(np.finfo("f4").max))
    by = f", first by {culprit}" if culprit else ""
    raise VerificationError(f"{said}{by}; correct the range of its inputs in builder.toml, or the network.")
