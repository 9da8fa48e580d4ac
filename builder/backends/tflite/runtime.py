"""LiteRT on this machine: running an artifact, and what its XNNPACK delegate takes of it."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.backends.tflite.flatbuffer import load_model
from builder.backends.tflite.graph import ACTIVATION, Graph, Op, read_graph
from builder.backends.tflite.macs import count_op_macs
from builder.bundle import Binding, Coverage
from builder.bundle.tensors import from_artifact, to_artifact
from builder.errors import MissingToolError, VerificationError

if TYPE_CHECKING:
    from builder.graph.tensors import Tensors


def describe_runtime() -> str:
    return f"LiteRT {metadata.version('ai-edge-litert')} (XNNPACK)"


class LiteRtRunner:
    """An artifact in LiteRT's interpreter with its default delegate, XNNPACK."""

    def __init__(self, path: Path, inputs: tuple[Binding, ...], outputs: tuple[Binding, ...], threads: int) -> None:
        self._interpreter = _interpreter(path, threads)
        self._path = path
        self._inputs = [(binding, self._interpreter.get_input_details()[binding.index]["index"]) for binding in inputs]
        self._outputs = [
            (binding, self._interpreter.get_output_details()[binding.index]["index"]) for binding in outputs
        ]

    def __call__(self, inputs: Tensors) -> Tensors:
        """Logical tensors in, logical tensors out. Raises VerificationError when the runtime refuses."""
        try:
            for binding, tensor in self._inputs:
                self._interpreter.set_tensor(tensor, to_artifact(inputs[binding.name], binding))
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise VerificationError(
                f"{self._path.name} does not run in {describe_runtime()} ({error}); change the plan of the layers it names."
            ) from error
        return {
            binding.name: from_artifact(self._interpreter.get_tensor(tensor), binding)
            for binding, tensor in self._outputs
        }


def describe_xnnpack_coverage(path: Path) -> Coverage:
    """What XNNPACK takes, as the runtime decides it: the graph after its delegate has been applied."""
    graph = read_graph(load_model(path))
    nodes = _interpreter(path, threads=1)._get_ops_details()
    delegates = [node for node in nodes if node["op_name"] == "DELEGATE"]
    taken: set[int] = set()
    for node in delegates:
        taken |= _inside(graph, [int(i) for i in node["inputs"]], [int(i) for i in node["outputs"]])
    left = tuple(describe(graph, op) for op in graph.ops if op.index not in taken)
    macs = {op.index: count_op_macs(graph, op) for op in graph.ops}
    return Coverage(
        delegate="xnnpack",
        source="runtime",
        delegated_ops=len(taken),
        total_ops=len(graph.ops),
        subgraphs=len(delegates),
        left=left,
        delegated_macs=sum(macs[index] for index in taken),
        total_macs=sum(macs.values()),
    )


def describe(graph: Graph, op: Op) -> str:
    """`MIRROR_PAD mirror_pad_3 after block_a.0`: the nearest layer before it, by the name that its output has in the file.

    Without one it is `LESS less of input style`.
    """
    producers = graph.producers()
    todo, seen, given = [op], {op.index}, ""
    while todo:
        current = todo.pop(0)
        for index in current.inputs:
            before = producers.get(index)
            if index in graph.inputs and not given:
                given = f" of input {graph.tensors[index].name}"
            if before is None or before.index in seen:
                continue
            if before.name in ACTIVATION:
                return f"{op.name} {graph.tensors[op.outputs[0]].name} after {graph.tensors[before.outputs[0]].name}"
            seen.add(before.index)
            todo.append(before)
    return f"{op.name} {graph.tensors[op.outputs[0]].name}{given}"


def _inside(graph: Graph, inputs: list[int], outputs: list[int]) -> set[int]:
    """The ops that a delegate's node stands for: all between its outputs and its inputs."""
    producers = graph.producers()
    tensors: set[int] = set()
    reached = set(inputs)
    todo = list(outputs)
    while todo:
        tensor = todo.pop()
        if tensor in reached or tensor < 0:
            continue
        reached.add(tensor)
        op = producers.get(tensor)
        if op is not None:
            tensors.add(op.index)
            todo.extend(op.inputs)
    return tensors


def _interpreter(path: Path, threads: int) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise MissingToolError("LiteRT is not installed; run: pip install ai-edge-litert") from error
    try:
        interpreter = Interpreter(model_path=str(path), num_threads=threads)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise VerificationError(
            f"{path.name} does not load in {describe_runtime()} ({error}); change the plan of the layers it names."
        ) from error
    return interpreter
