"""What a search is judged by: the measures of a trial, and an order of trials from the budgets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict

from builder.project.budgets import SearchSection, parse_size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values = float | NDArray[np.float64]

Quantity = Literal["noise", "dissimilarity", "distance", "disagreement", "bytes", "cost", "left"]
"""All to be made small: 10^(-PSNR/10), 1 - SSIM, 1 - perceptual similarity, 1 - top-1 agreement, bytes, ratio of cost, the part of
the multiply-accumulates that the delegate leaves."""

QUALITIES: tuple[Quantity, ...] = ("noise", "dissimilarity", "distance", "disagreement")
OBJECTIVES: dict[str, Quantity] = {
    "psnr": "noise", "ssim": "dissimilarity", "perceptual": "distance", "top1": "disagreement", "bytes": "bytes", "cost": "cost",
}  # fmt: skip
# Of the multiply-accumulates, that a plan may leave beyond what the floats leave.
COVERAGE_SLACK = 0.05
# 200 dB, which stands for 'equal'.
LEAST_NOISE = 1e-20


class Measures(BaseModel):
    """What the exported artifact of a trial measures; `cost` is relative to fp32, None where no budget asks for it.

    `delegated` is the part of the multiply-accumulates that the delegate takes, None where they are not counted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    psnr_db: float
    psnr_db_mean: float
    ssim: float | None
    ssim_mean: float | None
    perceptual: float | None = None
    top1: float | None
    bytes: int
    cost: float | None
    delegated: float | None = None

    def quantities(self) -> dict[Quantity, float]:
        values: dict[Quantity, float | None] = {
            "noise": 10 ** (-self.psnr_db / 10),
            "dissimilarity": None if self.ssim is None else 1 - self.ssim,
            "distance": None if self.perceptual is None else 1 - self.perceptual,
            "disagreement": None if self.top1 is None else 1 - self.top1,
            "bytes": float(self.bytes),
            "cost": self.cost,
            "left": None if self.delegated is None else 1 - self.delegated,
        }
        return {name: value for name, value in values.items() if value is not None}

    def describe(self) -> str:
        """`41.20 dB (mean 43.01), SSIM 0.9801 (mean 0.9850), 9,804 B, cost 0.81`: the worst sample, means in brackets."""
        parts = [f"{self.psnr_db:.2f} dB (mean {self.psnr_db_mean:.2f})"]
        mean = f" (mean {self.ssim_mean:.4f})" if self.ssim_mean is not None else ""
        parts += [f"SSIM {self.ssim:.4f}{mean}"] if self.ssim is not None else []
        parts += [f"perceptual {self.perceptual:.4f}"] if self.perceptual is not None else []
        parts += [f"top-1 {self.top1:.3f}"] if self.top1 is not None else []
        parts += [f"{self.bytes:,} B"]
        parts += [f"cost {self.cost:.3f}"] if self.cost is not None else []
        parts += [f"{self.delegated:.1%} delegated"] if self.delegated is not None and self.delegated < 1 else []
        return ", ".join(parts)


@dataclass(frozen=True, kw_only=True)
class Goal:
    """The objective, and the largest value that each limited quantity may have."""

    objective: Quantity
    limits: Mapping[Quantity, float]

    @classmethod
    def of(cls, section: SearchSection) -> Self:
        limits: dict[Quantity, float | None] = {
            "noise": None if section.min_psnr_db is None else 10 ** (-section.min_psnr_db / 10),
            "dissimilarity": None if section.min_ssim is None else 1 - section.min_ssim,
            "distance": None if section.min_perceptual is None else 1 - section.min_perceptual,
            "disagreement": None if section.min_top1 is None else 1 - section.min_top1,
            "bytes": None if section.max_bytes is None else parse_size(section.max_bytes),
            "cost": section.max_cost,
            "left": None if section.min_coverage is None else 1 - section.min_coverage,
        }
        return cls(objective=OBJECTIVES[section.objective], limits={k: v for k, v in limits.items() if v is not None})

    def quality(self) -> Goal:
        """Only what is asked of quality; the objective is the first quality that is spoken of."""
        named = [q for q in QUALITIES if q == self.objective or q in self.limits]
        return Goal(objective=named[0], limits={k: v for k, v in self.limits.items() if k in QUALITIES})

    def resources(self) -> Goal:
        """Only what is asked of bytes and cost; the objective is the first of them that is spoken of."""
        limits: dict[Quantity, float] = {k: v for k, v in self.limits.items() if k in ("bytes", "cost")}
        return Goal(objective=next(iter(limits), "cost" if self.objective == "cost" else "bytes"), limits=limits)

    def holding(self, delegated: float) -> Goal:
        """The same goal, with a limit of coverage where it has none: nearly the part that a plan in floats has delegated."""
        if "left" in self.limits:
            return self
        return Goal(objective=self.objective, limits={**self.limits, "left": 1 - delegated + COVERAGE_SLACK})

    def excess(self, quantities: Mapping[Quantity, Values]) -> NDArray[np.float64]:
        """By how much the limits are exceeded, summed: ratios for bytes and cost, tenths of a dB-decade for noise, 0 when met."""
        import numpy as np

        total = np.asarray(0.0)
        for name, limit in self.limits.items():
            value = quantities[name]
            if name == "noise":
                over = np.log10(np.maximum(value, LEAST_NOISE)) - math.log10(limit)
            elif name in QUALITIES or name == "left":
                over = 5 * (np.asarray(value, np.float64) - limit)
            else:
                over = np.asarray(value, np.float64) / limit - 1
            total = total + np.where(over > 1e-9, over, 0.0)
        return total

    def rank(self, measures: Measures) -> tuple[float, float, float, float]:
        """The smaller, the better: first what exceeds the limits, then the objective, then noise and bytes."""
        quantities = measures.quantities()
        return float(self.excess(quantities)), quantities[self.objective], quantities["noise"], quantities["bytes"]

    def is_met(self, measures: Measures) -> bool:
        return float(self.excess(measures.quantities())) == 0.0
