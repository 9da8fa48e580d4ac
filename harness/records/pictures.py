"""Pictures that belong to a run: what went in, what was expected, what the device gave. Kept as PNG bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from builder.bundle import Bundle, Golden, GoldenTensor, Manifest, TensorSpec
from builder.bundle.tensors import list_specs, make_pixels, read_golden

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.records.tensors import Tensors

    Pixels = NDArray[np.uint8]


Role = Literal["input", "source", "expected", "output"]
# An artifact this close to the source model differs by less than a tenth of a step of 8 bits.
SAME_IN_8_BITS_DB = 90.0


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture of a run; `name` is the tensor's name in the manifest, `png` an 8-bit RGB PNG.

    `expected` is what the variant must give, `source` what the source model gives (see `find_source_variant`).
    """

    role: Role
    name: str
    png: bytes


def make_pictures(bundle: Bundle, golden: Golden, variant_id: str, outputs: Tensors) -> tuple[Picture, ...]:
    """Every image tensor of a golden run; tensors that are no pictures, or sparse ones as packages have, are left out."""
    variant = bundle.variant(variant_id)
    inputs = {spec.name: spec for spec in list_specs(bundle.manifest.inputs, variant.inputs)}
    results = {spec.name: spec for spec in list_specs(bundle.manifest.outputs, variant.outputs)}
    by_variant = {expected.variant: expected.tensors for expected in golden.expected}
    pictures = [_make_golden_picture(bundle, "input", tensor, inputs[tensor.name]) for tensor in golden.inputs]
    pictures += [
        _make_golden_picture(bundle, "expected", tensor, results[tensor.name])
        for tensor in by_variant.get(variant_id, ())
    ]
    source = find_source_variant(bundle.manifest)
    pictures += [
        _make_golden_picture(bundle, "source", tensor, results[tensor.name])
        for tensor in by_variant.get(source or "", ())
    ]
    for name, spec in results.items():
        if is_picture(spec) and name in outputs:
            finite = np.nan_to_num(np.asarray(outputs[name], np.float32), posinf=0.0, neginf=0.0)
            pictures.append(Picture(role="output", name=name, png=encode_png(make_pixels(finite, spec))))
    return tuple(picture for picture in pictures if picture is not None)


def find_source_variant(manifest: Manifest) -> str | None:
    """The variant whose goldens stand for the source model's own output: the closest one, if 8 bits cannot tell them apart."""
    known = {variant.id: variant.quality.psnr_db_worst or 0.0 for variant in manifest.variants}
    best = max(known, key=lambda name: known[name], default=None)
    return best if best is not None and known[best] >= SAME_IN_8_BITS_DB else None


def is_picture(spec: TensorSpec) -> bool:
    return spec.kind == "image" and len(spec.shape) == 4 and spec.shape[:2] == (1, 3)


def _make_golden_picture(bundle: Bundle, role: Role, tensor: GoldenTensor, spec: TensorSpec) -> Picture | None:
    if not is_picture(spec) or tensor.encoding == "png_sparse":  # a sample of pixels is nothing to look at
        return None
    return Picture(
        role=role, name=tensor.name, png=encode_png(make_pixels(read_golden(bundle.root, tensor, spec), spec))
    )


def encode_png(pixels: Pixels) -> bytes:
    """RGB pixels (H, W, 3) as PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=9)
    return buffer.getvalue()


def decode_png(png: bytes) -> Pixels:
    """RGB pixels (H, W, 3) of PNG bytes."""
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"), np.uint8)


def make_difference(expected: Pixels, output: Pixels) -> tuple[Pixels, int]:
    """|output - expected| made visible, and by how much: the largest power of two that keeps the largest difference below 256."""
    apart = np.abs(output.astype(np.int16) - expected.astype(np.int16))
    largest = int(apart.max(initial=0))
    gain = 1
    while largest and largest * gain * 2 <= 255 and gain < 64:
        gain *= 2
    return np.minimum(apart * gain, 255).astype(np.uint8), gain
