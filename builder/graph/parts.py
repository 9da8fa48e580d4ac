"""A beginning of an exported program as a network of its own, single results of it given as inputs."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from builder.bundle import TensorSpec
from builder.graph.model import Model
from builder.precision.layers import list_layers

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

_TYPES = ("float32", "int32", "int64")


def cut_part(program: ExportedProgram, count: int, given: Collection[str] = ()) -> Model | None:
    """The first `count` operators; its outputs are what the others read. None where nothing of it depends on an input.

    The results of the operators named in `given` come in as inputs.
    """
    module: Any = program.module(check_guards=False)
    graph = module.graph
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    output = next(node for node in graph.nodes if node.op == "output")
    finals = list(output.all_input_nodes)
    calls = [node for node in graph.nodes if node.op == "call_function"]
    entered: list[Node] = []
    given = {*given, *(user.name for node in calls if node.name in given for user in list_parts(node))}
    for node in [node for node in calls[:count] if node.name in given and _is_tensor(values.get(node.name))]:
        with graph.inserting_before(next(iter(graph.nodes))):
            entry = graph.placeholder(f"given_{len(entered)}")
        entered.append(entry)
        values[entry.name] = values[node.name]
        node.replace_all_uses_with(entry)
        finals = [entry if final is node else final for final in finals]
    kept = {node for node in graph.nodes if node.op != "output"} - set(calls[count:])
    read = [
        node
        for node in graph.nodes
        if node in kept and (node in finals or any(user not in kept for user in node.users))
    ]
    ends = [
        node
        for node in read
        if node.op == "call_function" and node.name not in given and _is_tensor(values.get(node.name))
    ]
    ends = [node for node in ends if _depends(node)]
    if not ends:
        return None
    return _export(module, ends, values)


def place_side_by_side(program: ExportedProgram, names: Collection[str]) -> Model | None:
    """The operators of these names, each on inputs of its own; weights stay weights. None where one has an input of a rare type."""
    module: Any = program.module(check_guards=False)
    graph = module.graph
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    ends: list[Node] = []
    count = 0
    for node in [node for node in graph.nodes if node.op == "call_function" and node.name in names]:
        for source in list(node.all_input_nodes):
            if source.op == "get_attr" or not _depends(source):
                continue
            if not _is_tensor(values.get(source.name)):
                return None
            with graph.inserting_before(next(iter(graph.nodes))):
                entry = graph.placeholder(f"given_{count}")
            count += 1
            values[entry.name] = values[source.name]
            node.replace_input_with(source, entry)
        ends += [end for end in list_parts(node) or [node] if _is_tensor(values.get(end.name)) and _depends(end)]
    return _export(module, ends, values) if ends else None


def list_parts(node: Node) -> list[Node]:
    """What takes the single results of an operator that has several."""
    return [user for user in node.users if "getitem" in str(user.target)]


def _export(module: Any, ends: list[Node], values: dict[str, Any]) -> Model:
    """What gives these results, as a network of its own."""
    import torch

    graph = module.graph
    output = next(node for node in graph.nodes if node.op == "output")
    with graph.inserting_before(output):
        graph.output(tuple(ends))
    graph.erase_node(output)
    graph.eliminate_dead_code()
    entries = [node for node in graph.nodes if node.op == "placeholder"]
    for node in [node for node in entries if not node.users]:
        graph.erase_node(node)
        entries.remove(node)
    _in_front(graph, entries)
    entries = [node for node in graph.nodes if node.op == "placeholder"]
    plain = torch.fx.GraphModule(module, graph)
    samples = tuple(_zeros(values[node.name]) for node in entries)
    with torch.no_grad():
        made = torch.export.export(plain.eval(), samples)
    return Model(
        program=made,
        inputs=tuple(_spec(f"input_{number}", sample) for number, sample in enumerate(samples)),
        outputs=tuple(_spec(f"output_{number}", values[node.name]) for number, node in enumerate(ends)),
        layers=list_layers(made),
    )


def _in_front(graph: Any, entries: list[Node]) -> None:
    """Inputs first, and no code of torch's own for inputs and outputs, which has theirs of before."""
    import torch

    first = next(iter(graph.nodes))
    for node in entries:
        if node is not first:
            first.prepend(node)
    graph.set_codegen(torch.fx.graph.CodeGen())


def _depends(node: Node) -> bool:
    """Whether an input reaches it."""
    todo, seen = [node], {node}
    while todo:
        current = todo.pop()
        if current.op == "placeholder":
            return True
        new = [source for source in current.all_input_nodes if source not in seen]
        seen.update(new)
        todo += new
    return False


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "shape") and str(value.dtype).removeprefix("torch.") in _TYPES


def _zeros(value: Any) -> Any:
    import torch

    return torch.zeros(tuple(int(size) for size in value.shape), dtype=value.dtype)


def _spec(name: str, value: Any) -> TensorSpec:
    return TensorSpec.model_validate(
        {
            "name": name,
            "kind": "tensor",
            "shape": tuple(int(size) for size in value.shape),
            "dtype": str(value.dtype).removeprefix("torch."),
        }
    )
