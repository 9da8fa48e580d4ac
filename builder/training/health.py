"""Losses that no training comes back from, each with the step and what to change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.errors import ConversionError

if TYPE_CHECKING:
    from torch import Tensor

# Times the loss of the first steps.
DIVERGED = 1e3
# Steps: their mean is steadier than the first loss alone.
FIRST = 10


def require_gradient(loss: Tensor, stage: str, number: int) -> None:
    """Raises ConversionError for a loss that is computed of nothing that learns."""
    if not loss.requires_grad:
        raise ConversionError(
            f"the stage {stage!r} has a loss at step {number + 1} that no weight changes; return a tensor that is computed of the "
            "trained network's output, with torch's operators."
        )


def refuse(stage: str, section: str, groups: Sequence[tuple[list[Any], float]], losses: Sequence[float]) -> None:
    """Raises ConversionError for NaN, infinity and divergence. `losses` are those of all steps so far."""
    loss, step = losses[-1], len(losses)
    cure = f"lower learning_rate in [{section}] of builder.toml, or correct a loss of your own"
    if not math.isfinite(loss):
        raise ConversionError(f"the stage {stage!r} gave the loss {loss} at step {step}; {cure}.")
    for group, _ in groups:
        if any(p.grad is not None and not bool(p.grad.isfinite().all()) for p in group):
            raise ConversionError(f"the stage {stage!r} gave a gradient that is not finite at step {step}; {cure}.")
    if step > FIRST:
        first = sum(losses[:FIRST]) / FIRST
        if loss > DIVERGED * max(first, 1e-6):
            raise ConversionError(
                f"the stage {stage!r} diverged at step {step}: its loss is {loss:.3g} and was {first:.3g} at first; {cure}."
            )
