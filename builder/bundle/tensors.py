"""Between pictures and tensors: the one pre- and post-processing of the product, in Python.

Kotlin and Swift do the same arithmetic on the same golden files. All arrays are in the logical layout of the manifest
(NCHW for images) unless a function says otherwise.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from builder.bundle.manifest import GoldenTensor
from builder.bundle.sparse import make_sparse_spec, sample_pixels
from builder.bundle.variant import Binding, TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    Array = NDArray[np.generic]
    Pixels = NDArray[np.uint8]

# The PSNR that stands for "equal": JSON has no infinity, and float32 cannot show more.
EQUAL_DB = 200.0
# The range for which there is nothing to scale.
UNIT = (0.0, 1.0)


def make_tensor(pixels: Pixels, spec: TensorSpec) -> NDArray[np.float32]:
    """RGB pixels (H, W, 3) of exactly the input's size -> float32 (1, 3, H, W) in the model's range and colour order."""
    return np.ascontiguousarray(_values(pixels, spec).transpose(2, 0, 1)[None])


def encode_pixels(pixels: Pixels, spec: TensorSpec, binding: Binding) -> Array:
    """What `to_artifact` gives of `make_tensor`, without a copy where the artifact has its channels last too."""
    return to_artifact(_values(pixels, spec).transpose(2, 0, 1)[None], binding)


def _values(pixels: Pixels, spec: TensorSpec) -> NDArray[np.float32]:
    height, width = spec.shape[-2:]
    if pixels.shape != (height, width, 3):
        raise ValueError(f"{spec.name} takes {height}x{width} RGB pixels, not {pixels.shape}")
    unit = pixels.astype(np.float32) / np.float32(255)
    if spec.color_order == "BGR":
        unit = unit[:, :, ::-1]
    if spec.mean is not None and spec.std is not None:
        unit = (unit - np.asarray(spec.mean, np.float32)) / np.asarray(spec.std, np.float32)
    elif spec.range is not None and spec.range != UNIT:
        low, high = (np.float32(edge) for edge in spec.range)
        unit = low + unit * (high - low)
    return unit


def make_pixels(tensor: Array, spec: TensorSpec) -> Pixels:
    """float32 (1, 3, H, W) in the output's range -> RGB pixels (H, W, 3), clamped and rounded half up."""
    unit = scale_to_unit(tensor, spec)[0].transpose(1, 2, 0)
    if spec.color_order == "BGR":
        unit = unit[:, :, ::-1]
    scaled = unit * np.float32(255)
    np.clip(scaled, 0, 255, out=scaled)
    scaled += np.float32(0.5)
    return np.ascontiguousarray(scaled.astype(np.uint8))  # which rounds down, since nothing is below 0


def decode_pixels(tensor: Array, spec: TensorSpec, binding: Binding) -> Pixels:
    """What `make_pixels` gives of `from_artifact`, without a copy where the artifact has its channels last too."""
    return make_pixels(_logical(tensor, binding), spec)


def scale_to_unit(tensor: Array, spec: TensorSpec) -> NDArray[np.float32]:
    """Pictures (N, 3, H, W) in the declared range -> 0..1 for black to white, not clamped, in the tensor's own colour order."""
    values = np.asarray(tensor, np.float32)
    if spec.mean is not None and spec.std is not None:
        mean, std = (np.asarray(v, np.float32).reshape(1, -1, 1, 1) for v in (spec.mean, spec.std))
        return values * std + mean
    if spec.range is not None and spec.range != UNIT:
        low, high = (np.float32(edge) for edge in spec.range)
        return (values - low) / (high - low)
    return values


def read_picture(path: Path, spec: TensorSpec) -> Pixels:
    """RGB pixels of a picture file (see `pictures`), fitted to the input's size by the manifest's resize policy. Raises BundleError."""
    from builder.bundle.pictures import read_rgb

    return fit_pixels(read_rgb(path), spec)


def fit_pixels(picture: Image.Image, spec: TensorSpec) -> Pixels:
    """Pixels of an RGB picture in the input's size, by the manifest's resize policy."""
    from PIL.Image import Resampling
    from PIL.ImageOps import fit

    height, width = spec.shape[-2:]
    if picture.size == (width, height):
        fitted = picture
    elif spec.resize == "stretch":
        fitted = picture.resize((width, height), Resampling.BILINEAR)
    else:
        fitted = fit(picture, (width, height), Resampling.BILINEAR)
    return np.asarray(fitted, np.uint8)


def write_picture(path: Path, pixels: Pixels) -> None:
    """PNG with fixed settings, so that equal pixels give equal bytes."""
    path.write_bytes(encode_png(pixels))


def encode_png(pixels: Pixels) -> bytes:
    """What `write_picture` writes."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(pixels, "RGB").save(content, format="PNG", optimize=False, compress_level=9)
    return content.getvalue()


def to_artifact(tensor: Array, binding: Binding) -> Array:
    """Logical tensor -> the layout and dtype that the artifact takes."""
    moved = tensor.transpose(0, 2, 3, 1) if binding.layout == "NHWC" else tensor
    return np.ascontiguousarray(moved, dtype=binding.dtype)


def from_artifact(tensor: Array, binding: Binding) -> Array:
    """The artifact's tensor -> logical layout; floats become float32."""
    moved = _logical(tensor, binding)
    return np.ascontiguousarray(moved, dtype=np.float32 if moved.dtype.kind == "f" else moved.dtype)


def _logical(tensor: Array, binding: Binding) -> Array:
    return tensor.transpose(0, 3, 1, 2) if binding.layout == "NHWC" else tensor


def list_specs(specs: Sequence[TensorSpec], bindings: Sequence[Binding]) -> tuple[TensorSpec, ...]:
    """The bundle's tensors with the shapes that one variant has for them."""
    shapes = {binding.name: find_logical_shape(binding) for binding in bindings}
    return tuple(spec.model_copy(update={"shape": shapes[spec.name]}) for spec in specs)


def find_logical_shape(binding: Binding) -> tuple[int, ...]:
    """NCHW for pictures, whatever the artifact's own layout."""
    shape = binding.shape
    return (shape[0], shape[3], shape[1], shape[2]) if binding.layout == "NHWC" else shape


def read_golden(root: Path, golden: GoldenTensor, spec: TensorSpec) -> NDArray[np.float32]:
    """The values of a golden input or output of the bundle at `root`, in logical layout; of `png_sparse` those that it holds."""
    if golden.encoding == "png_sparse":
        spec = make_sparse_spec(spec)
    if golden.encoding != "f32":
        return make_tensor(read_picture(root / golden.file, spec), spec)
    return np.frombuffer((root / golden.file).read_bytes(), "<f4").reshape(spec.shape)


def as_golden(tensor: Array, spec: TensorSpec, encoding: str) -> NDArray[np.float32]:
    """What a device's output looks like after the golden's encoding (8-bit for pictures), so that like is compared with like."""
    if encoding == "png":
        return make_tensor(make_pixels(tensor, spec), spec)
    if encoding == "png_sparse":
        return make_tensor(sample_pixels(make_pixels(tensor, spec)), make_sparse_spec(spec))
    return np.asarray(tensor, np.float32).reshape(spec.shape)


def measure_worst_psnr_db(
    root: Path, stored: Sequence[GoldenTensor], specs: Sequence[TensorSpec], outputs: Mapping[str, Array]
) -> float | None:
    """The lowest PSNR of `outputs` against a golden's stored tensors, rounded; None where none are stored, as references in packages."""
    figures = []
    for tensor, spec in zip(stored, specs, strict=bool(stored)):
        want = read_golden(root, tensor, spec)
        figures.append(
            measure_psnr_db(as_golden(outputs[spec.name], spec, tensor.encoding), want, find_peak(spec, want))
        )
    return round(min(figures), 2) if figures else None


def measure_psnr_db(actual: Array, expected: Array, peak: float) -> float:
    """10 log10(peak^2 / mean squared error), in dB; EQUAL_DB for equal arrays, -EQUAL_DB where `actual` is not finite."""
    difference = np.asarray(actual, np.float64) - np.asarray(expected, np.float64)
    if not np.isfinite(difference).all():
        return -EQUAL_DB
    error = float(np.mean(difference * difference))
    if error == 0 or peak == 0:
        return EQUAL_DB if error == 0 else -EQUAL_DB
    return float(min(EQUAL_DB, 10 * np.log10(peak * peak / error)))


def find_peak(spec: TensorSpec, expected: Array) -> float:
    """Peak for PSNR: the width of an image's declared range; for other tensors the expected values' own range, or the size of
    a single value, which has none."""
    if spec.kind == "image" and spec.range is not None:
        return spec.range[1] - spec.range[0]
    return measure_own_range(expected)


def measure_own_range(expected: Array) -> float:
    """Between the least and the largest value; the size of the value where all are equal, as a single one is."""
    values = np.asarray(expected, np.float64)
    return float(np.ptp(values)) or float(np.abs(values).max(initial=0.0))
