"""Each network of a paper as a project on disk: its own source as `model.py`, weights of sensible scale, data, and nine variants."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from builder.bundle import TensorSpec
from tests.corpus.network import Network, picture, tensor

HERE = Path(__file__).parent
VARIANTS = tuple(
    (backend, delegate, precision)
    for backend, delegate in (("tflite", "xnnpack"), ("coreml", "all"), ("executorch", "xnnpack"))
    for precision in ('scheme = "fp32"', 'scheme = "fp16"', 'plan = "preset:int8-convs"')
)
CALIBRATION, EVALUATION = (11, 12, 13, 14), (21, 22)  # seeds of the samples


def _paper(module: str, name: str, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> tuple[str, Network]:
    factory = getattr(importlib.import_module(f"tests.papers.{module}"), name)
    return module, Network(factory=factory, inputs=tuple(inputs), outputs=tuple(outputs))


def _image(size: int = 64) -> TensorSpec:
    return picture("image", size)


PAPERS: dict[str, tuple[str, Network]] = {
    "video_matting": _paper(
        "matting", "video_matting",
        (_image(), tensor("state1", 1, 4, 64, 64), tensor("state2", 1, 8, 32, 32)),
        (picture("foreground"), tensor("alpha", 1, 1, 64, 64), tensor("next1", 1, 4, 64, 64), tensor("next2", 1, 8, 32, 32)),
    ),
    "picture_matting": _paper("matting", "picture_matting", (_image(),), (tensor("matte", 1, 1, 64, 64),)),
    "stylegan": _paper("faces", "stylegan", (tensor("vector", 1, 16),), (picture("face", 32),)),
    "face_restoration": _paper("faces", "face_restoration", (_image(),), (picture("face"),)),
    "codeformer": _paper("faces", "codeformer", (_image(),), (picture("face"),)),
    "interpolation": _paper("frames", "interpolation", (picture("first"), picture("second")), (picture("middle"),)),
    "correlation": _paper("frames", "correlation", (picture("first"), picture("second")), (tensor("flow", 1, 2, 32, 32),)),
    "wavelets": _paper("enhance", "wavelets", (_image(),), (tensor("clean", 1, 3, 64, 64),)),
    "bilateral_grid": _paper("enhance", "bilateral_grid", (_image(),), (tensor("enhanced", 1, 3, 64, 64),)),
    "colour_tables": _paper("enhance", "colour_tables", (_image(),), (tensor("enhanced", 1, 3, 64, 64),)),
    "super_resolution": _paper("enhance", "super_resolution", (_image(32),), (picture("large", 96),)),
    "lama": _paper("inpaint", "lama", (_image(), tensor("mask", 1, 1, 64, 64)), (picture("filled"),)),
    "partial_filling": _paper(
        "inpaint", "partial_filling", (_image(), tensor("mask", 1, 1, 64, 64)), (tensor("filled", 1, 3, 64, 64),)
    ),
    "gated_filling": _paper(
        "inpaint", "gated_filling", (_image(), tensor("mask", 1, 1, 64, 64)), (tensor("filled", 1, 3, 64, 64),)
    ),
    "segformer": _paper("backbones", "segformer", (_image(),), (tensor("classes", 1, 5, 64, 64),)),
    "mobilevit": _paper("backbones", "mobilevit", (_image(),), (tensor("classes", 1, 10),)),
    "convnext": _paper("backbones", "convnext", (_image(),), (tensor("clean", 1, 3, 64, 64),)),
    "swin": _paper("backbones", "swin", (_image(),), (tensor("classes", 1, 10),)),
    "dense_vit": _paper("backbones", "dense_vit", (_image(),), (tensor("depth", 1, 1, 64, 64),)),
    "u2net": _paper("backbones", "u2net", (_image(72),), (tensor("mask", 1, 1, 72, 72), tensor("fine", 1, 1, 72, 72))),
}  # fmt: skip


def write_project(name: str, folder: Path) -> None:
    """A folder with builder.toml, model.py, the weights and samples. Equal calls write equal projects."""
    module, network = PAPERS[name]
    folder.mkdir(parents=True)
    shutil.copyfile(HERE / f"{module}.py", folder / "model.py")
    torch.save(network.create().state_dict(), folder / "weights.pth")
    pictures = len(network.inputs) == 1 and network.inputs[0].kind == "image"
    for group, seeds in (("calibration", CALIBRATION), ("evaluation", EVALUATION)):
        (folder / group).mkdir()
        for seed in seeds:
            samples = _samples(network, seed)
            if pictures:
                pixels = (samples[0][0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
                Image.fromarray(pixels).save(folder / group / f"{seed}.png")
            else:
                named = {spec.name: value.numpy() for spec, value in zip(network.inputs, samples, strict=True)}
                np.savez(folder / group / f"{seed}.npz", **named)
    lines = ["[model]", f'name = "{name}"', f'source = "model:{name}"', 'checkpoint = "weights.pth"', 'licence = "MIT"']
    for spec in network.inputs:
        lines += ["[[input]]", f'name = "{spec.name}"', f'kind = "{spec.kind}"', f"shape = {list(spec.shape)}"]
        lines += ["range = [0.0, 1.0]"] if spec.kind == "image" else []
    for spec in network.outputs:
        lines += ["[[output]]", f'name = "{spec.name}"', f'kind = "{spec.kind}"']
        lines += ["range = [0.0, 1.0]"] if spec.kind == "image" else []
    lines += ["[data]", 'calibration = "calibration/*"', 'evaluation = "evaluation/*"']
    for backend, delegate, precision in VARIANTS:
        lines += ["[[variant]]", f'backend = "{backend}"', f'delegate = "{delegate}"', precision]
    (folder / "builder.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _samples(network: Network, seed: int) -> list[Tensor]:
    """As the network's own, holes as zeros and ones."""
    values = zip(network.inputs, network.samples(seed), strict=True)
    return [(value > 0.6).float() if spec.name == "mask" else value for spec, value in values]
