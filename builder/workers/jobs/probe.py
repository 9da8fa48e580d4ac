"""The probe job, for `builder init`: what a network of which little is known takes and gives.

Which range of pictures it was trained on no file says. The network's own beginning may (`evidence.py`). Otherwise it runs on
photographs under each of the usual ranges: a picture that it gives should resemble the photograph in its brightness. How sure a
classifier is of itself decides nothing, since it grows with the size of what it is given.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from builder.bundle import TensorSpec
from builder.errors import SourceError
from builder.graph.samples import is_plane, read_sample
from builder.precision.quantizers import has_quantizers
from builder.project.config import Config, InputSection, OutputSection
from builder.quality.declared import FEW, MANY, USUAL
from builder.quality.parity import draw_sample, make_torch_run
from builder.sources.recorder import recording
from builder.sources.repeatable import require_repeatable
from builder.workers.jobs.evidence import CLEARLY as NORM_CLEARLY
from builder.workers.jobs.evidence import STEEP, WIDE, measure_divergence, measure_gain_at_start
from builder.workers.jobs.folder import stage
from builder.workers.messages import ProbedOutput, ProbeJob, ProbeResult

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch.export import ExportedProgram

    from builder.graph.tensors import Tensors

# Mean and std of torchvision's classifiers, RGB in 0..1.
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# A network with more was meant for training: its user says which are wanted.
MOST_OUTPUTS = 8
# A later candidate must score that much more: the first ones are the usual ones.
CLEARLY = 0.02
# Photographs that the first batch norm is shown.
NORMED = 4
# For all ranges together.
PATIENCE_S = 20.0
# At which pictures are compared.
SIDE = 32
Scale = dict[str, Any]
SCALES: dict[str, Scale] = {
    "range = [0, 1]": {"range": (0.0, 1.0)},
    "range = [-1, 1]": {"range": (-1.0, 1.0)},
    "mean and std of ImageNet": {"mean": IMAGENET[0], "std": IMAGENET[1]},
    "range = [0, 255]": {"range": (0.0, 255.0)},
}


def run_probe(job: ProbeJob, folder: Path) -> ProbeResult:
    stage(folder, "load")
    program, config = _load_trained(job) if job.config.model.weights is None else _load(job.config, job.folder)
    shapes = _list_output_shapes(program)
    outputs = tuple(
        TensorSpec(name=tensor.name, kind="tensor", shape=shape)
        for tensor, shape in zip(config.output, shapes, strict=True)
    )
    first = config.input[0]
    photographs = job.pictures if len(config.input) == 1 and takes_photographs(first) else ()
    scales = {name: scale for name, scale in SCALES.items() if first.kind == "image" or "range" in scale}
    stage(folder, "look at the network's beginning")
    told, evidence = _tell(program, config, scales, photographs)
    scales = {told: scales[told]} if told else scales
    results: dict[str, tuple[float, list[Tensors]]] = {}
    slowest = 0.0
    for name, scale in scales.items():
        stage(folder, f"try {name}")
        inputs = _inputs(config, scale)
        run = make_torch_run(program.module(), inputs, outputs)
        given, scores = [], []
        for path in photographs[: _affordable(slowest, len(scales))] or (None,):
            sample = read_sample(path, inputs) if path else draw_sample(inputs, 0)
            start = time.monotonic()
            given.append(run(sample))
            slowest = max(slowest, time.monotonic() - start)
            scores.append(_score(sample, given[-1], inputs[0], outputs) if path else 0.0)
            if len(given) >= _affordable(slowest, len(scales)):
                break
        results[name] = (float(np.mean(scores)), given)
        if not photographs:
            break
    best = next(iter(results))
    for name, (score, _) in results.items():
        if score > results[best][0] + CLEARLY:
            best = name
    others = [score for name, (score, _) in results.items() if name != best]
    if not evidence and photographs and all(results[best][0] > score + CLEARLY for score in others):
        evidence = "photographs"
    values = {spec.name: np.concatenate([one[spec.name].reshape(-1) for one in results[best][1]]) for spec in outputs}
    return ProbeResult(
        outputs=tuple(
            ProbedOutput(
                name=spec.name,
                shape=spec.shape,
                low=float(np.percentile(values[spec.name], FEW)),
                high=float(np.percentile(values[spec.name], MANY)),
            )
            for spec in outputs
        ),
        integers=has_quantizers(program),
        scores={name: round(score, 3) for name, (score, _) in results.items()} if photographs and not told else {},
        evidence=evidence,
        seconds=slowest,
        **SCALES[best],
    )


def takes_photographs(section: InputSection) -> bool:
    """Whether a photograph can be its sample: a picture, or one plane of brightness."""
    return section.kind == "image" or (section.kind == "tensor" and is_plane(section.shape))


def _affordable(seconds: float, scales: int) -> int:
    """How many photographs are tried under each range."""
    return max(1, int(PATIENCE_S / (scales * seconds))) if seconds else 1_000


def _tell(
    program: ExportedProgram, config: Config, scales: Mapping[str, Scale], photographs: Sequence[Path]
) -> tuple[str | None, str]:
    """The scale that the network itself tells, and by what; none and nothing where it does not."""
    import torch

    if len(config.input) != 1 or not takes_photographs(config.input[0]):
        return None, ""
    tensors = {
        name: [
            torch.from_numpy(read_sample(path, _inputs(config, scale))[config.input[0].name])
            for path in photographs[:NORMED]
        ]
        for name, scale in scales.items()
    }
    unit = torch.rand(config.input[0].shape, generator=torch.Generator().manual_seed(0))
    gain = measure_gain_at_start(program, unit)
    if gain is not None and gain <= WIDE:
        return "range = [0, 255]", f"the network itself makes its input {1 / gain:.0f} times smaller"
    if gain is not None and gain >= STEEP:
        return "range = [0, 1]", f"the network itself makes its input {gain:.1f} times larger"
    if not photographs:
        return None, ""
    apart = {
        name: distance
        for name, samples in tensors.items()
        if (distance := measure_divergence(program, samples)) is not None
    }
    if len(apart) < len(scales):
        return None, ""
    best, second = sorted(apart, key=lambda name: apart[name])[:2]
    if apart[best] * NORM_CLEARLY > apart[second]:
        return None, ""
    listed = ", ".join(f"{name} {distance:.2g}" for name, distance in apart.items())
    return best, f"its first batch norm knows such pictures (lower is nearer: {listed})"


def _load_trained(job: ProbeJob) -> tuple[ExportedProgram, Config]:
    """A network whose factory loads its weights. Raises SourceError where they are random, because it does not."""
    from builder.sources.checkpoint import load_module

    with recording(job.folder) as recorder:
        program, config = _load(job.config, job.folder)
        require_repeatable(lambda: load_module(job.folder, config), recorder.modules(), own_weights=True)
    return program, config


def _load(config: Config, folder: Path) -> tuple[ExportedProgram, Config]:
    """The program, with as many outputs named as it has, or as it names them itself. Raises SourceError."""
    from builder.sources import load_source

    for _ in range(3):
        try:
            return load_source(config, folder).program, config
        except SourceError as error:
            count = re.search(r"has (\d+) outputs but", str(error))
            names = re.search(r"its outputs are ([\w, ]+);", str(error))
            wanted = names[1].split(", ") if names else [f"output_{n}" for n in range(int(count[1]))] if count else []
            if not wanted and config.variant[0].scheme is None:  # integers that no runtime here has: as floats
                floats = config.variant[0].model_copy(update={"scheme": "fp32"})
                config = config.model_copy(update={"variant": (floats,)})
                continue
            if not 0 < len(wanted) <= MOST_OUTPUTS:
                raise
            sections = tuple(OutputSection(name=name, kind="tensor") for name in wanted)
            config = config.model_copy(update={"output": sections})
    return load_source(config, folder).program, config


def _list_output_shapes(program: ExportedProgram) -> tuple[tuple[int, ...], ...]:
    from builder.sources.exported import list_output_shapes

    return list_output_shapes(program)


def _inputs(config: Config, scale: Scale) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            name=tensor.name, kind=tensor.kind, shape=tensor.shape, dtype=tensor.dtype,
            **({"color_order": "RGB", "resize": "center_crop", **scale} if tensor.kind == "image" else {}),
            **(scale if tensor.kind == "tensor" and is_plane(tensor.shape) else {}),
        )
        for tensor in config.input
    )  # fmt: skip


def _score(sample: Tensors, given: Tensors, source: TensorSpec, outputs: Sequence[TensorSpec]) -> float:
    """How much sense a picture as first output makes: 1 is as the photograph, 0 is none."""
    values = np.asarray(given[outputs[0].name], np.float64)
    if not np.isfinite(values).all():
        return -1.0
    if values.ndim == 4 and values.shape[1] not in (1, 3) and values.shape[3] in (1, 3):
        values = values.transpose(0, 3, 1, 2)  # what a TensorFlow network gives, as long as it is not called a picture
    if values.ndim == 4 and values.shape[1] in (1, 3):
        return _likeness(np.asarray(sample[source.name], np.float64), values)
    return 0.0


def _likeness(photograph: NDArray[np.float64], picture: NDArray[np.float64]) -> float:
    """Correlation of brightness, less the share of values that lie outside of the usual range that fits them best."""
    one, other = (_small(values[0].mean(0)) for values in (photograph, picture))
    spread = float(one.std() * other.std())
    likeness = float(((one - one.mean()) * (other - other.mean())).mean() / spread) if spread > 1e-12 else 0.0
    outside = min(
        float(np.mean((picture < low) | (picture > high))) + (1 - _measure_fill(picture, low, high)) * 0.2
        for low, high in USUAL
    )
    return likeness - outside


def _measure_fill(picture: NDArray[np.float64], low: float, high: float) -> float:
    few, many = np.percentile(picture, (FEW, MANY))
    return float(np.clip((many - few) / (high - low), 0, 1))


def _small(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    from PIL import Image

    return np.asarray(Image.fromarray(plane.astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BOX), np.float64)
