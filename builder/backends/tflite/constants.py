"""The constants of a TFLite file as real numbers, with how far rounding can have moved each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.backends.tflite.graph import WEIGHT, Graph, Op, Tensor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_DTYPES = {"FLOAT32": "<f4", "FLOAT16": "<f2", "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8"}


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The constant an op takes its weights from; `unpacked` when a DEQUANTIZE stands between the two."""

    tensor: Tensor
    unpacked: bool


def find_weights(graph: Graph, op: Op, producers: dict[int, Op]) -> Weights | None:
    """The weights of an op that has layers' weights, or None when they are computed, or when it is no layer and has none."""
    if len(op.inputs) <= WEIGHT:
        return None
    tensor = graph.tensors[op.inputs[WEIGHT]]
    if tensor.data is not None:
        return Weights(tensor=tensor, unpacked=False)
    producer = producers.get(tensor.index)
    if producer is None or producer.name != "DEQUANTIZE":
        return None
    source = graph.tensors[producer.inputs[0]]
    return Weights(tensor=source, unpacked=True) if source.data is not None else None


def read_stored(tensor: Tensor) -> NDArray[np.generic]:
    """The stored numbers themselves in the tensor's shape; 4-bit values unpacked to int8, low half of each byte first."""
    import numpy as np

    if tensor.data is None:
        raise ValueError(f"{tensor.name} is no constant")
    raw = tensor.data.tobytes()
    if tensor.dtype == "INT4":
        packed = np.frombuffer(raw, np.int8)
        pairs = np.stack([np.left_shift(packed, 4) >> 4, packed >> 4], axis=1).reshape(-1)
        return pairs[: int(np.prod(tensor.shape))].reshape(tensor.shape)
    return np.frombuffer(raw, _DTYPES[tensor.dtype]).reshape(tensor.shape)


def dequantize(tensor: Tensor) -> NDArray[np.float32]:
    """The real numbers a constant stands for: (q - zero_point) * scale for integers."""
    import numpy as np

    values = read_stored(tensor)
    if not tensor.scale.size:
        return values.astype(np.float32)
    return (
        (values.astype(np.float32) - _along(tensor, tensor.zero_point.astype(np.float32)))
        * _along(tensor, tensor.scale)
    ).astype(np.float32)


def measure_rounding(tensor: Tensor, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Largest distance between each of `values` and what was rounded to it; broadcasts with `values`.

    Half a step for integers; half a unit in the last place (2^-11 relative, 2^-25 below the normals) for float16; for float32
    what arithmetic in another order may do. A little is added for the rounding of the division itself.
    """
    import numpy as np

    if tensor.scale.size:
        return np.float32(0.501) * _along(tensor, tensor.scale)
    if tensor.dtype == "FLOAT16":
        return (np.abs(values) * np.float32(2.0**-11 * 1.01) + np.float32(2.0**-25)).astype(np.float32)
    return np.asarray(np.float32(1e-6) * max(float(np.abs(values).max(initial=0)), 1e-30), np.float32)


def _along(tensor: Tensor, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """One value for all, or one for each index along the tensor's axis, shaped to broadcast."""
    if values.size <= 1:
        return values.reshape(())
    shape = [1] * len(tensor.shape)
    shape[tensor.axis] = -1
    return values.reshape(shape)
