"""The inputs of one MIL op, by the names of its definition in coremltools `converters/mil/mil/ops/defs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from builder.errors import NotExecutedError

if TYPE_CHECKING:
    import torch

    Result = torch.Tensor | list[torch.Tensor] | tuple[torch.Tensor, ...]


class Arguments:
    """Tensors and constants of an op. Floats come as float32, whatever they are stored in."""

    def __init__(self, op: Any, values: dict[str, torch.Tensor]) -> None:
        self.op = op
        self._values = values

    def refuse(self, what: str) -> NotExecutedError:
        """The error for a form of a known op that is not executed here."""
        return NotExecutedError(
            f"the interpreter of Core ML files has no {self.op.op_type!r} with {what} ({self.op.name}); check this variant on a Mac."
        )

    @property
    def shape(self) -> list[int]:
        """Of the first output, as the program declares it."""
        return [int(size) for size in self.op.outputs[0].shape]

    def has(self, name: str) -> bool:
        return self.op.inputs.get(name) is not None

    def tensor(self, name: str) -> torch.Tensor:
        return self._float(self._values[self.op.inputs[name].name])

    def tensors(self, name: str) -> list[torch.Tensor]:
        return [self._float(self._values[var.name]) for var in self.op.inputs[name]]

    def optional(self, name: str) -> torch.Tensor | None:
        return self.tensor(name) if self.has(name) else None

    @staticmethod
    def _float(value: torch.Tensor) -> torch.Tensor:
        return value.float() if value.is_floating_point() else value

    def constant(self, name: str) -> Any:
        value = self.op.inputs[name].val
        if value is None:
            raise self.refuse(f"a computed {name!r}")
        return value

    def ints(self, name: str) -> list[int]:
        import numpy as np

        return [int(value) for value in np.asarray(self.constant(name)).reshape(-1)]

    def flags(self, name: str, count: int) -> list[bool]:
        """A mask; all False where the op has none."""
        return [bool(value) for value in self.constant(name)] if self.has(name) else [False] * count

    def integer(self, name: str) -> int:
        return int(self.constant(name))

    def number(self, name: str) -> float:
        return float(self.constant(name))

    def flag(self, name: str) -> bool:
        return bool(self.constant(name)) if self.has(name) else False

    def text(self, name: str) -> str:
        return str(self.constant(name))


def padding(a: Arguments, kernel: list[int], strides: list[int], dilations: list[int]) -> list[int]:
    """Padding as torch's F.pad takes it (last dimension first), for the pad types of conv and pooling."""
    kind = a.text("pad_type")
    if kind == "valid":
        return [0] * (2 * len(kernel))
    if kind == "custom":
        pairs = a.ints("pad")
        return [side for axis in reversed(range(len(kernel))) for side in (pairs[2 * axis], pairs[2 * axis + 1])]
    if kind in ("same", "same_lower"):
        sizes = a.tensor("x").shape[2:]
        made: list[int] = []
        for axis in reversed(range(len(kernel))):
            out = -(-sizes[axis] // strides[axis])
            total = max(0, (out - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1 - sizes[axis])
            less, more = total // 2, total - total // 2
            made += [less, more] if kind == "same" else [more, less]
        return made
    raise a.refuse(f"pad_type {kind!r}")
