"""The training loop: Adam, a student, an objective and perhaps a teacher; resumable, and stopped where it diverges.

It is the only one: `builder train` and every stage of `builder compress` that trains are lessons for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import ConversionError
from builder.training import state
from builder.training.health import refuse, require_gradient
from builder.training.network import call
from builder.training.settings import Settings
from builder.training.state import Progress
from builder.training.team import ALONE, Team

if TYPE_CHECKING:
    from torch import Tensor

# Faster than that nobody reads.
TELL_EVERY_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What a stage trains: `groups` are parameters with their rate of learning relative to the settings'.

    `batches(n)` is batch number n: the network's inputs, and after these what only the objective takes. `tidy` is called after
    every step, to bring what was learned back into its bounds. `look` judges a network on pictures that no step sees, less is better.
    `section`: of builder.toml, for messages.
    """

    stage: str
    student: Any
    groups: Sequence[tuple[list[Any], float]]
    objective: Callable[[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]], Tensor]
    batches: Callable[[int], Sequence[Tensor]]
    teacher: Any = None
    tidy: Callable[[], None] = lambda: None
    look: Callable[[Any], float] | None = None
    inputs: int = 1
    parts: int = 1
    """A batch is computed in so many parts, whose gradients are added."""
    section: str = "compress"
    team: Team = ALONE


@dataclass(frozen=True, kw_only=True)
class Done:
    """`losses`: the mean of a hundredth of the steps each. `looks`: what each look gave. `steps` may be fewer than were asked for."""

    steps: int
    seconds: float
    losses: tuple[float, ...]
    looks: tuple[float, ...] = ()


def train(lesson: Lesson, settings: Settings, place: Path, tell: Callable[[str], None], deadline: float) -> Done:
    """Train the student in place. The state in the file `place` is gone on from, and kept every `save_every_s` seconds.

    Raises ConversionError at NaN, at divergence, where no gradient arrives, and at `deadline` (of `time.monotonic`).
    """
    import torch

    network = lesson.team.wrap(lesson.student)
    optimizer = torch.optim.Adam(
        [{"params": group, "lr": settings.learning_rate, "share": share} for group, share in lesson.groups if group]
    )
    average = _average(lesson.student, settings)
    kept = state.Kept(path=place, settings=settings, network=lesson.student, optimizer=optimizer, average=average)
    progress = kept.load()
    begun, started = progress.step, time.monotonic()
    saved = told = started
    while progress.step < settings.steps and not progress.stale(settings.patience):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * settings.rate(progress.step) * group["share"]
        optimizer.zero_grad(set_to_none=True)
        progress.losses.append(_compute(lesson, network, progress.step))
        refuse(lesson.stage, lesson.section, lesson.groups, progress.losses)
        optimizer.step()
        lesson.tidy()
        if average is not None:
            average.update_parameters(lesson.student)
        progress.step += 1
        if lesson.look is not None and settings.look_every and progress.step % settings.look_every == 0:
            progress.looks.append(lesson.look(lesson.student if average is None else average.module))
        now = time.monotonic()
        if now - told >= TELL_EVERY_S or progress.step == settings.steps:
            told = now
            tell(_say(lesson.stage, progress, settings, (now - started) / (progress.step - begun)))
        if lesson.team.rank == 0 and (now - saved >= settings.save_every_s or now > deadline):
            saved = now
            kept.save(progress)
        if now > deadline:
            raise ConversionError(
                f"the stage {lesson.stage!r} was at step {progress.step} of {settings.steps} when its time was over; raise time_s in "
                f"[{lesson.section}] of builder.toml and go on with --resume."
            )
    if lesson.team.rank == 0:
        kept.save(progress)
    if average is not None:
        lesson.student.load_state_dict(average.module.state_dict())
    return Done(
        steps=progress.step,
        seconds=time.monotonic() - started,
        losses=_means(progress.losses),
        looks=tuple(round(look, 7) for look in progress.looks),
    )


def _average(student: Any, settings: Settings) -> Any:
    """torch's moving average of the student's weights, None where none is asked for."""
    if not settings.average:
        return None
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    return AveragedModel(student, multi_avg_fn=get_ema_multi_avg_fn(settings.average))  # type: ignore[no-untyped-call]


def _compute(lesson: Lesson, network: Any, number: int) -> float:
    """The loss of one batch, with gradients at the parameters."""
    import torch

    batch = lesson.team.share(lesson.batches(number))
    count = len(batch[0]) // lesson.parts
    total = 0.0
    for part in range(lesson.parts):
        values = [tensor[part * count : (part + 1) * count] for tensor in batch]
        inputs = values[: lesson.inputs]
        with torch.no_grad():
            wanted = call(lesson.teacher, *inputs) if lesson.teacher is not None else []
        with lesson.team.wait(network, last=part + 1 == lesson.parts):
            loss = lesson.objective(call(network, *inputs), wanted, values) / lesson.parts
            require_gradient(loss, lesson.stage, number)
            loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    return lesson.team.mean(total)


def _say(stage: str, progress: Progress, settings: Settings, each_s: float) -> str:
    recent = progress.losses[-50:]
    left = each_s * (settings.steps - progress.step)
    return (
        f"{stage} step {progress.step}/{settings.steps}, loss {sum(recent) / len(recent):.5f}, {1 / each_s:.1f} steps/s, "
        f"{left / 60:.0f} min left"
    )


def _means(losses: Sequence[float]) -> tuple[float, ...]:
    size = max(len(losses) // 100, 1)
    parts = [losses[start : start + size] for start in range(0, len(losses), size)]
    return tuple(round(sum(part) / len(part), 7) for part in parts)
