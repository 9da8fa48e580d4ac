"""Vectors for the Kotlin codec: pictures and tensors, and what builder/bundle/tensors.py makes of them, bit by bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np

from builder.bundle import Binding, TensorSpec
from builder.bundle.tensors import pixels_to_tensor, tensor_to_pixels, to_artifact

HEIGHT, WIDTH = 5, 7
SPECS: dict[str, dict[str, object]] = {
    "unit": {"range": (0.0, 1.0)},
    "signed": {"range": (-1.0, 1.0)},
    "odd-range": {"range": (-0.3, 2.7)},
    "bytes": {"range": (0.0, 255.0), "color_order": "BGR"},
    "imagenet": {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
    "imagenet-bgr": {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "color_order": "BGR"},
}


def write_vectors(folder: Path) -> None:
    """One JSON file for every kind of picture tensor and layout."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(20)
    for name, fields in SPECS.items():
        spec = TensorSpec.model_validate(
            {
                "name": "image",
                "kind": "image",
                "shape": (1, 3, HEIGHT, WIDTH),
                "color_order": "RGB",
                "resize": "stretch",
                **fields,
            }
        )
        layouts: tuple[Literal["NCHW", "NHWC"], ...] = ("NCHW", "NHWC")
        for layout in layouts:
            case = _case(spec, layout, random)
            (folder / f"{name}-{layout}.json").write_text(json.dumps(case), encoding="utf-8")


def _case(spec: TensorSpec, layout: Literal["NCHW", "NHWC"], random: np.random.Generator) -> dict[str, object]:
    shape = (1, HEIGHT, WIDTH, 3) if layout == "NHWC" else (1, 3, HEIGHT, WIDTH)
    binding = Binding(name="image", index=0, layout=layout, shape=shape)
    pixels = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    # Model outputs go beyond the range, and some fall exactly between two levels.
    levels = pixels_to_tensor(pixels, spec)
    steps = pixels_to_tensor(np.full((HEIGHT, WIDTH, 3), 1, np.uint8), spec) - pixels_to_tensor(
        np.zeros((HEIGHT, WIDTH, 3), np.uint8), spec
    )
    output = (
        levels + steps * random.choice(np.array([-300, -0.5, 0, 0.25, 0.5, 300], np.float32), levels.shape)
    ).astype(np.float32)
    return {
        "manifest": {
            "schema": 1,
            "model": {"name": "vectors"},
            "inputs": [spec.model_dump(mode="json")],
            "outputs": [],
            "variants": [
                {
                    "id": "v",
                    "backend": "tflite",
                    "delegate": "xnnpack",
                    "file": "v",
                    "bytes": 0,
                    "sha256": "",
                    "inputs": [binding.model_dump(mode="json")],
                    "outputs": [],
                }
            ],
            "goldens": [],
        },
        "pixels": _argb(pixels),
        "tensor_bits": _bits(to_artifact(levels, binding)),
        "output_bits": _bits(to_artifact(output, binding)),
        "output_pixels": _argb(tensor_to_pixels(output, spec)),
    }


def _argb(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> list[int]:
    """Opaque ARGB words as signed 32-bit integers, as Android and Java hold them."""
    words = np.uint32(0xFF000000) | (pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32))
    return [int(word) for word in words.ravel().astype(np.uint32).view(np.int32)]


def _bits(tensor: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> list[int]:
    return [int(word) for word in np.ascontiguousarray(tensor, np.float32).ravel().view(np.int32)]
