"""GRU and LSTM layers over a sequence as the linear layers of their steps, one after the other: Core ML's converter has no such layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import ARITHMETIC, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

    Step = Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]]

BOUND = ARITHMETIC
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(program, {"aten.gru.input": _gru, "aten.lstm.input": _lstm})


def _gru(
    x: Tensor, start: Tensor, weights: Sequence[Tensor], biased: bool, layers: int, dropout: float, train: bool, both: bool, batch_first: bool
) -> Any:  # fmt: skip
    """The equations of `torch.nn.GRU`."""
    import torch

    def step(gates: Tensor, state: tuple[Tensor, ...], hidden: Tensor) -> tuple[Tensor, ...]:
        reset, update, new = gates.chunk(3, -1)
        reset_h, update_h, new_h = hidden.chunk(3, -1)
        z = torch.sigmoid(update + update_h)
        n = torch.tanh(new + torch.sigmoid(reset + reset_h) * new_h)
        return (n + z * (state[0] - n),)

    made = _layers(x, (start,), weights, biased, both, batch_first, step)
    return NotImplemented if made is None else (made[0], *made[1])


def _lstm(
    x: Tensor, start: Sequence[Tensor], weights: Sequence[Tensor], biased: bool, layers: int, dropout: float, train: bool, both: bool, batch_first: bool
) -> Any:  # fmt: skip
    """The equations of `torch.nn.LSTM`, without a projection."""
    import torch

    def step(gates: Tensor, state: tuple[Tensor, ...], hidden: Tensor) -> tuple[Tensor, ...]:
        i, f, g, o = (gates + hidden).chunk(4, -1)
        cell = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(cell), cell

    made = _layers(x, tuple(start), weights, biased, both, batch_first, step)
    return NotImplemented if made is None else (made[0], *made[1])


def _layers(
    x: Tensor,
    start: tuple[Tensor, ...],
    weights: Sequence[Tensor],
    biased: bool,
    both: bool,
    batch_first: bool,
    step: Any,
) -> tuple[Tensor, list[Tensor]] | None:
    """All layers and directions: the outputs of the last one, and the last state of each; None for weights of another form."""
    import torch

    directions, each = 2 if both else 1, 4 if biased else 2
    count = start[0].shape[0]  # of layers and directions
    if len(weights) != count * each:
        return None  # a projection, which has a matrix more
    frames = x.unbind(1 if batch_first else 0)
    ends: list[list[Tensor]] = [[] for _ in start]
    for layer in range(count // directions):
        sides = []
        for direction in range(directions):
            number = layer * directions + direction
            own = weights[number * each : (number + 1) * each]
            state = tuple(value[number] for value in start)
            outputs: list[Tensor] = []
            for frame in frames if direction == 0 else frames[::-1]:
                gates = torch.nn.functional.linear(frame, own[0], own[2] if biased else None)
                hidden = torch.nn.functional.linear(state[0], own[1], own[3] if biased else None)
                state = step(gates, state, hidden)
                outputs.append(state[0])
            sides.append(outputs if direction == 0 else outputs[::-1])
            for end, value in zip(ends, state, strict=True):
                end.append(value)
        frames = tuple(parts[0] if len(parts) == 1 else torch.cat(parts, -1) for parts in zip(*sides, strict=True))
    return torch.stack(frames, 1 if batch_first else 0), [torch.stack(end) for end in ends]
