"""Convolutions over one and three dimensions as those of pictures: they are layers to every plan, and every backend has kernels for them."""

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
    return replace_calls(
        program,
        {
            "aten.conv1d.default": _one,
            "aten.conv1d.padding": _name_one,
            "aten.conv_transpose1d.default": _convolve_one_transposed,
            "aten.conv3d.default": _three,
            "aten.conv3d.padding": _name_three,
            "aten.conv_transpose3d.input": _convolve_three_transposed,
        },
    )


def _one(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """A row is a picture of height one."""
    from torch.nn.functional import conv2d

    if x.ndim != 3:
        return NotImplemented
    step, side, gap = (_last(value) for value in (stride, padding, dilation))
    y = conv2d(x.unsqueeze(2), weight.unsqueeze(2), bias, (1, step), (0, side), (1, gap), groups)
    return y.squeeze(2)


def _name_one(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: str = "valid",
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    from torch.nn.functional import pad

    before, after = _sides(weight.shape[2], _last(dilation)) if padding == "same" else (0, 0)
    return _one(pad(x, (before, after)) if before or after else x, weight, bias, stride, 0, dilation, groups)


def _convolve_one_transposed(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    """A row is a picture of height one, which a kernel of height one leaves so, whatever its stride."""
    from torch.nn.functional import conv_transpose2d

    if x.ndim != 3:
        return NotImplemented
    step, side, more, gap = (_last(value) for value in (stride, padding, output_padding, dilation))
    y = conv_transpose2d(
        x.unsqueeze(2), weight.unsqueeze(2), bias, (step, step), (0, side), (0, more), groups, (gap, gap)
    )
    return y.squeeze(2)


def _three(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """Every output frame is a picture; the frames that its kernel reads lie behind one another on the channel axis."""
    import torch
    from torch.nn.functional import conv2d, pad

    if x.ndim != 5:
        return NotImplemented
    (far, *step), (deep, *sides), (gap, *gaps) = (_triple(value) for value in (stride, padding, dilation))
    frames = weight.shape[2]
    x = pad(x, (0, 0, 0, 0, deep, deep)) if deep else x
    n, channels, depth, height, width = x.shape
    count = (depth - gap * (frames - 1) - 1) // far + 1
    rows = x.permute(0, 2, 1, 3, 4)
    read = [
        rows[:, number * gap : number * gap + (count - 1) * far + 1 : far].reshape(
            n * count, channels, 1, height * width
        )
        for number in range(frames)
    ]
    stacked = read[0] if frames == 1 else torch.cat(read, 2)
    picture = stacked.reshape(n * count, channels * frames, height, width)
    flat = weight.reshape(weight.shape[0], weight.shape[1] * frames, *weight.shape[3:])
    y = conv2d(picture, flat, bias, step, sides, gaps, groups)
    return y.reshape(n, count, *y.shape[1:]).permute(0, 2, 1, 3, 4)


def _name_three(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: str = "valid",
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    from torch.nn.functional import pad

    if padding == "same":
        pairs = [_sides(size, gap) for size, gap in zip(weight.shape[2:], _triple(dilation), strict=True)]
        x = pad(x, [side for pair in reversed(pairs) for side in pair])
    return _three(x, weight, bias, stride, 0, dilation, groups)


def _convolve_three_transposed(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    """Every frame is a picture that gives one picture for each frame of the kernel; those that fall on one place are summed."""
    import torch
    from torch.nn.functional import conv_transpose2d

    if x.ndim != 5:
        return NotImplemented
    values = (_triple(value) for value in (stride, padding, output_padding, dilation))
    (far, *step), (deep, *sides), (behind, *more), (gap, *gaps) = values
    n, channels, depth, height, width = x.shape
    frames, outputs = weight.shape[2], weight.shape[1] * groups
    picture = x.permute(0, 2, 1, 3, 4).reshape(n * depth, channels, height, width)
    flat = weight.reshape(channels, weight.shape[1] * frames, *weight.shape[3:])
    y = conv_transpose2d(picture, flat, None, step, sides, more, groups, gaps)
    high, wide = y.shape[2:]
    parts = y.reshape(n, depth, outputs, frames * high * wide)

    def find_frame(place: int) -> Tensor:
        falling = [
            parts[:, source, :, number * high * wide : (number + 1) * high * wide]
            for number in range(frames)
            for source in range(depth)
            if source * far + number * gap - deep == place
        ]
        return sum(falling[1:], falling[0]) if falling else torch.zeros(n, outputs, high * wide, dtype=y.dtype)

    count = (depth - 1) * far - 2 * deep + gap * (frames - 1) + behind + 1
    made = torch.stack([find_frame(place) for place in range(count)], 2).reshape(n, outputs, count, high, wide)
    return made if bias is None else made + bias.reshape(1, -1, 1, 1, 1)


def _sides(size: int, gap: int) -> tuple[int, int]:
    """Of padding "same", which puts the odd one behind."""
    total = gap * (size - 1)
    return total // 2, total - total // 2


def _last(value: Any) -> int:
    return value if isinstance(value, int) else int(value[-1])


def _triple(value: Any) -> tuple[int, int, int]:
    if isinstance(value, int):
        return value, value, value
    return (value[0],) * 3 if len(value) == 1 else (value[0], value[1], value[2])
