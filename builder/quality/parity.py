"""The gate of every import: the imported network against the runtime of the file it came from.

Some networks amplify noise, and quantized ones flip roundings: there the reference itself moves when its input moves by
the last bit of a float, and no import can be nearer to it than that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from builder.bundle import SourceAgreement, TensorSpec
from builder.bundle.tensors import find_peak, measure_psnr_db
from builder.errors import SourceError
from builder.graph.samples import read_samples
from builder.precision.program import in_list

if TYPE_CHECKING:
    from torch.nn import Module

    from builder.graph.tensors import Tensors


Run = Callable[["Tensors"], "Tensors"]
"""A network: logical tensors by name in and out, by the names of builder.toml."""

# Agreement that float32 rounding explains in any network of ours.
ENOUGH_DB = 80.0
# Below this a wrong network could hide in the noise, whatever its reference does.
LEAST_DB = 20.0
# Between two draws of the noise.
SLACK_DB = 3.0
# Of the input's largest value: about one unit in the last place of a float32.
NOISE = 1e-7
# A second one, as constants that were folded for one input would agree on it.
RANDOM_SAMPLES = 2


@dataclass(frozen=True, kw_only=True)
class Original:
    """The network that an import is held against, as `runtime` runs it.

    `again` are other runs of the same network (other kernels, weights moved by their last bit): they show its noise too.
    """

    run: Run
    runtime: str
    again: Sequence[Run] = ()


def gate(
    original: Original, imported: Run, samples: Iterable[Tensors], outputs: Sequence[TensorSpec], *, where: str
) -> SourceAgreement:
    """The worst agreement over all samples. Raises SourceError where it is below 80 dB and below the original's own noise."""
    reference, runtime = original.run, original.runtime
    worst, count = float("inf"), 0
    for sample in samples:
        want = reference(sample)
        if not all(np.isfinite(value).all() for value in want.values() if value.dtype.kind == "f"):
            continue  # out of the network's range: random samples may be
        agreement = agree(imported(sample), want, outputs)
        if agreement < ENOUGH_DB:
            noisy = [reference(_move(sample, seed)) for seed in range(3)] + [other(sample) for other in original.again]
            floor = min(agree(result, want, outputs) for result in noisy)
            if agreement < max(floor - SLACK_DB, LEAST_DB):
                raise SourceError(
                    f"the import of {where} agrees with {runtime} to {agreement:.1f} dB only, {min(floor - SLACK_DB, ENOUGH_DB):.1f} dB is "
                    "required; it is not used: please report the model."
                )
        worst, count = min(worst, agreement), count + 1
    if not count:
        raise SourceError(
            f"{runtime} gives NaN or infinite values for {where} on every sample; no artifact of it can be right."
        )
    return SourceAgreement(runtime=runtime, samples=count, psnr_db_worst=round(worst, 2))


def agree(got: Tensors, want: Tensors, outputs: Sequence[TensorSpec]) -> float:
    """PSNR in dB of the worst output. Raises SourceError for another shape."""
    figures = []
    for spec in outputs:
        if got[spec.name].shape != want[spec.name].shape:
            raise SourceError(
                f"the import gives {spec.name!r} of shape {list(got[spec.name].shape)} where its source gives {list(want[spec.name].shape)}; "
                "it is not used: please report the model."
            )
        value = measure_psnr_db(got[spec.name], want[spec.name], find_peak(spec, want[spec.name]))
        figures.append(value if np.isfinite(value) else float("-inf"))
    return min(figures)


def gate_samples(files: tuple[Path, ...], inputs: tuple[TensorSpec, ...]) -> Iterable[Tensors]:
    """The evaluation data, then random data."""
    yield from read_samples(files, inputs)
    for seed in range(RANDOM_SAMPLES):
        yield draw_sample(inputs, seed)


def draw_sample(inputs: Sequence[TensorSpec], seed: int) -> Tensors:
    """Uniform noise in the range of pictures, normal numbers for other floats, zeros for whole numbers (an index that exists)."""
    generator = np.random.default_rng(seed)
    made: Tensors = {}
    for spec in inputs:
        if spec.dtype != "float32":
            made[spec.name] = np.zeros(spec.shape, spec.dtype)
        elif spec.range is not None:
            made[spec.name] = generator.uniform(*spec.range, spec.shape).astype(np.float32)
        else:
            made[spec.name] = generator.normal(size=spec.shape).astype(np.float32)
    return made


def make_torch_run(module: Module, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Run:
    """A torch module that takes and gives its tensors in this order."""
    import torch

    def run(sample: Tensors) -> Tensors:
        with torch.no_grad():
            raw = module(*(torch.from_numpy(sample[spec.name]) for spec in inputs))
        values = in_list(raw)
        return {spec.name: value.numpy() for spec, value in zip(outputs, values, strict=True)}

    return run


def _move(sample: Tensors, seed: int) -> Tensors:
    generator = np.random.default_rng(1000 + seed)
    moved = {}
    for name, value in sample.items():
        if value.dtype.kind != "f":
            moved[name] = value
            continue
        size = NOISE * float(np.abs(value).max() or 1.0)
        noise = generator.uniform(-size, size, value.shape)
        moved[name] = (value.astype(np.float64) + noise).astype(value.dtype)
    return moved
