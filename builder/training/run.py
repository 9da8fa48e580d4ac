"""A recipe carried out: the network made, taught by the loop, and its weights given back."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from builder.bundle import TensorSpec
from builder.bundle.pictures import read_rgb
from builder.errors import BundleError, ConfigError, DataError
from builder.project.config import Config
from builder.project.training import LITE0, TrainSection
from builder.quality.features import ALL_LAYERS, Features
from builder.quality.perceptual import require_packages
from builder.sources.checkpoint import make_module
from builder.sources.fill import load_into
from builder.sources.state_dict import read_state_dict
from builder.suggest import did_you_mean
from builder.training.loop import Done, Lesson, train
from builder.training.network import call
from builder.training.pictures import Batches, Selection
from builder.training.settings import Settings
from builder.training.style_batches import HELD_OUT, StyleBatches
from builder.training.stylize import FeatureNetwork, Gauge, Stylization
from builder.training.team import Team
from builder.training.vgg import VggFeatures

if TYPE_CHECKING:
    from torch import Tensor

# Batches that no step sees.
LOOKED_AT = 4
TERMS = ("content", "gram", "statistics", "wasserstein")


@dataclass(frozen=True, kw_only=True)
class Task:
    """`files` are photographs, `styles` style pictures; `state` keeps what is done. `specs`: of the picture in and the one out."""

    config: Config
    section: TrainSection
    folder: Path
    specs: tuple[TensorSpec, TensorSpec]
    files: Sequence[Path]
    styles: Sequence[Path]
    state: Path
    tell: Callable[[str], None]
    team: Team


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The network, how its training went, and the terms of its loss on crops that no step saw."""

    network: Any
    done: Done
    terms: dict[str, float]


def run(task: Task) -> Trained:
    """Raises ConfigError, DataError, SourceError, ConversionError."""
    import torch

    section = task.section
    torch.set_num_threads(count_threads())
    torch.manual_seed(section.seed)
    network: Any = make_module(task.folder, task.config.model.source, task.config.model.arguments)
    if section.start is not None:
        start = task.folder / section.start
        load_into(network, read_state_dict(start), start)
    network.train()
    size = (section.crop, section.crop)
    styles = [read_style(path, section.style_side) for path in task.styles]
    selection = Selection(
        files=task.files, size=size, batch=section.batch, seed=section.seed, drawn_every=section.drawn_every,
        varied=section.vary,
    )  # fmt: skip
    batches = StyleBatches(Batches(task.specs[0], selection), styles, size=size, seed=section.seed)
    inputs = _count_inputs(task.config, len(styles))
    layers = _layers(section)
    used = sorted({layer for each in layers.values() for layer in each})
    gauge = Gauge(features=_features(section, task.folder, used), layers=layers, styles=styles)

    def teach(student: Any) -> Stylization:
        return Stylization(section.loss, student, task.specs, inputs=inputs, gauge=gauge)

    judge = teach(network)

    def look(student: Any) -> float:
        return look_at(student, teach(student), batches, inputs)[0]

    lesson = Lesson(
        stage="train",
        student=network,
        groups=[([p for p in network.parameters() if p.requires_grad], 1.0)],
        objective=judge,
        batches=batches,
        look=look if section.patience else None,
        inputs=inputs,
        parts=section.accumulate,
        section="train",
        team=task.team,
    )
    settings = Settings(
        steps=section.steps,
        batch=section.batch,
        crop=section.crop,
        learning_rate=section.learning_rate,
        seed=section.seed,
        save_every_s=section.save_every_s,
        average=section.average,
        look_every=section.look_every,
        patience=section.patience,
    )
    done = train(lesson, settings, task.state, task.tell, time.monotonic() + section.time_s)
    _, terms = look_at(network, judge, batches, inputs)
    return Trained(network=network.eval(), done=done, terms=terms)


def count_threads() -> int:
    """As many as OMP_NUM_THREADS says, which whoever shares a machine sets; else all processors."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdigit() and int(asked) > 0 else os.cpu_count() or 1


def look_at(network: Any, objective: Stylization, batches: StyleBatches, inputs: int) -> tuple[float, dict[str, float]]:
    """The loss and its terms on crops that no step sees."""
    import torch

    was = network.training
    network.eval()
    total, terms = 0.0, dict[str, float]()
    with torch.no_grad():
        for number in range(LOOKED_AT):
            batch = batches(HELD_OUT + number)
            total += float(objective(call(network, *batch[:inputs]), (), batch)) / LOOKED_AT
            for name, value in objective.terms.items():
                terms[name] = terms.get(name, 0.0) + value / LOOKED_AT
    network.train(was)
    return total, {name: round(value, 6) for name, value in terms.items()}


def read_style(path: Path, side: int) -> Tensor:
    """`[1, 3, h, w]`, RGB in 0..1, its shorter side as asked for. Raises DataError for what is no picture."""
    import torch
    from PIL import Image

    try:
        picture = read_rgb(path)
    except BundleError as error:
        raise DataError(str(error)) from error
    scale = side / min(picture.size)
    resized = picture.resize([max(round(each * scale), side) for each in picture.size], Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(resized, np.float32) / 255).permute(2, 0, 1)[None].contiguous()


def _count_inputs(config: Config, styles: int) -> int:
    """1 for a network that takes a picture, 2 for one with a style vector too. Raises ConfigError for all others."""
    kinds = [tensor.kind for tensor in config.input]
    if kinds == ["image"] and styles <= 1:
        return 1
    if kinds == ["image", "vector"] and config.input[1].shape == (1, max(styles, 1)):
        return 2
    names = ", ".join(f"{tensor.name} ({tensor.kind} {list(tensor.shape)})" for tensor in config.input)
    raise ConfigError(
        f"'builder train' teaches {styles} styles to a network that takes a picture, and with several styles a vector [1, {styles}] after it; "
        f"this one takes {names}: correct 'styles' in [train], or the inputs."
    )


def _layers(section: TrainSection) -> dict[str, tuple[str, ...]]:
    """Of each term of features with a weight, the layers that it compares."""
    network = Features if section.features == LITE0 else VggFeatures
    chosen = {}
    for name in TERMS:
        term = getattr(section.loss, name)
        if term.weight:
            chosen[name] = term.layers or (network.CONTENT if name == "content" else network.STYLE)
    return chosen


def _features(section: TrainSection, folder: Path, layers: Sequence[str]) -> FeatureNetwork | None:
    if not layers:
        return None
    if section.features != LITE0:
        return VggFeatures(folder / section.features, layers)
    for layer in layers:
        if layer not in ALL_LAYERS:
            raise ConfigError(f"the feature network has no layer {layer!r}{did_you_mean(layer, ALL_LAYERS)}")
    require_packages(None)
    return Features([layer for layer in ALL_LAYERS if layer in layers])
