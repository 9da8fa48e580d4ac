"""How a network answers to a little noise at its inputs: the yardstick of every floor of quality.

A right file in fp16 errs about as the network itself does when noise 60 dB below its inputs is added: rounding to 11 bits is
noise of some 66 dB. Where a network makes 17 dB of that, no file in fp16 can be asked for 40.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from builder.bundle import TensorSpec
from builder.bundle.tensors import find_peak
from builder.quality.parity import Run, agree

if TYPE_CHECKING:
    from builder.graph.tensors import Tensors

# Below the range of each input.
NOISE_DB = 60.0
# Between two draws of the noise.
SLACK_DB = 3.0
# Pictures that have nothing to do with each other agree to 8 dB.
LEAST_DB = 10.0
# fp32 rounds 78 dB finer than fp16; kernels that add in another order may lose half of that.
FINER_DB = {"fp32": 39.0, "fp16": 0.0, "int8": -12.0}


def measure_noise_db(
    run: Run, samples: Iterable[Tensors], inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> float:
    """PSNR in dB of the worst output over the samples, the network with noise at its inputs against itself without."""
    worst = float("inf")
    for number, sample in enumerate(samples):
        figure = agree(run(_with_noise(sample, inputs, number)), run(sample), outputs)
        worst = min(worst, figure if np.isfinite(figure) else worst)
    return worst


def compute_floor_db(usual: float, noise: float | None, precision: Literal["fp32", "fp16", "int8"]) -> float:
    """What a file of this precision must agree to: `usual`, or less where the network amplifies noise. `noise` is of `measure_noise_db`."""
    if noise is None:
        return usual
    return round(min(usual, max(LEAST_DB, noise + FINER_DB[precision] - SLACK_DB)), 1)


def _with_noise(sample: Tensors, inputs: Sequence[TensorSpec], seed: int) -> Tensors:
    generator = np.random.default_rng(seed)
    moved: Tensors = {}
    for spec in inputs:
        value = sample[spec.name]
        if value.dtype.kind != "f":
            moved[spec.name] = value
            continue
        size = find_peak(spec, value) * 10 ** (-NOISE_DB / 20)
        noise = generator.normal(scale=size, size=value.shape).astype(value.dtype)
        moved[spec.name] = np.add(value, noise)
    return moved
