"""The training loop: Adam, a student, its teacher, an objective; resumable, and stopped where it diverges."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import ConversionError
from builder.training import state
from builder.training.network import call
from builder.training.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

TELL_EVERY_S = 1.0
DIVERGED = 1e3  # times the loss of the first steps
FIRST = 10


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What a stage trains: `groups` are parameters with their rate of learning relative to the settings'.

    `tidy` is called after every step, to bring what was learned back into its bounds.
    """

    stage: str
    student: Any
    teacher: Any
    groups: Sequence[tuple[list[Any], float]]
    objective: Callable[[Sequence[Tensor], Sequence[Tensor], Tensor], Tensor]
    batches: Callable[[int], Tensor]
    tidy: Callable[[], None] = lambda: None
    together: bool = True
    """Whether the network takes a whole batch; else its pictures one at a time, and their gradients are added."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """`losses`: the mean of a hundredth of the steps each."""

    steps: int
    seconds: float
    losses: tuple[float, ...]


def train(lesson: Lesson, settings: Settings, place: Path, tell: Callable[[str], None], deadline: float) -> Done:
    """Train the student in place. The state in the file `place` is gone on from, and kept every `save_every_s` seconds.

    Raises ConversionError at NaN, at divergence, where no gradient arrives, and at `deadline` (of `time.monotonic`).
    """
    import torch

    optimizer = torch.optim.Adam(
        [{"params": group, "lr": settings.learning_rate, "share": share} for group, share in lesson.groups if group]
    )
    begun = state.load(place, settings=settings, network=lesson.student, optimizer=optimizer)
    started = saved = told = time.monotonic()
    losses: list[float] = []
    for step in range(begun, settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * settings.rate(step) * group["share"]
        optimizer.zero_grad(set_to_none=True)
        loss = _step(lesson, step)
        losses.append(loss)
        _refuse(lesson, step, losses, started_anew=begun == 0)
        optimizer.step()
        lesson.tidy()
        now = time.monotonic()
        if now - told >= TELL_EVERY_S or step + 1 == settings.steps:
            told = now
            tell(_progress(lesson.stage, step + 1, settings, losses, (now - started) / (step + 1 - begun)))
        if now - saved >= settings.save_every_s:
            saved = now
            state.save(place, step=step + 1, settings=settings, network=lesson.student, optimizer=optimizer)
        if now > deadline:
            state.save(place, step=step + 1, settings=settings, network=lesson.student, optimizer=optimizer)
            raise ConversionError(
                f"the stage {lesson.stage!r} was at step {step + 1} of {settings.steps} when its time was over; raise time_s in "
                "[compress] of builder.toml and go on with --resume."
            )
    state.save(place, step=settings.steps, settings=settings, network=lesson.student, optimizer=optimizer)
    return Done(steps=settings.steps, seconds=time.monotonic() - started, losses=_means(losses))


def _step(lesson: Lesson, number: int) -> float:
    """The loss of one batch, with gradients at the parameters."""
    import torch

    batch = lesson.batches(number)
    parts = [batch] if lesson.together else [batch[place : place + 1] for place in range(len(batch))]
    total = 0.0
    for part in parts:
        with torch.no_grad():
            wanted = call(lesson.teacher, part)
        loss = lesson.objective(call(lesson.student, part), wanted, part) / len(parts)
        if not loss.requires_grad:
            raise ConversionError(
                f"the stage {lesson.stage!r} has a loss at step {number + 1} that no weight changes; return a tensor that is computed of the "
                "smaller network's output, with torch's operators."
            )
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    return total


def _refuse(lesson: Lesson, step: int, losses: Sequence[float], *, started_anew: bool) -> None:
    """Raises ConversionError for a loss that no training comes back from."""
    loss = losses[-1]
    cure = "lower learning_rate in [compress] of builder.toml, or correct a loss of your own"
    if not math.isfinite(loss):
        raise ConversionError(f"the stage {lesson.stage!r} gave the loss {loss} at step {step + 1}; {cure}.")
    for group, _ in lesson.groups:
        if any(p.grad is not None and not bool(p.grad.isfinite().all()) for p in group):
            raise ConversionError(
                f"the stage {lesson.stage!r} gave a gradient that is not finite at step {step + 1}; {cure}."
            )
    if started_anew and len(losses) > FIRST:
        first = sum(losses[:FIRST]) / FIRST
        if loss > DIVERGED * max(first, 1e-6):
            raise ConversionError(
                f"the stage {lesson.stage!r} diverged at step {step + 1}: its loss is {loss:.3g} and was {first:.3g} at first; {cure}."
            )


def _progress(stage: str, step: int, settings: Settings, losses: Sequence[float], each_s: float) -> str:
    recent = losses[-50:]
    left = each_s * (settings.steps - step)
    return f"{stage} step {step}/{settings.steps}, loss {sum(recent) / len(recent):.5f}, {1 / each_s:.1f} steps/s, {left / 60:.0f} min left"


def _means(losses: Sequence[float]) -> tuple[float, ...]:
    size = max(len(losses) // 100, 1)
    parts = [losses[start : start + size] for start in range(0, len(losses), size)]
    return tuple(round(sum(part) / len(part), 7) for part in parts)
