"""Unfold and fold as slices, pixel shuffles and sums: one backend scatters and gathers for them what the others do not take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import ARITHMETIC, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = ARITHMETIC
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all
# Values of a window that overlaps others; each is a slice.
_WIDEST = 32


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(
        program, {"aten.im2col.default": _unfold, "aten.col2im.default": _fold, "aten.unfold.default": _cut_windows}
    )


def _cut_windows(x: Tensor, axis: int, size: int, step: int) -> Any:
    """`Tensor.unfold`: windows of one axis, their values as the last one; those side by side are a reshape, others are slices."""
    import torch

    axis %= max(x.ndim, 1)
    if x.ndim == 0 or size < 1 or (step != size and size > _WIDEST):
        return NotImplemented
    count = (x.shape[axis] - size) // step + 1
    if step == size:
        whole = x.narrow(axis, 0, count * size)
        return whole.reshape(*x.shape[:axis], count, size, *x.shape[axis + 1 :]).movedim(axis + 1, -1)
    places = [slice(None)] * axis
    parts = [x[(*places, slice(first, first + (count - 1) * step + 1, step))] for first in range(size)]
    return torch.stack(parts, -1)


def _unfold(x: Tensor, kernel: Any, dilation: Any, padding: Any, stride: Any) -> Any:
    """The picture shifted once for every place of the window, one behind the other: channel, place, window."""
    import torch
    from torch.nn.functional import pad

    if x.ndim != 4:
        return NotImplemented
    (high, wide), gaps, (top, left), steps = (_pair(value) for value in (kernel, dilation, padding, stride))
    x = pad(x, (left, left, top, top)) if top or left else x
    n, channels = x.shape[:2]
    rows, columns = (
        (x.shape[axis + 2] - gaps[axis] * (size - 1) - 1) // steps[axis] + 1 for axis, size in enumerate((high, wide))
    )
    shifted = [
        x[
            :,
            :,
            i * gaps[0] : i * gaps[0] + (rows - 1) * steps[0] + 1 : steps[0],
            j * gaps[1] : j * gaps[1] + (columns - 1) * steps[1] + 1 : steps[1],
        ].reshape(n, channels, 1, rows * columns)
        for i in range(high)
        for j in range(wide)
    ]
    return torch.cat(shifted, 2).reshape(n, channels * high * wide, rows * columns)


def _fold(x: Tensor, size: Any, kernel: Any, dilation: Any, padding: Any, stride: Any) -> Any:
    """Overlaps are added. With stride s the window is cut in parts of s x s, each of which is a pixel shuffle at an offset."""
    (high, wide), gaps, pads, steps = (_pair(value) for value in (kernel, dilation, padding, stride))
    if x.ndim != 3 or (gaps != (1, 1) and steps != (1, 1)):
        return NotImplemented
    whole = [length + 2 * side for length, side in zip(_pair(size), pads, strict=True)]
    rows, columns = (
        (length - gap * (places - 1) - 1) // step + 1
        for length, gap, places, step in zip(whole, gaps, (high, wide), steps, strict=True)
    )
    n, channels = x.shape[0], x.shape[1] // (high * wide)
    places = x.reshape(n, channels, high * wide, rows * columns)
    total: Any = None
    for i in range(0, high, steps[0]):
        for j in range(0, wide, steps[1]):
            part = _part(places, i, j, (high, wide), steps)
            pixels = _shuffle(part.reshape(n, channels * steps[0] * steps[1], rows, columns), steps)
            piece = _at(pixels, i * gaps[0], j * gaps[1], whole)
            total = piece if total is None else total + piece
    (top, left), (height, width) = pads, _pair(size)
    return total[:, :, top : top + height, left : left + width] if top or left else total


def _part(places: Tensor, i: int, j: int, window: tuple[int, int], steps: tuple[int, int]) -> Tensor:
    """The places from (i, j) on up to the next step, zeros for those beyond the window."""
    import torch

    def one(row: int, column: int) -> Tensor:
        inside = row < window[0] and column < window[1]
        piece = places[:, :, row * window[1] + column if inside else 0].unsqueeze(2)
        return piece if inside else piece * 0.0

    parts = [one(i + a, j + b) for a in range(steps[0]) for b in range(steps[1])]
    return parts[0] if len(parts) == 1 else torch.cat(parts, 2)


def _shuffle(x: Tensor, steps: tuple[int, int]) -> Tensor:
    """Channel (c, i, j) becomes row i and column j of a part."""
    from torch.nn.functional import pixel_shuffle

    (high, wide), (n, channels, rows, columns) = steps, x.shape
    if high == wide:
        return x if high == 1 else pixel_shuffle(x, high)
    apart = x.reshape(n * channels // (high * wide), high, wide, rows, columns).permute(0, 3, 1, 4, 2)
    return apart.reshape(n, channels // (high * wide), rows * high, columns * wide)


def _at(piece: Tensor, top: int, left: int, whole: Sequence[int]) -> Tensor:
    """A part's pixels on the whole canvas; what lies beyond it are zeros that no window has."""
    from torch.nn.functional import pad

    height, width = (
        min(length - start, have) for length, start, have in zip(whole, (top, left), piece.shape[2:], strict=True)
    )
    piece = piece[:, :, :height, :width] if tuple(piece.shape[2:]) != (height, width) else piece
    sides = (left, whole[1] - left - width, top, whole[0] - top - height)
    return pad(piece, sides) if any(sides) else piece


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])
