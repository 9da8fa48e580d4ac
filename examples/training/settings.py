"""Everything that decides what a training run produces."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One phase of training: the same settings, style picture and package versions give the same weights.

    `crop` is the side of the training crops in pixels, `value_range` what the network takes and gives. During the first
    `warmup_steps` the network learns to reproduce its input (plain squared error), after them to stylize. `until` ends the
    phase before its learning rate has come down to zero.
    """

    steps: int
    batch: int
    crop: int
    seed: int
    value_range: tuple[float, float]
    until: int | None = None
    warmup_steps: int = 0
    learning_rate: float = 1e-3
    content_layer: str = "block3"
    content_weight: float = 1.0
    style_layers: tuple[str, ...] = ("stem", "block1", "block2", "block4")
    style_weight: float = 1.0
    tone_weight: float = 10.0
    palette_weight: float = 1.0
    variation_weight: float = 0.1
    save_every: int = 100

    @property
    def end(self) -> int:
        """The number of steps that the phase takes."""
        return self.steps if self.until is None else min(self.steps, self.until)
