"""Agreement of an artifact's outputs with the source model's, accumulated one sample at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from builder.bundle import Quality, TensorSpec
from builder.bundle.tensors import find_peak, measure_own_range, measure_psnr_db

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.generic]


def ssim(actual: Array, expected: Array, peak: float) -> float:
    """Structural similarity of two (1, C, H, W) pictures, mean over channels.

    Gaussian window of sigma 1.5 and population covariances, as in Wang, Bovik, Sheikh and Simoncelli, 2004.
    """
    from skimage.metrics import structural_similarity

    return float(
        structural_similarity(
            np.asarray(actual, np.float64)[0],
            np.asarray(expected, np.float64)[0],
            data_range=peak,
            channel_axis=0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


@dataclass(kw_only=True)
class QualityMeter:
    """Collects samples of all outputs; the worst output of a sample counts. SSIM needs sides of at least 11 pixels."""

    outputs: tuple[TensorSpec, ...]
    psnrs: list[float] = field(default_factory=list)
    own_psnrs: list[float] = field(default_factory=list)
    ssims: list[float] = field(default_factory=list)
    agreements: list[float] = field(default_factory=list)
    max_abs_error: float = 0.0

    def add(self, actual: dict[str, Array], expected: dict[str, Array]) -> None:
        """One sample: outputs by name, logical layout."""
        psnrs, ssims = [], []
        for spec in self.outputs:
            got, want = actual[spec.name], expected[spec.name]
            peak = find_peak(spec, want)
            psnrs.append(measure_psnr_db(got, want, peak))
            self.own_psnrs.append(measure_psnr_db(got, want, measure_own_range(want)))
            error = float(np.max(np.abs(np.asarray(got, np.float64) - np.asarray(want, np.float64))))
            self.max_abs_error = max(self.max_abs_error, error)
            if spec.kind == "image" and min(want.shape[-2:]) >= 11:
                ssims.append(ssim(got, want, peak))
            if spec.labels is not None:
                self.agreements.append(float(np.mean(np.argmax(got, -1) == np.argmax(want, -1))))
        self.psnrs.append(min(psnrs))
        if ssims:
            self.ssims.append(min(ssims))

    def result(self, runtime: str) -> Quality:
        return Quality(
            runtime=runtime,
            images=len(self.psnrs),
            psnr_db_worst=round(min(self.psnrs), 2),
            psnr_db_mean=round(float(np.mean(self.psnrs)), 2),
            max_abs_error=float(f"{self.max_abs_error:.3g}"),
            psnr_db_worst_own=round(min(self.own_psnrs), 2),
            ssim_worst=round(min(self.ssims), 5) if self.ssims else None,
            ssim_mean=round(float(np.mean(self.ssims)), 5) if self.ssims else None,
            top1_agreement=round(float(np.mean(self.agreements)), 4) if self.agreements else None,
        )
