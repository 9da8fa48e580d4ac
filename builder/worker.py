"""One worker process: does one job of `jobs.py` in its directory and leaves a result or a typed failure there.

    python -m builder.worker DIRECTORY
    python -m builder.worker --serve      a job for every directory named on stdin, answered by a line with its status

A converter that crashes takes only this process with it; what it prints goes to the supervisor's log.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from builder.backends import BACKENDS
from builder.backends.base import Model
from builder.backends.borders import logical
from builder.bundle import FileHash, GoldenTensor, LayerPrecision, Legalization, TensorSpec, file_sha256, tree_files
from builder.bundle.tensors import as_golden, golden_tensor, peak_of, psnr_db, tensor_to_pixels, write_picture
from builder.coverage import explained, require_coverage
from builder.culprit import name_culprit
from builder.data import read_sample
from builder.errors import ConversionError, EdgebundleError, VerificationError
from builder.jobs import (
    FAILURE,
    JOB,
    PROGRAM,
    RESULT,
    STAGE,
    ExportJob,
    ExportResult,
    Failure,
    Job,
    SourceJob,
    SourceResult,
    VariantJob,
    VariantResult,
    VerifyJob,
    VerifyResult,
)
from builder.legalization import legalized
from builder.lowering import lower, prepared
from builder.precision.plan import Choice, ResolvedPlan
from builder.precision.scheme import parse_scheme
from builder.quality.metrics import QualityMeter
from builder.quality.perceptual import Perceptual
from builder.refusals import refuse_what_no_file_holds
from builder.tiling import enlarged, run_tiled, tiling_facts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from builder.backends.base import Runner, Tensors

SHORTEST_PLACE = 10

# An artifact whose layers are all floats and that agrees less than this with its source was converted wrongly.
FLOAT_GATE_DB = 40.0

SERVE = "--serve"
# The last source with the rewrites of a delegate made and proven, which takes seconds too.
_LEGALIZED: dict[tuple[Path, tuple[str, ...]], tuple[Model, tuple[Legalization, ...]]] = {}


def main(word: str) -> int:
    threading.Thread(target=end_with_parent, args=(os.getppid(),), daemon=True).start()
    warnings.simplefilter("ignore")  # the converters' own; they would bury the lines that matter
    return serve() if word == SERVE else work(Path(word))


def serve() -> int:
    """Work until stdin ends. Imports and the fp32 TFLite file stay warm from job to job."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what converters print must not look like an answer
    for line in sys.stdin:
        os.write(answers, b"%d\n" % work(Path(line.rstrip("\n"))))
    return 0


def work(folder: Path) -> int:
    job = Job.model_validate_json((folder / JOB).read_text(encoding="utf-8")).job
    try:
        result: SourceResult | VariantResult | VerifyResult | ExportResult
        if isinstance(job, SourceJob):
            result = run_source(job, folder)
        elif isinstance(job, VariantJob):
            result = run_variant(job, folder)
        elif isinstance(job, ExportJob):
            result = run_export(job, folder)
        else:
            result = run_verify(job, folder)
    except EdgebundleError as error:
        failure = Failure(kind=type(error).__name__, message=str(error))
        (folder / FAILURE).write_text(failure.model_dump_json(), encoding="utf-8")
        return 1
    (folder / RESULT).write_text(result.model_dump_json(indent=1), encoding="utf-8")
    return 0


def end_with_parent(parent: int) -> None:
    """A worker whose builder was killed has nobody to work for."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def stage(folder: Path, text: str) -> None:
    """Tell the supervisor what is being done."""
    temporary = folder / f".{STAGE}"
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(folder / STAGE)


def run_source(job: SourceJob, folder: Path) -> SourceResult:
    import numpy as np
    import torch

    from builder.sources import load_checked

    stage(folder, "load")
    model, agreement = load_checked(job.config, job.folder, job.evaluation)
    refuse_what_no_file_holds(model.program)
    torch.export.save(model.program, folder / PROGRAM)
    module = model.program.module()
    (folder / "reference").mkdir()
    golden_inputs, golden_references = [], []
    for number, path in enumerate(job.evaluation):
        stage(folder, f"source model on evaluation data {number + 1}/{len(job.evaluation)}")
        sample = read_sample(path, model.inputs)
        with torch.no_grad():
            raw = module(*(torch.from_numpy(sample[spec.name]) for spec in model.inputs))
        values = list(raw) if isinstance(raw, tuple | list) else [raw]
        outputs: Tensors = {spec.name: value.numpy() for spec, value in zip(model.outputs, values, strict=True)}
        for name, value in outputs.items():
            if not np.isfinite(value).all():
                raise VerificationError(
                    f"the source model gives NaN or infinite values in {name!r} for {path.name}; no artifact of it can be right."
                )
        np.savez(folder / "reference" / f"{number:04d}.npz", **outputs)  # type: ignore[arg-type]
        if number < job.goldens:
            golden_inputs.append(write_golden(folder, f"golden-{number}.input", sample, model.inputs))
            golden_references.append(write_golden(folder, f"golden-{number}.reference", outputs, model.outputs))
    stage(folder, "tiles against the whole")
    first = read_sample(job.evaluation[0], model.inputs) if job.evaluation else {}
    tiling = tiling_facts(model.program, model.inputs, model.outputs, first.get(model.inputs[0].name))  # type: ignore[arg-type]
    return SourceResult(
        inputs=model.inputs,
        outputs=model.outputs,
        layers=model.layers,
        golden_inputs=tuple(golden_inputs),
        golden_references=tuple(golden_references),
        imported=agreement,
        tiling=tiling,
    )


def run_export(job: ExportJob, folder: Path) -> ExportResult:
    from builder.exports import FORMATS, ExportRequest

    stage(folder, f"export {job.format}")
    model, _ = load_source(job.source)
    request = ExportRequest(
        name=job.config.model.name,
        model=model,
        config=job.config,
        folder=job.folder,
        evaluation=job.evaluation,
        dynamic=job.dynamic,
    )
    files = folder / "files"
    files.mkdir()
    agreement = FORMATS[job.format](request, files)
    for path in tree_files(files):
        refuse_paths_of_this_machine(path)
    return ExportResult(
        format=job.format,
        dynamic=job.dynamic,
        files=tuple(FileHash(file=p.relative_to(files).as_posix(), sha256=file_sha256(p)) for p in tree_files(files)),
        agreement=agreement,
    )


def write_golden(
    folder: Path, prefix: str, tensors: Tensors, specs: tuple[TensorSpec, ...]
) -> tuple[GoldenTensor, ...]:
    """Store tensors below `golden/`: pictures as PNG, the rest as raw little-endian float32."""
    (folder / "golden").mkdir(exist_ok=True)
    stored = []
    for spec in specs:
        is_picture = spec.kind == "image"
        name = f"golden/{prefix}.{spec.name}.{'png' if is_picture else 'f32'}"
        if is_picture:
            write_picture(folder / name, tensor_to_pixels(tensors[spec.name], spec))
        else:
            (folder / name).write_bytes(tensors[spec.name].astype("<f4").tobytes())
        stored.append(GoldenTensor(name=spec.name, file=name, encoding="png" if is_picture else "f32"))
    return tuple(stored)


def load_source(folder: Path) -> tuple[Model, SourceResult]:
    """The source job's result as a model. Its program was written by ourselves, into our own cache."""
    import torch

    source = SourceResult.model_validate_json((folder / RESULT).read_text(encoding="utf-8"))
    program = torch.export.load(folder / PROGRAM)
    return Model(program=program, inputs=source.inputs, outputs=source.outputs, layers=source.layers), source


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
        stage(folder, "look for the operator that does not convert")
        found = name_culprit(model.program, lambda alone: lower_alone(job, alone, folder))
        if found is None:
            raise
        raise ConversionError(f"{str(error).rstrip('.')}: {found}.") from error
    refuse_paths_of_this_machine(artifact)

    stage(folder, "read back")
    layers = compare_with_request(backend.read_back(artifact, model), job, model)
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
        meter.add(outputs, wanted)
        if likeness is not None:
            similarities += [likeness(outputs[s.name], wanted[s.name], s) for s in model.outputs if s.kind == "image"]
        if number < len(source.golden_inputs):
            goldens.append(write_golden(folder, f"golden-{number}", outputs, model.outputs))
    quality = meter.result(backend.runtime_name())
    if quality.psnr_db_worst < 0:
        raise VerificationError(
            f"the artifact gives NaN, infinite or unrelated values ({quality.psnr_db_worst} dB on the worst sample); try another plan."
        )
    floats = plan.between == "float" and all(choice.scheme.mode == "float" for choice in choices.values())
    if floats and quality.psnr_db_worst < FLOAT_GATE_DB:
        raise VerificationError(
            f"the artifact agrees with the source model to only {quality.psnr_db_worst} dB although all its layers are floats "
            f"(at least {FLOAT_GATE_DB:g} dB is expected): the converter produced something else, or fp16, which ends at 65504, "
            "overflowed; give one layer the scheme fp32, so that norms and activations compute in fp32 too."
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
        minimum_runtime=backend.minimum_runtime(artifact),
        predicted_peak_memory_bytes=backend.peak_memory(artifact, lowered.inputs, lowered.outputs),
        golden_outputs=tuple(goldens),
        perceptual=round(min(similarities), 5) if similarities else None,
        legalized=rewrites,
        tiling=source.tiling,
    )


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


def run_verify(job: VerifyJob, folder: Path) -> VerifyResult:
    stage(folder, "run")
    backend = BACKENDS[job.variant.backend]
    inputs: Tensors = {
        tensor.name: golden_tensor(job.root, tensor, spec).astype(spec.dtype)
        for tensor, spec in zip(job.golden.inputs, job.inputs, strict=True)
    }
    variant = job.variant
    runner = backend.runner(job.root / variant.file, variant.inputs, variant.outputs, os.cpu_count() or 1)
    runner = logical(runner, variant.inputs, variant.outputs, (*job.inputs, *job.outputs))
    outputs = runner(inputs)
    expected = next(e.tensors for e in job.golden.expected if e.variant == job.variant.id)
    worst = {}
    for what, tensors in (("golden", expected), ("source", job.golden.reference)):
        psnrs = []
        for tensor, spec in zip(tensors, job.outputs, strict=True):
            want = golden_tensor(job.root, tensor, spec)
            psnrs.append(psnr_db(as_golden(outputs[spec.name], spec, tensor.encoding), want, peak_of(spec, want)))
        worst[what] = round(min(psnrs), 2)
    return VerifyResult(
        runtime=backend.runtime_name(),
        psnr_db=worst["golden"],
        source_psnr_db=worst["source"],
        seam_error=seam_error(job, runner, inputs),
    )


def seam_error(job: VerifyJob, runner: Runner, inputs: Tensors) -> float | None:
    """How much two grids of tiles over a larger picture differ, relative to the output's range; None where tiles are not allowed."""
    import numpy as np

    tiling = job.variant.tiling
    if tiling is None or not tiling.allowed:
        return None
    source, result = job.inputs[0], job.outputs[0]
    picture = np.asarray(inputs[source.name], np.float32)
    large, tile = enlarged(picture, tiling.multiple or 1), (picture.shape[2], picture.shape[3])

    def run(part: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(runner({source.name: part})[result.name], np.float32)

    multiple = tiling.multiple or 1
    shift = max(min(tile) // 4 // multiple, 1) * multiple
    first, second = (run_tiled(run, large, tile, tiling, shift=offset) for offset in (0, shift))
    span = result.range[1] - result.range[0] if result.range else float(first.max() - first.min()) or 1.0
    return float(f"{np.abs(first - second).max() / span:.2g}")


def compare_with_request(realised: dict[str, str], job: VariantJob, model: Model) -> tuple[LayerPrecision, ...]:
    """Requested and realised scheme of every layer. Raises VerificationError where they differ without a named fallback."""
    rows = []
    for layer in model.layers.layers:
        wanted, got = job.schemes[layer.name], realised.get(layer.name, "absent")
        if wanted != got:
            raise VerificationError(
                f"layer {layer.name!r} was asked for as {wanted} but the {job.backend} file holds it as {got}; "
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


def read_reference(source: Path, number: int) -> Tensors:
    import numpy as np

    with np.load(source / "reference" / f"{number:04d}.npz", allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def refuse_paths_of_this_machine(artifact: Path) -> None:
    """An artifact is shipped to strangers: it may not name the directories it was made in. Raises VerificationError."""
    places = {str(Path.cwd()), str(Path(__file__).resolve().parent), sys.prefix}
    # shorter ones, such as /app or /usr, name no machine and stand among the bytes of any large file by chance
    needles = [place for place in places if len(place) >= SHORTEST_PLACE]
    for path in tree_files(artifact):
        content = path.read_bytes()
        for needle in needles:
            if needle.encode() in content:
                raise VerificationError(
                    f"{artifact.name} contains a path of this machine ({needle}); this is a bug of the converter's version in use."
                )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
