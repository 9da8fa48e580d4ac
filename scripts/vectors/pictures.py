"""Pictures as tensors and back, and transparent pictures on white."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from builder.bundle import Binding, TensorSpec
from builder.bundle.pictures import on_white
from builder.bundle.tensors import make_pixels, make_tensor, to_artifact
from scripts.vectors.files import Case, pack

ABOUT = (
    "Pictures as tensors: `pixels` (RGB bytes) become `tensor` (float32) in the artifact's layout, to the bit; `output` (float32) becomes `output_pixels`. "
    "All are base64, little-endian. The arithmetic is that of builder/bundle/tensors.py."
)
TRANSPARENCY = (
    "Transparent pictures on white (docs/sdk-rules.md): the same pixels not premultiplied (`straight`, RGBA bytes), premultiplied (`premultiplied`, RGBA bytes), "
    "and as the network sees them (`opaque`, RGB bytes). All are base64."
)
HEIGHT, WIDTH = 5, 7
SPECS: dict[str, dict[str, object]] = {
    "unit": {"range": (0.0, 1.0)},
    "signed": {"range": (-1.0, 1.0)},
    "odd-range": {"range": (-0.3, 2.7)},
    "bytes": {"range": (0.0, 255.0), "color_order": "BGR"},
    "imagenet": {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
    "imagenet-bgr": {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "color_order": "BGR"},
}
LAYOUTS: tuple[Literal["NCHW", "NHWC"], ...] = ("NCHW", "NHWC")


def make_cases() -> list[Case]:
    random = np.random.default_rng(20)
    return [_case(name, fields, layout, random) for name, fields in SPECS.items() for layout in LAYOUTS]


def _case(name: str, fields: dict[str, object], layout: Literal["NCHW", "NHWC"], random: np.random.Generator) -> Case:
    base: dict[str, object] = {"name": "image", "kind": "image", "shape": (1, 3, HEIGHT, WIDTH), "color_order": "RGB"}
    spec = TensorSpec.model_validate({**base, "resize": "stretch", **fields})
    shape = (1, HEIGHT, WIDTH, 3) if layout == "NHWC" else (1, 3, HEIGHT, WIDTH)
    binding = Binding(name="image", index=0, layout=layout, shape=shape)
    pixels = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    # Model outputs go beyond the range, and some fall exactly between two levels.
    levels = make_tensor(pixels, spec)
    zero, one = (make_tensor(np.full((HEIGHT, WIDTH, 3), level, np.uint8), spec) for level in (0, 1))
    beyond = random.choice(np.array([-300, -0.5, 0, 0.25, 0.5, 300], np.float32), levels.shape)
    output: np.ndarray[Any, Any] = (levels + (one - zero) * beyond).astype(np.float32)
    return {
        "id": f"{name}-{layout}",
        "spec": spec.model_dump(mode="json"),
        "binding": binding.model_dump(mode="json"),
        "pixels": pack(pixels),
        "tensor": pack(to_artifact(levels, binding)),
        "output": pack(to_artifact(output, binding)),
        "output_pixels": pack(make_pixels(output, spec)),
    }


def make_transparent() -> list[Case]:
    """Every alpha with the ends and the middle of a channel, and random ones."""
    random = np.random.default_rng(21)
    ends = [[level, 255 - level, 128, alpha] for alpha in range(256) for level in (0, 255)]
    straight = np.concatenate([np.array(ends), random.integers(0, 256, (512, 4))]).astype(np.uint8)
    alpha = straight[:, 3:].astype(np.int32)
    # what Android, Core Graphics and Pillow store: rounded to the nearest level
    premultiplied = np.concatenate([(straight[:, :3] * alpha + 127) // 255, alpha], 1).astype(np.uint8)
    return [
        {
            "straight": pack(straight),
            "premultiplied": pack(premultiplied),
            "opaque": pack(on_white(straight)),
        }
    ]
