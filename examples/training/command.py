"""The command line that every example's train.py shares."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from training.checkpoint import save_weights
from training.data import Crops
from training.features import Features, load_network
from training.loop import Course, Losses, Objective, initialise, train
from training.pictures import TRAINING
from training.settings import Settings


def read_picture(path: Path) -> Tensor:
    """A picture file as `[1, 3, h, w]`, RGB in [0, 1]."""
    import numpy as np
    from PIL import Image

    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"), dtype=np.float32) / 255.0
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].contiguous()


def objective_for(settings: Settings, style: Path) -> Objective:
    """The loss with the real feature network and the style picture in `style`."""
    layers = (settings.content_layer, *settings.style_layers)
    return Objective(Features(load_network(), layers), read_picture(style), settings)


def run(
    create: Callable[[], nn.Module],
    *phases: Settings,
    style: Path,
    checkpoint: Path,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Train in one or more phases and write `checkpoint`.

    A phase goes on with the weights of the one before and with a fresh optimizer; its state lies beside the checkpoint as
    `train.N.state.pt`.
    """
    parser = argparse.ArgumentParser(description="Train the network and write its weights.")
    parser.add_argument("--resume", action="store_true", help="go on where an earlier run was interrupted")
    parser.add_argument(
        "--threads", type=int, default=1, help="CPU threads (default: 1; the weights depend on it in the last digits)"
    )
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(phases[0].seed)
    network = create()
    initialise(network)
    for number, settings in enumerate(phases, start=1):
        crops = Crops.of(TRAINING, size=settings.crop, batch=settings.batch, seed=settings.seed)
        objective = objective_for(settings, style)
        state = checkpoint.with_name(f"train.{number}.state.pt")
        with _Progress(settings.end) as progress:
            train(
                network, crops, objective, course=Course(state=state, resume=arguments.resume), report=progress.report
            )
    save_weights(checkpoint, network, dtype)
    print(f"{checkpoint.name}: {sum(settings.end for settings in phases)} steps")


class _Progress:
    """A progress bar on stderr that shows the latest losses; silent when stderr is no terminal."""

    def __init__(self, steps: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(file=sys.stderr)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._bar.add_task("training", total=steps)

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def report(self, step: int, losses: Losses) -> None:
        terms = f"content {losses.content:.3f}  style {losses.style:.3f}  palette {losses.palette:.3f}"
        text = f"warm-up {losses.warmup:.4f}" if losses.warmup else terms
        self._bar.update(self._task, completed=step, description=text)
