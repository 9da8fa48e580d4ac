"""Scales of XNNPACK's payload to their last bit: flatc writes floats of JSON with six decimals, too few for the scale of an activation.

Read from the flatbuffer itself, by the order of fields in executorch/backends/xnnpack/serialization/schema.fbs.
"""

from __future__ import annotations

from typing import Any

# Numbers of fields; a union takes two, its type and its table.
# Of XNNGraph.
_XVALUES = 2
# Of XValue.
_UNION_TYPE, _UNION = 0, 1
# XValueUnion.XNNQuantizedTensorValue.
_QUANTIZED = 2
# Of XNNQuantizedTensorValue.
_PARAMS_TYPE, _PARAMS = 1, 2
# XNNQuantParams.PerTensorQuant.
_PER_TENSOR = 2
# Of PerTensorQuant.
_SCALE = 0


def read_tensor_scales(flatbuffer: bytes) -> list[float | None]:
    """Of every value in order; None for one that has not one scale for all."""
    import flatbuffers.table
    from flatbuffers import encode, number_types, packer

    start = encode.Get(packer.uoffset, flatbuffer, 0)
    graph = flatbuffers.table.Table(flatbuffer, start)
    place = _field(graph, _XVALUES)
    if not place:
        return []
    first = graph.Vector(place)  # both take an offset in the table
    scales: list[float | None] = []
    for number in range(graph.VectorLen(place)):
        value = flatbuffers.table.Table(flatbuffer, graph.Indirect(first + 4 * number))
        quantized = _table(value, _UNION) if _byte(value, _UNION_TYPE) == _QUANTIZED else None
        params = (
            _table(quantized, _PARAMS)
            if quantized is not None and _byte(quantized, _PARAMS_TYPE) == _PER_TENSOR
            else None
        )
        scale = _field(params, _SCALE) if params is not None else 0
        scales.append(float(params.Get(number_types.Float32Flags, params.Pos + scale)) if params and scale else None)
    return scales


def _field(table: Any, number: int) -> int:
    """Offset of a field in its table, 0 where the table has none."""
    return int(table.Offset(4 + 2 * number))


def _byte(table: Any, number: int) -> int:
    from flatbuffers import number_types

    offset = _field(table, number)
    return int(table.Get(number_types.Uint8Flags, table.Pos + offset)) if offset else 0


def _table(table: Any, number: int) -> Any:
    import flatbuffers.table

    offset = _field(table, number)
    if not offset:
        return None
    table_of = flatbuffers.table.Table(table.Bytes, 0)
    table.Union(table_of, offset)
    return table_of
