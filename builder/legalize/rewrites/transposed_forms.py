"""Transposed convolutions of rare forms as plain convolutions: of several groups, dilated, of stride 1, or with output beyond the input.

With stride s each of the s x s places of an output pixel has its own part of the kernel: one convolution computes them all as
channels, and a pixel shuffle puts them where they belong (Shi et al. 2016, "Is the deconvolution layer the same as a
convolutional layer?"). With stride 1 the kernel is turned round, and nothing is shuffled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import ARITHMETIC, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = ARITHMETIC
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(program, {"aten.conv_transpose2d.input": _convolve_transposed}, only=_needs_it)


def _needs_it(node: Any) -> bool:
    return _is_rare(node.args[1].meta["val"], *node.args[3:])


def _is_rare(
    weight: Tensor,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> bool:
    steps, pads, extra, gaps = (_pair(value) for value in (stride, padding, output_padding, dilation))
    kernel = weight.shape[2:]
    reach = [gap * (size - 1) + 1 for gap, size in zip(gaps, kernel, strict=True)]
    beyond = any(e > p for e, p in zip(extra, pads, strict=True))
    holes = any(size < step for size, step in zip(reach, steps, strict=True))
    return steps[0] == steps[1] and (groups > 1 or max(gaps) > 1 or steps == (1, 1) or beyond or holes)


def _convolve_transposed(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    """y[s u + r] = sum_j x[u - j] w[s j + r], for every rest r of s; then `padding` is cut off at the start."""
    from torch.nn.functional import conv2d, pad, pixel_shuffle

    if x.ndim != 4 or not _is_rare(weight, stride, padding, output_padding, groups, dilation):
        return NotImplemented
    (step, _), pads, extra = _pair(stride), _pair(padding), _pair(output_padding)
    kernel = _spread(weight, _pair(dilation))
    taps = [-(-size // step) for size in kernel.shape[2:]]
    kernel = pad(kernel, (0, taps[1] * step - kernel.shape[3], 0, taps[0] * step - kernel.shape[2]))
    inside, outside = weight.shape[0] // groups, weight.shape[1]
    parts = kernel.reshape(groups, inside, outside, taps[0] * step, taps[1] * step)
    # (groups, inside, outside, tap, rest, tap, rest), one axis after the other: backends have five axes at most
    parts = parts.permute(0, 2, 1, 3, 4).reshape(groups * outside, inside, taps[0], step, taps[1] * step)
    parts = parts.permute(0, 3, 1, 2, 4).reshape(groups * outside * step, inside, taps[0], taps[1], step)
    filters = parts.permute(0, 4, 1, 2, 3).reshape(groups * outside * step**2, inside, *taps).flip(2, 3)
    shifts = None if bias is None else bias if step == 1 else bias.repeat_interleave(step**2)
    lengths = [
        (x.shape[axis + 2] - 1) * step - 2 * pads[axis] + _reach(weight, dilation)[axis] + extra[axis]
        for axis in (0, 1)
    ]
    skipped = [p // step for p in pads]
    # What the picture is padded with so that output number skipped * step and the last one exist.
    sides = []
    for axis in (1, 0):
        count = -(-(pads[axis] - skipped[axis] * step + lengths[axis]) // step)
        before = taps[axis] - 1 - skipped[axis]
        sides += [before, count + taps[axis] - 1 - before - x.shape[axis + 2]]
    if sides[0] == sides[1] >= 0 and sides[2] == sides[3] >= 0:
        y = conv2d(x, filters, shifts, 1, (sides[2], sides[0]), 1, groups)
    else:
        y = conv2d(_pad(x, sides), filters, shifts, 1, 0, 1, groups)
    y = y if step == 1 else pixel_shuffle(y, step)
    for axis in (0, 1):
        first = pads[axis] - skipped[axis] * step
        if first or y.shape[axis + 2] != lengths[axis]:
            y = y.narrow(axis + 2, first, lengths[axis])
    return y


def _pad(x: Tensor, sides: Sequence[int]) -> Tensor:
    """Zeros around the picture; a negative side is cut off."""
    from torch.nn.functional import pad

    for axis, (before, after) in ((3, sides[:2]), (2, sides[2:])):
        cut = max(0, -before), max(0, -after)
        x = x.narrow(axis, cut[0], x.shape[axis] - sum(cut)) if any(cut) else x
    rest = [max(0, side) for side in sides]
    return pad(x, rest) if any(rest) else x


def _reach(weight: Tensor, dilation: Any) -> list[int]:
    return [gap * (size - 1) + 1 for gap, size in zip(_pair(dilation), weight.shape[2:], strict=True)]


def _spread(weight: Tensor, gaps: tuple[int, int]) -> Tensor:
    """The kernel with zeros between its taps, as a dilated one reads."""
    import torch

    for axis, gap in ((2, gaps[0]), (3, gaps[1])):
        if gap > 1:
            size = weight.shape[axis]
            rows = weight.unsqueeze(axis + 1)
            zeros = torch.zeros_like(rows).repeat_interleave(gap - 1, axis + 1)
            shape = [*weight.shape[:axis], size * gap, *weight.shape[axis + 1 :]]
            weight = torch.cat([rows, zeros], axis + 1).reshape(shape).narrow(axis, 0, gap * (size - 1) + 1)
    return weight


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    return (value[0], value[0]) if len(value) == 1 else (value[0], value[1])
