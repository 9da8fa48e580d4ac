"""`If` whose condition is known once shapes are: the branch that is taken stands in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto


def inline_branches(graph: GraphProto) -> int:
    """Replace every such node of the graph by the nodes of its branch; how many there were. Inner values get names of their own."""
    import onnx

    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            stored[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
    nodes: list[NodeProto] = []
    count = 0
    for node in graph.node:
        if node.op_type != "If" or node.input[0] not in stored:
            nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
            continue
        taken = "then_branch" if bool(stored[node.input[0]].reshape(-1)[0]) else "else_branch"
        branch = next(attribute.g for attribute in node.attribute if attribute.name == taken)
        nodes += _inline(graph, branch, node, count)
        count += 1
    if count:
        del graph.node[:]
        graph.node.extend(nodes)
    return count


def _inline(graph: GraphProto, branch: GraphProto, call: NodeProto, number: int) -> list[NodeProto]:
    """The branch's nodes, whose outputs are those of the call."""
    import onnx

    given = {value.name: output for value, output in zip(branch.output, call.output, strict=True)}
    own = {output for node in branch.node for output in node.output} | {tensor.name for tensor in branch.initializer}
    names = {name: given.get(name, f"{name}_branch_{call.output[0]}_{number}") for name in own if name}
    for tensor in branch.initializer:
        copy = onnx.TensorProto.FromString(tensor.SerializeToString())
        copy.name = names[tensor.name]
        graph.initializer.append(copy)
    made = []
    for node in branch.node:
        copy = onnx.NodeProto.FromString(node.SerializeToString())
        copy.input[:] = [names.get(name, name) for name in node.input]
        copy.output[:] = [names.get(name, name) for name in node.output]
        made.append(copy)
    # A branch may hand on what it was given, or a stored tensor.
    passed = [(value.name, given[value.name]) for value in branch.output if value.name not in own]
    passed += [
        (names[t.name], given[t.name]) for t in branch.initializer if t.name in given and names[t.name] != given[t.name]
    ]
    return [*made, *(onnx.helper.make_node("Identity", [source], [output]) for source, output in passed)]
