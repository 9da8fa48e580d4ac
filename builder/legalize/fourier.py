"""The discrete Fourier transform as a product with two stored matrices: cosines and sines, made in float64.

A transform of n values costs n multiplications a value, where a fast one costs log n; but every backend has products.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# What torch calls the modes of `_fft_r2c` and its kin: the sum as it is, divided by the root of its length, or by its length.
_POWERS = {0: 0.0, 1: -0.5, 2: -1.0}


def make_cosines_and_sines(rows: int, columns: int, length: int, mode: int) -> tuple[Tensor, Tensor]:
    """cos and sin of 2 pi r c / length, (rows, columns), scaled by the mode of one axis.

    Angles are reduced as whole numbers, so that quarter turns are exactly 0 and 1: what has no imaginary part gets none.
    """
    import torch

    steps = torch.outer(torch.arange(rows), torch.arange(columns)) % length
    scale = float(length) ** _POWERS[mode]
    turns = torch.arange(length, dtype=torch.float64) * (2 * torch.pi / length)
    cosine, sine = turns.cos() * scale, turns.sin() * scale
    for number in range(length):
        if 4 * number % length == 0:
            quarter = 4 * number // length
            cosine[number], sine[number] = (1, 0, -1, 0)[quarter] * scale, (0, 1, 0, -1)[quarter] * scale
    return cosine[steps].float(), sine[steps].float()


def count_mirrors(half: int, length: int) -> Tensor:
    """How often each of the first `half` values of a spectrum of a real signal stands in the whole one: once or twice."""
    import torch

    return torch.tensor([1.0 if 2 * number % length == 0 else 2.0 for number in range(half)])
