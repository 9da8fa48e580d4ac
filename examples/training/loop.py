"""The training loop: Adam with cosine annealing, resumable after any step that was saved."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from training.checkpoint import load_state, save_state
from training.features import Features
from training.losses import content_loss, gram, palette_loss, style_loss, tone_loss, variation_loss
from training.settings import Settings

Report = Callable[[int, "Losses"], None]


@dataclass(frozen=True, kw_only=True)
class Losses:
    """The weighted terms of one step; `warmup` is the squared error of the steps that learn the identity."""

    content: float = 0.0
    style: float = 0.0
    tone: float = 0.0
    palette: float = 0.0
    variation: float = 0.0
    warmup: float = 0.0


class Objective:
    """What a stylized batch is judged by. `style` is `[1, 3, h, w]` in [0, 1]."""

    def __init__(self, features: Features, style: Tensor, settings: Settings) -> None:
        self.features, self.settings = features, settings
        with torch.no_grad():
            maps = features(style)
        self.style = {name: gram(maps[name]) for name in settings.style_layers}
        self.picture = style

    def __call__(self, before: Tensor, after: Tensor) -> tuple[Tensor, Losses]:
        """Loss of the stylized `after` for the input `before`, both `[n, 3, h, w]` in [0, 1]."""
        layer = self.settings.content_layer
        with torch.no_grad():
            wanted = self.features(before)[layer]
        found = self.features(after)
        weigh = self.settings
        terms = {
            "content": weigh.content_weight * content_loss(found[layer], wanted),
            "tone": weigh.tone_weight * tone_loss(before, after),
            "style": weigh.style_weight * style_loss(found, self.style),
            "palette": weigh.palette_weight * palette_loss(after, self.picture),
            "variation": weigh.variation_weight * variation_loss(after),
        }
        losses = Losses(**{name: term.item() for name, term in terms.items()})
        return torch.stack(list(terms.values())).sum(), losses


def initialise(network: nn.Module) -> None:
    """He initialisation of every convolution (He et al. 2015), so that a small network starts with lively outputs."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def learning_rate(step: int, settings: Settings) -> float:
    """Cosine annealing to zero (Loshchilov and Hutter 2017)."""
    return settings.learning_rate * 0.5 * (1.0 + math.cos(math.pi * step / settings.steps))


@dataclass(frozen=True, kw_only=True)
class Course:
    """Where a run begins and ends. With `resume` it goes on from `state` where that file exists; the state is kept at the end.

    `stop_after` ends a run early, as an interruption would.
    """

    state: Path
    resume: bool
    stop_after: int | None = None


def train(
    network: nn.Module,
    batches: Callable[[int], Tensor],
    objective: Objective,
    *,
    course: Course,
    report: Report,
) -> int:
    """Train `network` in place and return the steps done."""
    state, stop_after = course.state, course.stop_after
    settings = objective.settings
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    done = 0
    if course.resume and state.exists():
        done = load_state(state, settings=settings, network=network, optimizer=optimizer)
    end = settings.end if stop_after is None else min(settings.end, stop_after)
    network.train()
    for step in range(done, end):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, settings)
        optimizer.zero_grad()
        loss, losses = _loss(network, batches(step), objective, warmup=step < settings.warmup_steps)
        torch.autograd.backward(loss)
        optimizer.step()
        report(step + 1, losses)
        if (step + 1) % settings.save_every == 0 or step + 1 == end:
            save_state(state, step=step + 1, settings=settings, network=network, optimizer=optimizer)
    return max(done, end)


def _loss(network: nn.Module, before: Tensor, objective: Objective, *, warmup: bool) -> tuple[Tensor, Losses]:
    low, high = objective.settings.value_range
    after = (network(before * (high - low) + low) - low) / (high - low)
    if warmup:
        error = ((after - before) ** 2).mean()
        return error, Losses(warmup=error.item())
    return objective(before, after)
