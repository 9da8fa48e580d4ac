"""What every ONNX operation becomes, grouped by kind; an operation that is in no group is refused."""

from __future__ import annotations

from builder.sources.network import Call
from builder.sources.onnx.graph import Importer, Node
from builder.sources.onnx.ops import (
    conv,
    elementwise,
    matmul,
    norm,
    places,
    pooling,
    quantize,
    recurrent,
    resize,
    shape,
)
from builder.suggest import find_nearest

OPS: dict[str, Importer] = {
    **conv.OPS,
    **elementwise.OPS,
    **matmul.OPS,
    **norm.OPS,
    **places.OPS,
    **pooling.OPS,
    **quantize.OPS,
    **recurrent.OPS,
    **resize.OPS,
    **shape.OPS,
}

_INSTEAD = {
    "ConvInteger": "quantize it statically in the QDQ format, or bring the float model",
    "MatMulInteger": "quantize it statically in the QDQ format, or bring the float model",
    "DynamicQuantizeLinear": "quantize it statically in the QDQ format, or bring the float model",
    "NonMaxSuppression": "end the model before it and do it in the app",
}


def import_node(node: Node) -> Call:
    """The call that a node becomes. Raises UnsupportedOperation naming the node and what to do."""
    importer = OPS.get(node.op)
    if importer is None:
        near = find_nearest(node.op, OPS)
        cure = (
            f"the nearest operation that is supported is {near}"
            if near is not None
            else "build it of convolutions, matrix products and elementwise operations"
        )
        raise node.refuse("has no importer", _INSTEAD.get(node.op, cure))
    return importer(node)
