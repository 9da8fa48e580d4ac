"""Which real numbers an activation's integers stand for: what was observed over the calibration samples, and a method.

A range that is too wide wastes steps on values that hardly occur, one that is too narrow cuts values off. `min_max` cuts
nothing; `percentile` cuts a fixed share of the values; `mse` takes the range whose rounding and cutting give the least
squared error over the observed values, as in Nagel et al., "A White Paper on Neural Network Quantization", 2021, 3.1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from builder.errors import ConversionError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]
    Channels = NDArray[np.float64]

RangeMethod = Literal["min_max", "percentile", "mse"]
RANGE_METHODS: tuple[RangeMethod, ...] = ("min_max", "percentile", "mse")

# Of a histogram over [-reach, reach]: at least 8 for each step of 8-bit integers.
BINS = 8192
# Values of one tensor in one sample that enter its histogram; extremes and means see them all.
SAMPLED = 1 << 16
# The doubling starts here, far below what a layer gives: 0 could not be doubled.
SMALLEST_REACH = 2.0**-20
# Ranges tried on each side by `mse`, down to a fifth.
_SHRINK = 40


class CalibrationSettings(BaseModel):
    """`[calibration]` of plan.toml: how the ranges of static schemes are set, and what is corrected.

    `percentile`: of the values, in percent, that `ranges = "percentile"` keeps on each side. `equalize`: channels between
    two convolutions or linear layers are scaled towards one another. `correct_biases`: what rounding the weights adds to a
    channel's mean is taken from its bias. Both are for integer schemes, on TFLite and ExecuTorch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    ranges: RangeMethod = "min_max"
    """How the range of an activation is chosen from what calibration saw."""
    percentile: float = Field(default=99.99, gt=90, le=100)
    """With `ranges = "percentile"`: the part of the values, in percent, that is kept on each side."""
    equalize: bool = False
    """Scale the channels between two layers towards one another, for integer schemes on TFLite and ExecuTorch."""
    correct_biases: bool = False
    """Take from each bias what rounding the weights adds to the channel's mean, for integer schemes on TFLite and ExecuTorch."""

    def __str__(self) -> str:
        """`ranges mse, equalized, biases corrected`."""
        parts = [f"ranges {self.ranges}" + (f" {self.percentile:g}" if self.ranges == "percentile" else "")]
        parts += ["equalized"] if self.equalize else []
        parts += ["biases corrected"] if self.correct_biases else []
        return ", ".join(parts)


PLAIN = CalibrationSettings()


@dataclass(kw_only=True)
class Observation:
    """One activation over all samples: its exact extremes, a histogram, and the mean of each channel.

    `reach` is a power of two; `counts` are over BINS equal parts of [-reach, reach]. Memory does not grow with the samples.
    `stated`: the range that a plan gives it, whatever was seen.
    """

    low: float = math.inf
    high: float = -math.inf
    finite: bool = True
    reach: float = SMALLEST_REACH
    counts: Counts = field(default_factory=lambda: _zeros())
    channel_sums: Channels | None = None
    values: int = 0
    stated: tuple[float, float] | None = None

    def add(self, values: NDArray[np.generic], channel_axis: int) -> None:
        """The tensor of one sample."""
        import numpy as np

        low, high = float(np.min(values)), float(np.max(values))
        if not (math.isfinite(low) and math.isfinite(high)):
            self.finite = False
            return
        self.low, self.high = min(self.low, low), max(self.high, high)
        while max(-low, high) > self.reach:
            self._widen()
        flat = values.reshape(-1)[:: _stride(values.size)]
        places = ((flat.astype(np.float64) / self.reach + 1) * (BINS / 2)).astype(np.int64)
        self.counts += np.bincount(np.clip(places, 0, BINS - 1), minlength=BINS)
        if values.ndim:
            others = tuple(axis for axis in range(values.ndim) if axis != channel_axis % values.ndim)
            sums = values.sum(axis=others, dtype=np.float64)
            self.channel_sums = sums if self.channel_sums is None else self.channel_sums + sums
            self.values += values.size // sums.size

    @property
    def usable(self) -> bool:
        """Whether there is a range at all."""
        seen = self.finite and self.high >= self.low and (self.low < 0 or self.high > 0)
        return self.stated is not None or seen

    def average_channels(self) -> Channels | None:
        return None if self.channel_sums is None or not self.values else self.channel_sums / self.values

    def _widen(self) -> None:
        """Twice the reach: each two bins become one, in the middle half."""
        pairs = self.counts.reshape(-1, 2).sum(axis=1)
        self.counts = _zeros()
        self.counts[BINS // 4 : BINS // 4 + pairs.size] = pairs
        self.reach *= 2


Observed = Mapping[str, Observation]
"""What was seen, by the name that a backend has for a tensor."""


def _stride(size: int) -> int:
    """The smallest step that leaves at most SAMPLED of so many values and meets every channel, row and column alike."""
    step = -(-size // SAMPLED)
    while math.gcd(step, size) > 1:
        step += 1
    return step


def _zeros() -> Counts:
    import numpy as np

    return np.zeros(BINS, np.int64)


def check_observed(seen: Observation | None, layer: str, what: str) -> Observation:
    """The observation. Raises ConversionError naming the layer whose input or output gives no range."""
    if seen is not None and seen.usable:
        return seen
    values = "nothing but zero" if seen is not None and seen.finite else "values that are not finite"
    raise ConversionError(
        f"calibration saw {values} at the {what} of layer {layer!r}; use samples that exercise it, or ask for "
        "weight_only_wi8_afp32 or fp32 there."
    )


def choose_range(
    seen: Observation, settings: CalibrationSettings, *, bits: int, symmetric: bool
) -> tuple[float, float]:
    """The range that integers of so many bits stand for; it holds 0, which they must have exactly.

    `symmetric`: the range is to be as wide on both sides of 0. The observation must be finite and not all zero.
    """
    if seen.stated is not None and not symmetric:
        return seen.stated
    low, high = min(seen.low, 0.0), max(seen.high, 0.0)
    if settings.ranges == "percentile":
        low, high = _percentile(seen, settings.percentile / 100, low, high)
    elif settings.ranges == "mse":
        low, high = _find_least_error(seen, bits, symmetric, low, high)
    if symmetric:
        wide = max(-low, high)
        return -wide, wide
    return low, high


def _centres(seen: Observation) -> NDArray[np.float64]:
    import numpy as np

    return np.asarray(((np.arange(BINS) + 0.5) * (2 / BINS) - 1) * seen.reach, np.float64)


def _percentile(seen: Observation, share: float, low: float, high: float) -> tuple[float, float]:
    import numpy as np

    edges = np.linspace(-seen.reach, seen.reach, BINS + 1)
    up_to = np.cumsum(seen.counts) / max(int(seen.counts.sum()), 1)
    top = float(edges[int(np.searchsorted(up_to, share)) + 1]) if share < 1 else high
    bottom = float(edges[int(np.searchsorted(up_to, 1 - share, side="right"))]) if share < 1 else low
    cut_low, cut_high = max(low, min(bottom, 0.0)), min(high, max(top, 0.0))
    return (cut_low, cut_high) if cut_high > cut_low else (low, high)


def _find_least_error(seen: Observation, bits: int, symmetric: bool, low: float, high: float) -> tuple[float, float]:
    """Both sides are narrowed together first, then each alone around the best."""
    import numpy as np

    used = seen.counts > 0
    values, weights = _centres(seen)[used], seen.counts[used].astype(np.float64)
    if symmetric:
        wide = max(-low, high)
        low, high = -wide, wide
    shares = np.linspace(1.0, 0.2, _SHRINK)

    def error(a: float, b: float) -> float:
        step = (b - a) / (2**bits - 1)
        start = round(a / step) * step  # 0 is one of the steps
        codes = np.clip(np.rint((values - start) / step), 0, 2**bits - 1)
        return float(weights @ (codes * step + start - values) ** 2)

    best = min(((error(low * s, high * s), low * s, high * s) for s in shares), key=lambda found: found[0])
    if not symmetric:
        _, a, b = best
        sides = [(low * s, b) for s in shares if low * s < b] + [(a, high * s) for s in shares if a < high * s]
        best = min([best, *((error(x, y), x, y) for x, y in sides)], key=lambda found: found[0])
    return float(best[1]), float(best[2])


def save_observed(observed: Observed, path: Path) -> None:
    """Write as .npz; equal observations give equal arrays."""
    import numpy as np

    names = sorted(observed)
    arrays: dict[str, NDArray[np.generic]] = {"names": np.array(names)}
    for number, name in enumerate(names):
        seen = observed[name]
        arrays[f"{number}.edges"] = np.array([seen.low, seen.high, seen.reach, float(seen.finite), seen.values])
        arrays[f"{number}.counts"] = seen.counts
        if seen.channel_sums is not None:
            arrays[f"{number}.sums"] = seen.channel_sums
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


def load_observed(path: Path) -> dict[str, Observation]:
    import numpy as np

    observed = {}
    with np.load(path, allow_pickle=False) as archive:
        for number, name in enumerate(archive["names"]):
            low, high, reach, finite, values = (float(value) for value in archive[f"{number}.edges"])
            key = f"{number}.sums"
            observed[str(name)] = Observation(
                low=low,
                high=high,
                finite=bool(finite),
                reach=reach,
                counts=archive[f"{number}.counts"],
                channel_sums=archive[key] if key in archive.files else None,
                values=int(values),
            )
    return observed
