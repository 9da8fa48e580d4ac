"""Pooling in the forms that all backends have: a window of a stated stride, whole windows only, the largest value without its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import ARITHMETIC, reads_places, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = ARITHMETIC
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    functions: dict[str, Callable[..., Any]] = {
        "aten.max_pool2d.default": _max_pool,
        "aten.avg_pool2d.default": _average_pool,
        "aten.adaptive_avg_pool2d.default": _adaptive_average,
        "aten.adaptive_avg_pool1d.default": _adaptive_average_of_rows,
        "aten.max_pool1d.default": _max_pool_of_rows,
        "aten.avg_pool1d.default": _average_pool_of_rows,
        "aten.adaptive_avg_pool3d.default": _adaptive_average_of_frames,
        "aten.max_pool3d.default": _max_pool_of_frames,
        "aten.avg_pool3d.default": _average_pool_of_frames,
    }
    for name, function in _WITH_PLACES.items():
        if not reads_places(program, name):
            functions[name] = function
    return replace_calls(program, functions, only=_needs_it)


def _needs_it(node: Any) -> bool:
    """Plain windows of a stated stride stay as they are."""
    name, args = str(node.target), node.args
    if "adaptive_avg_pool2d" in name:
        return list(args[1]) not in ([1, 1], [1])
    if "pool2d" not in name or "adaptive" in name:
        return True
    return (
        len(args) < 3
        or not args[2]
        or ("avg" in name and ((len(args) > 4 and bool(args[4])) or _leaves_padding_out(args) or len(args) > 6))
        or ("max" in name and len(args) > 5 and bool(args[5]))
    )


def _leaves_padding_out(args: Any) -> bool:
    """Whether an average is of the picture's values alone where its window reaches over the edge."""
    return len(args) > 5 and not args[5] and any(_pair(args[3])) and (len(args) < 7 or args[6] is None)


def _pair(value: Sequence[int] | int) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


def _max_pool(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    ceil_mode: bool = False,
) -> Any:
    """`ceil_mode` is left where every backend reads it as torch does, which starts no window beyond the picture."""
    import torch
    from torch.nn.functional import pad

    window, step, sides, gaps = (_pair(value) for value in (kernel, stride or kernel, padding, dilation))
    reach = [gap * (size - 1) + 1 for gap, size in zip(gaps, window, strict=True)]
    extra = [_beyond(x.shape[axis - 2], reach[axis], step[axis], sides[axis]) for axis in (0, 1)]
    if stride and (not ceil_mode or (all(extra) and not any(sides))):
        return NotImplemented
    pool = torch.ops.aten.max_pool2d.default
    if not ceil_mode or not any(extra):
        return pool(x, window, step, sides, gaps, False)
    if max(gaps) > 1 or x.ndim != 4:
        return NotImplemented if stride else pool(x, window, step, sides, gaps, True)
    # each window over the edge holds the edge itself, so copies of it change no maximum
    return pool(pad(x, (0, extra[1], 0, extra[0]), mode="replicate"), window, step, sides, gaps, False)


def _beyond(size: int, window: int, step: int, side: int) -> int:
    """How far `ceil_mode` reaches beyond the picture and its padding; torch starts no window there."""
    room = size + 2 * side - window
    up = -(-room // step)
    if up * step >= size + side:
        up -= 1
    return max(up * step - room, 0)


def _average_pool(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """Windows over the edge read zeros, and a constant corrects what each is divided by."""
    import torch
    from torch.nn.functional import pad

    partial = not count_include_pad and divisor_override is None and any(_pair(padding))
    if stride and not ceil_mode and not partial and divisor_override is None:
        return NotImplemented
    window, step = _pair(kernel), _pair(stride or kernel)
    plain = torch.ops.aten.avg_pool2d.default
    (top, left), extra = _pair(padding), [0, 0]
    for axis, side in ((0, top), (1, left)) if ceil_mode else ():
        extra[axis] = _beyond(x.shape[axis - 2], window[axis], step[axis], side)
    if divisor_override is None and not any(extra) and not partial:
        return plain(x, window, step, padding, False, count_include_pad, None)
    if any(extra):
        y = plain(pad(x, (left, left + extra[1], top, top + extra[0])), window, step, [0, 0], False, True, None)
    else:
        y = plain(x, window, step, padding, False, True, None)
    for axis, side in ((0, top), (1, left)):
        shares = [
            window[axis]
            / _read(number * step[axis] - side, window[axis], x.shape[axis - 2], side, include=count_include_pad)
            for number in range(y.shape[axis - 2])
        ]
        if divisor_override is None and any(share != 1 for share in shares):
            row = torch.cat([torch.full((1,), share, dtype=x.dtype) for share in shares])
            y = y * row.reshape((1, 1, -1, 1) if axis == 0 else (1, 1, 1, -1))
    return y if divisor_override is None else y * (window[0] * window[1] / divisor_override)


def _read(start: int, window: int, size: int, side: int, *, include: bool) -> int:
    """How many values a window is an average of: those of the picture, and where it is so asked those of its padding."""
    end = min(start + window, size + side)
    return end - start if include else min(end, size) - max(start, 0)


def _adaptive_average(x: Tensor, size: Sequence[int]) -> Any:
    wanted = _pair(size)
    if wanted == (1, 1) or x.ndim != 4:
        return NotImplemented
    return _by_windows(x, wanted, "mean")


def _adaptive_largest(x: Tensor, size: Sequence[int]) -> Any:
    import torch

    if x.ndim != 4:
        return NotImplemented
    y = _by_windows(x, _pair(size), "amax")
    return y, torch.zeros(y.shape, dtype=torch.int64)  # places, which nothing reads


def _by_windows(x: Tensor, size: tuple[int, int], how: str) -> Tensor:
    """Windows from floor(i h / n) to ceil((i + 1) h / n), as torch has them: one stride where n divides h, each its own where not."""
    import torch
    from torch.nn.functional import avg_pool2d, max_pool2d

    height, width = x.shape[2:]
    if height % size[0] == 0 and width % size[1] == 0:
        window = [height // size[0], width // size[1]]
        return max_pool2d(x, window, window) if how == "amax" else avg_pool2d(x, window, window)
    for axis, count in ((2, size[0]), (3, size[1])):
        length = x.shape[axis]
        parts = []
        for number in range(count):
            start, end = number * length // count, -(-(number + 1) * length // count)
            window = [end - start, 1] if axis == 2 else [1, end - start]
            part = x.narrow(axis, start, end - start)
            pool = max_pool2d if how == "amax" else avg_pool2d
            parts.append(part if end - start == 1 else pool(part, window, window))
        x = parts[0] if count == 1 else torch.cat(parts, axis)
    return x


def _adaptive_average_of_rows(x: Tensor, size: Sequence[int]) -> Any:
    return NotImplemented if x.ndim != 3 else _adaptive_rows(x, int(size[0]))


def _adaptive_rows(x: Tensor, size: int) -> Tensor:
    if size == 1:
        return x.mean(2, keepdim=True)
    return _by_windows(x.unsqueeze(2), (1, size), "mean").squeeze(2)


def _adaptive_largest_of_rows(x: Tensor, size: Sequence[int]) -> Any:
    import torch

    if x.ndim != 3:
        return NotImplemented
    y = _by_windows(x.unsqueeze(2), (1, int(size[0])), "amax").squeeze(2)
    return y, torch.zeros(y.shape, dtype=torch.int64)


def _adaptive_average_of_frames(x: Tensor, size: Sequence[int]) -> Any:
    return _find_adaptive_frames(x, size, "mean") if x.ndim == 5 else NotImplemented


def _adaptive_largest_of_frames(x: Tensor, size: Sequence[int]) -> Any:
    import torch

    if x.ndim != 5:
        return NotImplemented
    y = _find_adaptive_frames(x, size, "amax")
    return y, torch.zeros(y.shape, dtype=torch.int64)


def _find_adaptive_frames(x: Tensor, size: Sequence[int], how: str) -> Tensor:
    count, high, wide = _triple(list(size))
    return _of_frames(
        x,
        lambda flat: _by_windows(flat, (high, wide), how),
        lambda rows: _by_windows(rows, (count, rows.shape[3]), how),
    )


def _max_pool_of_rows(
    x: Tensor, kernel: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, up: bool = False
) -> Any:
    import torch

    if x.ndim != 3:
        return NotImplemented
    window, step, side, gap = (_pair(value)[1] for value in (kernel, stride or kernel, padding, dilation))
    y = torch.ops.aten.max_pool2d.default(x.unsqueeze(2), [1, window], [1, step], [0, side], [1, gap], up)
    return y.squeeze(2)


def _average_pool_of_rows(
    x: Tensor, kernel: Any, stride: Any = (), padding: Any = 0, up: bool = False, include: bool = True
) -> Any:
    import torch

    if x.ndim != 3:
        return NotImplemented
    window, step, side = (_pair(value)[1] for value in (kernel, stride or kernel, padding))
    y = torch.ops.aten.avg_pool2d.default(x.unsqueeze(2), [1, window], [1, step], [0, side], up, include)
    return y.squeeze(2)


def _max_pool_of_frames(
    x: Tensor, kernel: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, up: bool = False
) -> Any:
    """Over height and width of every frame, then over frames as the height of a picture."""
    import torch

    (deep, *window), (far, *step), (ends, *sides), (gap, *gaps) = (
        _triple(value) for value in (kernel, stride or kernel, padding, dilation)
    )
    if x.ndim != 5:
        return NotImplemented
    pool = torch.ops.aten.max_pool2d.default
    return _of_frames(
        x,
        lambda flat: pool(flat, window, step, sides, gaps, up),
        lambda rows: pool(rows, [deep, 1], [far, 1], [ends, 0], [gap, 1], up),
    )


def _average_pool_of_frames(
    x: Tensor,
    kernel: Any,
    stride: Any = (),
    padding: Any = 0,
    up: bool = False,
    include: bool = True,
    divisor: int | None = None,
) -> Any:
    """The same; what an average is divided by is a product of three counts."""
    import torch

    (deep, *window), (far, *step), (ends, *sides) = (_triple(value) for value in (kernel, stride or kernel, padding))
    if x.ndim != 5:
        return NotImplemented
    pool = torch.ops.aten.avg_pool2d.default
    area = window[0] * window[1] if divisor is not None else None
    y = _of_frames(
        x,
        lambda flat: pool(flat, window, step, sides, up, include, area),
        lambda rows: pool(rows, [deep, 1], [far, 1], [ends, 0], up, include, None if divisor is None else deep),
    )
    return y if divisor is None else y * (deep * window[0] * window[1] / divisor)


def _of_frames(x: Tensor, pictures: Callable[[Tensor], Tensor], rows: Callable[[Tensor], Tensor]) -> Tensor:
    n, c, d, h, w = x.shape
    flat = pictures(x.reshape(n, c * d, h, w))
    high, wide = flat.shape[2:]
    deeper = rows(flat.reshape(n, c, d, high * wide))
    return deeper.reshape(n, c, deeper.shape[2], high, wide)


def _triple(value: Any) -> tuple[int, int, int]:
    if isinstance(value, int):
        return value, value, value
    return (value[0],) * 3 if len(value) == 1 else (value[0], value[1], value[2])


def _largest(x: Tensor, axis: int, keepdim: bool = False) -> Any:
    import torch

    y = torch.amax(x, axis, keepdim)
    return y, torch.zeros(y.shape, dtype=torch.int64)  # places, which nothing reads


def _smallest(x: Tensor, axis: int, keepdim: bool = False) -> Any:
    import torch

    y = torch.amin(x, axis, keepdim)
    return y, torch.zeros(y.shape, dtype=torch.int64)


_WITH_PLACES: dict[str, Callable[..., Any]] = {
    "aten.adaptive_max_pool1d.default": _adaptive_largest_of_rows,
    "aten.adaptive_max_pool2d.default": _adaptive_largest,
    "aten.adaptive_max_pool3d.default": _adaptive_largest_of_frames,
    "aten.max.dim": _largest,
    "aten.min.dim": _smallest,
}
