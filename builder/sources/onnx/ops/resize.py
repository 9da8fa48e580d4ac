"""Resize and its ancestor Upsample: torch's own interpolation where it means the same, else by stored indices or matrices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from builder.sources.network import Call, Weight
from builder.sources.onnx.graph import Importer, Node, call_plainly

if TYPE_CHECKING:
    from torch import Tensor

_COORDINATES = ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric", "asymmetric", "align_corners")
_ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


def _resize(node: Node) -> Call:
    mode = node.text("mode", "nearest")
    coordinates = node.text("coordinate_transformation_mode", "half_pixel")
    if coordinates not in _COORDINATES:
        raise node.refuse(f"has the coordinate mode {coordinates!r}", f"use one of {', '.join(_COORDINATES)}")
    if mode not in ("nearest", "linear", "cubic"):
        raise node.refuse(f"has the mode {mode!r}", "use nearest, linear or cubic")
    if node.integer("antialias", 0):
        raise node.refuse("is antialiased", "export with antialias=False, or reduce by an average pooling")
    if node.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise node.refuse("keeps the aspect ratio by a policy", "export it with fixed sizes")
    scales, sizes = _target(node)
    rounding = node.text("nearest_mode", "round_prefer_floor")
    if mode == "nearest" and rounding not in _ROUNDINGS:
        raise node.refuse(f"has the nearest mode {rounding!r}", f"use one of {', '.join(_ROUNDINGS)}")
    return _interpolate(node, mode, coordinates, rounding, scales, sizes)


def _upsample(node: Node) -> Call:
    raise node.refuse("is older than opset 10", "export it with opset 11 or newer, which has Resize")


def _target(node: Node) -> tuple[list[float], list[int]]:
    """Scale and size of every axis. Sizes that are given decide the scales, scales that are given the sizes (rounded down)."""
    shape = node.shape()
    sizes = node.read_ints(3, "sizes")
    axes = [node.axis(a) for a in node.integers("axes", list(range(len(shape))))]
    if sizes:
        full = list(shape)
        for axis, size in zip(axes, sizes, strict=True):
            full[axis] = size
        return [size / before for size, before in zip(full, shape, strict=True)], full
    values = node.constant(2)
    if values is None or values.numel() != len(axes):
        raise node.refuse("has scales that are computed by the graph", "export it with fixed scales or sizes")
    scales = [1.0] * len(shape)
    for axis, scale in zip(axes, values.tolist(), strict=True):
        scales[axis] = float(scale)
    return scales, [math.floor(size * scale) for size, scale in zip(shape, scales, strict=True)]


def _interpolate(node: Node, mode: str, coordinates: str, rounding: str, scales: list[float], sizes: list[int]) -> Call:
    from torch.nn import functional

    shape = node.shape()
    changed = [axis for axis, (a, b) in enumerate(zip(shape, sizes, strict=True)) if a != b or scales[axis] != 1.0]
    if not changed:
        return call_plainly(node, lambda x: x, 1)
    target = sizes[2:]
    exact = all(size == before * scale for size, before, scale in zip(sizes, shape, scales, strict=True))
    pictures = len(shape) == 4 and min(changed) >= 2 and exact
    whole = all(float(scale).is_integer() for scale in scales)
    if pictures and mode == "nearest" and whole and (coordinates, rounding) in _REPEATING:
        factors = tuple(scales[2:])
        return call_plainly(node, lambda x: functional.interpolate(x, scale_factor=factors, mode="nearest"), 1)
    ordinary = coordinates in ("half_pixel", "pytorch_half_pixel", "align_corners") and min(target, default=0) > 1
    standard = abs(node.real("cubic_coeff_a", -0.75) + 0.75) < 1e-6 and not node.integer("exclude_outside", 0)
    if pictures and ordinary and (mode == "linear" or (mode == "cubic" and standard)):
        name, corners = {"linear": "bilinear", "cubic": "bicubic"}[mode], coordinates == "align_corners"
        if whole and not corners:
            factors = tuple(scales[2:])
            return call_plainly(
                node, lambda x: functional.interpolate(x, scale_factor=factors, mode=name, align_corners=False), 1
            )
        return call_plainly(node, lambda x: functional.interpolate(x, size=target, mode=name, align_corners=corners), 1)
    if mode == "nearest":
        return _by_index(node, changed, coordinates, rounding, scales, sizes)
    return _by_matrix(node, changed, mode, coordinates, scales, sizes)


# For whole scales these all repeat every element: what torch's `nearest` does.
_REPEATING = (
    ("asymmetric", "floor"),
    ("half_pixel", "round_prefer_floor"),
    ("half_pixel", "round_prefer_ceil"),
    ("pytorch_half_pixel", "round_prefer_floor"),
    ("pytorch_half_pixel", "round_prefer_ceil"),
)


def compute_source_position(x: int, coordinates: str, scale: float, before: int, after: int) -> float:
    """Where in the input the output's element x lies; formulas of the operator's specification.

    In float32, as ONNX Runtime has it: half-way positions round by its last bit.
    """
    one, half = np.float32, np.float32(0.5)
    if coordinates == "asymmetric":
        return float(one(x) / one(scale))
    if coordinates == "align_corners":
        return 0.0 if after == 1 else float(one(x) * one(before - 1) / one(after - 1))
    if coordinates == "pytorch_half_pixel" and after == 1:
        return 0.0
    position = (one(x) + half) / one(scale) - half
    if coordinates == "half_pixel_symmetric":
        adjustment = one(after) / (one(before) * one(scale))
        position += one(before) / one(2) * (one(1) - adjustment)
    return float(position)


def _by_index(
    node: Node, axes: list[int], coordinates: str, rounding: str, scales: list[float], sizes: list[int]
) -> Call:
    import torch

    shape = node.shape()
    indices: list[Weight] = []
    for axis in axes:
        axes_indices = []
        for x in range(sizes[axis]):
            position = compute_source_position(x, coordinates, scales[axis], shape[axis], sizes[axis])
            axes_indices.append(min(max(_round(position, rounding), 0), shape[axis] - 1))
        indices.append(Weight(role=f"index{axis}", value=torch.tensor(axes_indices)))

    def select(x: Tensor, *chosen: Tensor) -> Tensor:
        for axis, index in zip(axes, chosen, strict=True):
            x = torch.index_select(x, axis, index)
        return x

    return Call(function=select, operands=(node.inputs[0], *indices))


def _round(position: float, rounding: str) -> int:
    if rounding == "floor":
        return math.floor(position)
    if rounding == "ceil":
        return math.ceil(position)
    if rounding == "round_prefer_floor":
        return math.ceil(position - 0.5)
    return math.floor(position + 0.5)


def _by_matrix(node: Node, axes: list[int], mode: str, coordinates: str, scales: list[float], sizes: list[int]) -> Call:
    """Each axis is a matrix (size after x size before): any coordinates and any coefficient of the cubic."""
    shape = node.shape()
    matrices = [
        Weight(role=f"matrix{axis}", value=_matrix(node, mode, coordinates, scales[axis], shape[axis], sizes[axis]))
        for axis in axes
    ]

    def apply(x: Tensor, *weights: Tensor) -> Tensor:
        for axis, weight in zip(axes, weights, strict=True):
            x = (x.movedim(axis, -1) @ weight.T).movedim(-1, axis)
        return x

    return Call(function=apply, operands=(node.inputs[0], *matrices))


def _matrix(node: Node, mode: str, coordinates: str, scale: float, before: int, after: int) -> Tensor:
    import torch

    coefficient, outside = node.real("cubic_coeff_a", -0.75), bool(node.integer("exclude_outside", 0))
    matrix = torch.zeros((after, before), dtype=torch.float64)
    for x in range(after):
        position = compute_source_position(x, coordinates, scale, before, after)
        if mode == "linear":
            position = min(max(position, 0.0), before - 1.0)
        first = math.floor(position)
        part = position - first
        taps = {0: 1 - part, 1: part} if mode == "linear" else _cubic(part, coefficient)
        inside = {k: w for k, w in taps.items() if 0 <= first + k < before}
        total = sum(inside.values()) if outside and mode == "cubic" else 1.0
        for k, weight in (inside if outside and mode == "cubic" else taps).items():
            matrix[x, min(max(first + k, 0), before - 1)] += weight / total
    return matrix.float()


def _cubic(part: float, a: float) -> dict[int, float]:
    """Weights of the four neighbours; Keys 1981, Cubic convolution interpolation."""

    def near(t: float) -> float:
        return ((a + 2) * t - (a + 3)) * t * t + 1

    def far(t: float) -> float:
        return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a

    return {-1: far(1 + part), 0: near(part), 1: near(1 - part), 2: far(2 - part)}


OPS: dict[str, Importer] = {"Resize": _resize, "Upsample": _upsample}
