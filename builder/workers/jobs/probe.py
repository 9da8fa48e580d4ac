"""The probe job, for `builder init`: what a network of which little is known takes and gives.

Which range of pictures it was trained on no file says. So it runs on photographs under each of the usual ones: a picture that
it gives should resemble the photograph in its brightness, and a classifier should be sure of itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from builder.bundle import TensorSpec
from builder.errors import SourceError
from builder.graph.samples import read_sample
from builder.project.config import Config, OutputSection
from builder.quality.declared import FEW, MANY, USUAL
from builder.quality.parity import random_sample, torch_run
from builder.workers.jobs.folder import stage
from builder.workers.messages import ProbedOutput, ProbeJob, ProbeResult

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch.export import ExportedProgram

    from builder.graph.tensors import Tensors

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and std of torchvision's classifiers, RGB in 0..1
MOST_OUTPUTS = 8
CLEARLY = 0.02  # a later candidate must score that much more: the first ones are the usual ones
SIDE = 32  # at which pictures are compared
Scale = dict[str, Any]
SCALES: dict[str, Scale] = {
    "range = [0, 1]": {"range": (0.0, 1.0)},
    "range = [-1, 1]": {"range": (-1.0, 1.0)},
    "mean and std of ImageNet": {"mean": IMAGENET[0], "std": IMAGENET[1]},
    "range = [0, 255]": {"range": (0.0, 255.0)},
}


def run_probe(job: ProbeJob, folder: Path) -> ProbeResult:
    stage(folder, "load")
    program, config = _load(job.config, job.folder)
    shapes = _output_shapes(program)
    outputs = tuple(
        TensorSpec(name=tensor.name, kind="tensor", shape=shape)
        for tensor, shape in zip(config.output, shapes, strict=True)
    )
    results: dict[str, tuple[float, list[Tensors]]] = {}
    for name, scale in SCALES.items():
        stage(folder, f"try {name}")
        inputs = _inputs(config, scale)
        run = torch_run(program.module(), inputs, outputs)
        pictures = len(inputs) == 1 and inputs[0].kind == "image"
        samples = [read_sample(path, inputs) for path in job.pictures] if pictures else []
        given = [run(sample) for sample in samples or [random_sample(inputs, 0)]]
        score = (
            float(np.mean([_score(s, g, inputs[0], outputs) for s, g in zip(samples, given, strict=True)]))
            if samples
            else 0.0
        )
        results[name] = (score, given)
        if not samples:
            break
    best = next(iter(results))
    for name, (score, _) in results.items():
        if score > results[best][0] + CLEARLY:
            best = name
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
        scores={name: round(score, 3) for name, (score, _) in results.items()},
        **SCALES[best],
    )


def _load(config: Config, folder: Path) -> tuple[ExportedProgram, Config]:
    """The program, with as many outputs named as it has, or as it names them itself. Raises SourceError."""
    from builder.sources import load_source

    for _ in range(2):
        try:
            return load_source(config, folder).program, config
        except SourceError as error:
            count = re.search(r"has (\d+) outputs but", str(error))
            names = re.search(r"its outputs are ([\w, ]+);", str(error))
            wanted = names[1].split(", ") if names else [f"output_{n}" for n in range(int(count[1]))] if count else []
            if not 0 < len(wanted) <= MOST_OUTPUTS:
                raise
            sections = tuple(OutputSection(name=name, kind="tensor") for name in wanted)
            config = config.model_copy(update={"output": sections})
    return load_source(config, folder).program, config


def _output_shapes(program: ExportedProgram) -> tuple[tuple[int, ...], ...]:
    from builder.sources.exported import output_shapes

    return output_shapes(program)


def _inputs(config: Config, scale: Scale) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            name=tensor.name, kind=tensor.kind, shape=tensor.shape, dtype=tensor.dtype,
            **({"color_order": "RGB", "resize": "center_crop", **scale} if tensor.kind == "image" else {}),
        )
        for tensor in config.input
    )  # fmt: skip


def _score(sample: Tensors, given: Tensors, source: TensorSpec, outputs: Sequence[TensorSpec]) -> float:
    """How much sense the first output makes: 1 is as the photograph, or quite sure; 0 is none."""
    values = np.asarray(given[outputs[0].name], np.float64)
    if not np.isfinite(values).all():
        return -1.0
    if values.ndim == 4 and values.shape[1] in (1, 3):
        return _likeness(np.asarray(sample[source.name], np.float64), values)
    if values.ndim == 2 and values.shape[1] > 1:
        row = values[0]
        if row.min() < 0 or abs(row.sum() - 1) > 1e-2:
            row = np.exp(row - row.max())
        return float(row.max() / row.sum())
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
