"""How the tensors of builder.toml meet the values of a graph: names on both sides, and where channels are last."""

from __future__ import annotations

from dataclasses import dataclass

# Axes of a picture: TensorFlow has its channels last, ONNX second.
TO_NHWC, TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)


@dataclass(frozen=True, kw_only=True)
class BoundInput:
    """`name` as builder.toml has it, `value` in the graph; `shape` is logical, `nhwc` that the graph wants channels last.

    `dtype` is builder.toml's, `stored` the file's own: float32 stands for fp16, fp64, and for whole numbers of 8 bits.
    """

    name: str
    value: str
    shape: tuple[int, ...]
    dtype: str
    nhwc: bool
    stored: str = "float32"

    @property
    def whole(self) -> bool:
        """Whether the file takes whole numbers where builder.toml has floats."""
        return self.dtype == "float32" and self.stored in ("uint8", "int8")

    @property
    def graph_shape(self) -> tuple[int, ...]:
        return tuple(self.shape[i] for i in TO_NHWC) if self.nhwc else self.shape


@dataclass(frozen=True, kw_only=True)
class BoundOutput:
    name: str
    value: str
