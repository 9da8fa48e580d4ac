"""How long and with what a stage trains."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`batch` pictures of `crop` pixels a step. The rate of learning falls to zero as a cosine (Loshchilov and Hutter, 2017),
    after it has risen over the first `warmup` of the steps.

    `average`: the share of their moving average that a step leaves, 0 for none. After `patience` looks, one every `look_every` steps,
    that were no better than the best before, training stops; 0 never stops.
    """

    steps: int
    batch: int
    crop: int
    learning_rate: float
    seed: int
    save_every_s: float
    warmup: float = 0.05
    average: float = 0.0
    look_every: int = 0
    patience: int = 0

    def rate(self, step: int) -> float:
        """Of a step, relative to `learning_rate`."""
        rising = max(round(self.steps * self.warmup), 1)
        if step < rising:
            return (step + 1) / rising
        return 0.5 * (1.0 + math.cos(math.pi * (step - rising) / max(self.steps - rising, 1)))
