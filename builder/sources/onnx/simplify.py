"""Concrete shapes, folded constants and NCHW borders: what is left of a graph when its input shapes are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from builder.errors import SourceError
from builder.sources.onnx.bind import set_shape
from builder.sources.onnx.bound import TO_NCHW, TO_NHWC, BoundInput, BoundOutput
from builder.sources.onnx.branches import inline_branches
from builder.sources.onnx.read import refuse_control_flow

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto


def simplify(
    model: ModelProto,
    inputs: Sequence[BoundInput],
    outputs: Sequence[BoundOutput],
    output_shapes: Mapping[str, Sequence[int]],
    nhwc_outputs: set[str],
) -> ModelProto:
    """A copy whose graph has exactly these inputs and outputs in this order, NCHW.

    `output_shapes` are the graph's own, by the names of builder.toml. Raises SourceError, UnsupportedOperation.
    """
    import onnx
    import onnxsim

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for bound in inputs:
        set_shape(copy, bound)
    del copy.graph.value_info[:]  # shapes that were written for other input sizes
    _turn_inputs(copy.graph, inputs)
    _turn_outputs(copy.graph, outputs, output_shapes, nhwc_outputs)
    _drop_unread(copy.graph)
    try:
        # Without its optimizer: names of nodes and initializers are names of layers.
        small, _ = onnxsim.simplify(copy, perform_optimization=False, certify=False)
        while inline_branches(small.graph):  # a branch may hold another
            small, _ = onnxsim.simplify(small, perform_optimization=False, certify=False)
    except Exception as error:  # onnxsim raises what its C++ core throws
        text = str(error).strip().splitlines()
        raise SourceError(
            f"onnxsim cannot simplify the model with the shapes of builder.toml: {text[0] if text else type(error).__name__}; "
            "correct 'shape' of the inputs, or export the model again."
        ) from error
    refuse_control_flow(small.graph)
    _restore_metadata(small.graph, model.graph)
    return merge_transposes(small)


def _drop_unread(graph: GraphProto) -> None:
    """Nodes that no output needs, such as those of an output that builder.toml leaves out."""
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.isdisjoint(node.output):
            continue
        kept.append(node)
        needed.update(_names_read(node))
    nodes = [type(node).FromString(node.SerializeToString()) for node in reversed(kept)]
    del graph.node[:]
    graph.node.extend(nodes)


def _names_read(node: NodeProto) -> set[str]:
    """By a node and by the branches inside it."""
    inner = [each for attribute in node.attribute for each in (attribute.g, *attribute.graphs)]
    read = {value.name for graph in inner for value in graph.output}
    return {*node.input, *read, *(name for graph in inner for child in graph.node for name in _names_read(child))}


def _restore_metadata(small: GraphProto, original: GraphProto) -> None:
    """onnxsim drops the nodes' metadata, in which the dynamo exporter keeps the names of modules."""
    known = {output: node.metadata_props for node in original.node for output in node.output if output}
    for node in small.node:
        if not node.metadata_props:
            node.metadata_props.extend(next((known[o] for o in node.output if o in known), ()))


def _turn_inputs(graph: GraphProto, inputs: Sequence[BoundInput]) -> None:
    """Inputs in the order of builder.toml, by its names, each NHWC one followed by a Transpose."""
    import onnx

    taken = {name for node in graph.node for name in (*node.input, *node.output)} | {t.name for t in graph.initializer}
    kinds = {value.name: value.type.tensor_type.elem_type for value in graph.input}
    made, values = [], []

    def fresh(name: str) -> str:
        while name in taken:
            name += "_"
        return name

    for bound in inputs:
        kind, given = kinds[bound.value], bound.value
        if bound.whole:
            kind = onnx.TensorProto.FLOAT  # what reads it casts it to floats
        elif bound.dtype == "float32" and kind != onnx.TensorProto.FLOAT:
            given = fresh(f"{bound.value}_float")
            made.append(onnx.helper.make_node("Cast", [given], [bound.value], name=f"{given}_cast", to=kind))
            kind = onnx.TensorProto.FLOAT
        if bound.nhwc:
            name = fresh(f"{bound.value}_nchw")
            made.insert(0, onnx.helper.make_node("Transpose", [name], [given], name=f"{name}_to_nhwc", perm=TO_NHWC))
            given = name
        values.append(onnx.helper.make_tensor_value_info(given, kind, bound.shape))
    stored = {tensor.name for tensor in graph.initializer}
    kept = [onnx.ValueInfoProto.FromString(v.SerializeToString()) for v in graph.input if v.name in stored]
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in graph.node]
    del graph.input[:]
    del graph.node[:]
    graph.input.extend((*values, *kept))
    graph.node.extend((*made, *nodes))


def _turn_outputs(
    graph: GraphProto, outputs: Sequence[BoundOutput], shapes: Mapping[str, Sequence[int]], nhwc: set[str]
) -> None:
    import onnx

    kinds = {value.name: value.type.tensor_type.elem_type for value in graph.output}
    del graph.output[:]
    for bound in outputs:
        name, shape, kind = bound.value, list(shapes[bound.name]), kinds[bound.value]
        if kind in (onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE):
            graph.node.append(
                onnx.helper.make_node(
                    "Cast", [name], [f"{name}_float"], name=f"{name}_to_float", to=onnx.TensorProto.FLOAT
                )
            )
            name, kind = f"{name}_float", onnx.TensorProto.FLOAT
        if bound.name in nhwc:
            shape = [shape[i] for i in TO_NCHW]
            turned = f"{bound.value}_nchw"
            graph.node.append(
                onnx.helper.make_node("Transpose", [name], [turned], name=f"{turned}_from_nhwc", perm=TO_NCHW)
            )
            name = turned
        graph.output.append(onnx.helper.make_tensor_value_info(name, kind, shape))


def merge_transposes(model: ModelProto) -> ModelProto:
    """A Transpose of a Transpose is one, and none where they undo each other: the borders meet the graph's own here."""
    graph = model.graph
    made = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        before = made.get(node.input[0]) if node.op_type == "Transpose" else None
        if before is None or before.op_type != "Transpose":
            continue
        first, second = _order(before), _order(node)
        if first is None or second is None:
            continue
        merged = [first[i] for i in second]
        node.input[0] = before.input[0]
        del node.attribute[:]
        if merged == sorted(merged):
            node.op_type = "Identity"
        else:
            attribute = node.attribute.add()
            attribute.name, attribute.type = "perm", 7  # INTS
            attribute.ints.extend(merged)
    used = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    for node in [n for n in graph.node if n.op_type == "Transpose" and n.output[0] not in used]:
        graph.node.remove(node)
    return model


def _order(node: object) -> list[int] | None:
    return next((list(a.ints) for a in node.attribute if a.name == "perm"), None)  # type: ignore[attr-defined]
