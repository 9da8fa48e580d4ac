"""How near a picture is to another, pixel by pixel: PSNR, SSIM, MS-SSIM. Pictures are RGB, `[h, w, 3]`, 0..1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from builder.bundle.tensors import measure_psnr_db
from builder.quality.metrics import ssim as ssim_of_tensors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.float64]

# Of the window of SSIM: 11 x 11.
SIGMA, RADIUS = 1.5, 5
# K1 and K2 of the paper, for pictures of 0..1.
C1, C2 = 0.01**2, 0.03**2
# Wang, Simoncelli and Bovik, 2003.
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
SMALLEST_SSIM = 2 * RADIUS + 1
SMALLEST_MS_SSIM = SMALLEST_SSIM * 2 ** (len(SCALE_WEIGHTS) - 1)


def psnr(got: Picture, want: Picture) -> float:
    """In dB; 200 for equal pictures."""
    return measure_psnr_db(got, want, 1.0)


def ssim(got: Picture, want: Picture) -> float | None:
    """Mean over channels; None below 11 pixels (Wang, Bovik, Sheikh and Simoncelli, 2004)."""
    if min(got.shape[:2]) < SMALLEST_SSIM:
        return None
    return ssim_of_tensors(got.transpose(2, 0, 1)[None], want.transpose(2, 0, 1)[None], 1.0)


def ms_ssim(got: Picture, want: Picture) -> float | None:
    """Wang, Simoncelli and Bovik, "Multiscale Structural Similarity for Image Quality Assessment", 2003, equation 7, mean over channels.

    Each scale is half of the one before, by means of 2 x 2. None below 176 pixels, where the last scale has no window.
    """
    if min(got.shape[:2]) < SMALLEST_MS_SSIM:
        return None
    similarity = 1.0
    last = len(SCALE_WEIGHTS) - 1
    for number, weight in enumerate(SCALE_WEIGHTS):
        whole, structure = _similarities(got, want)
        similarity *= max(float(whole if number == last else structure), 0.0) ** weight
        got, want = _half(got), _half(want)
    return similarity


def _similarities(got: Picture, want: Picture) -> tuple[float, float]:
    """SSIM, and its part without luminance, where the window is inside."""

    def mean(values: Picture) -> Picture:
        from scipy.ndimage import gaussian_filter

        blurred: Picture = gaussian_filter(values, (SIGMA, SIGMA, 0), truncate=RADIUS / SIGMA)
        return blurred[RADIUS:-RADIUS, RADIUS:-RADIUS]

    one, other = mean(got), mean(want)
    variance = mean(got * got) - one * one + mean(want * want) - other * other
    structure = (2 * (mean(got * want) - one * other) + C2) / (variance + C2)
    luminance = (2 * one * other + C1) / (one * one + other * other + C1)
    return float((luminance * structure).mean()), float(structure.mean())


def _half(picture: Picture) -> Picture:
    height, width = (size // 2 * 2 for size in picture.shape[:2])
    cut = picture[:height, :width]
    return (cut[::2, ::2] + cut[1::2, ::2] + cut[::2, 1::2] + cut[1::2, 1::2]) / 4
