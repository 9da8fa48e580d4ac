"""Resizing pictures. torch samples as Core ML does in the cases below; any other is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.backends.coreml.ops.arguments import Arguments

if TYPE_CHECKING:
    import torch

    from builder.backends.coreml.ops.arguments import Result


# Of a pixel: coremltools makes factors a little larger, so that the size is not cut to the one below.
ROUNDING = 0.01


def upsample_nearest(a: Arguments) -> Result:
    x = a.tensor("x")
    _require_exact_factors(a, x)
    return _to_declared_size(a, x, "nearest", align_corners=None)


def upsample_bilinear(a: Arguments) -> Result:
    """Pixel centres lie at half pixels unless corners are aligned (iOS 16: `half_pixel_centers` says so itself)."""
    aligned = a.flag("align_corners")
    if a.has("half_pixel_centers") and a.flag("half_pixel_centers") == aligned:
        raise a.refuse("its own choice of pixel centres")
    x = a.tensor("x")
    if not aligned:
        _require_exact_factors(a, x)
    return _to_declared_size(a, x, "bilinear", align_corners=aligned)


def resize_bilinear(a: Arguments) -> Result:
    mode = a.text("sampling_mode")
    aligned = {"STRICT_ALIGN_CORNERS": True, "UNALIGN_CORNERS": False}.get(mode)
    if aligned is None:
        raise a.refuse(f"sampling_mode {mode!r}")
    return _to_declared_size(a, a.tensor("x"), "bilinear", align_corners=aligned)


def resize_nearest(a: Arguments) -> Result:
    return _to_declared_size(a, a.tensor("x"), "nearest", align_corners=None)


def resample(a: Arguments) -> Result:
    """The picture at computed places, x before y; torch's `grid_sample` on the scale of -1 to 1."""
    import torch.nn.functional as F

    x, places, aligned = a.tensor("x"), a.tensor("coordinates").float(), a.flag("align_corners")
    outside, scale = a.text("padding_mode"), a.text("coordinates_mode")
    modes = {"constant": "zeros", "border": "border", "symmetric" if not aligned else "reflection": "reflection"}
    if outside not in modes or (outside == "constant" and a.number("padding_value")):
        raise a.refuse(f"padding_mode {outside!r} with align_corners {aligned}")
    if scale == "normalized_zero_to_one":
        places = places * 2 - 1
    elif scale != "normalized_minus_one_to_one":
        raise a.refuse(f"coordinates_mode {scale!r}")
    return F.grid_sample(x, places, a.text("sampling_mode"), modes[outside], aligned)


def _to_declared_size(a: Arguments, x: torch.Tensor, mode: str, *, align_corners: bool | None) -> torch.Tensor:
    import torch.nn.functional as F

    if x.ndim != 4:
        raise a.refuse(f"{x.ndim} dimensions")
    return F.interpolate(x, size=a.shape[-2:], mode=mode, align_corners=align_corners)


def _require_exact_factors(a: Arguments, x: torch.Tensor) -> None:
    """Sizes stand for the factors only where these give them exactly: otherwise the samples lie elsewhere."""
    for axis, name in ((-2, "scale_factor_height"), (-1, "scale_factor_width")):
        if abs(a.number(name) * x.shape[axis] - a.shape[axis]) > ROUNDING:
            raise a.refuse(f"a {name} of {a.number(name):g} on {x.shape[axis]} pixels")
