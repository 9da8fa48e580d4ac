"""From a checked, simplified ONNX graph to a torch module whose parameters are named by its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from builder.errors import SourceError, find_reason
from builder.precision.program import in_list
from builder.sources.network import Call, Imported, Operand, Rounding, Step, Weight
from builder.sources.onnx.graph import Node, Values
from builder.sources.onnx.names import NAME_SCOPES, make_dotted, name_layer
from builder.sources.onnx.ops import import_node
from builder.sources.onnx.roundings import carry_rounding, of_operand

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto
    from torch import Tensor


def import_graph(model: ModelProto, samples: Mapping[str, Tensor]) -> Imported:
    """Import every node, running it once on `samples` (by graph input) to know all shapes; what needs no input is folded.

    Raises UnsupportedOperation, and SourceError naming the node that rejects the samples' shapes.
    """
    import torch

    builder = _Builder(model, samples)
    with torch.no_grad():
        for number, node in enumerate(model.graph.node):
            builder.add(node, number)
    return builder.finish()


class _Builder:
    def __init__(self, model: ModelProto, samples: Mapping[str, Tensor]) -> None:
        from builder.sources.onnx.read import read_opset

        self.values = Values(samples=dict(samples))
        self.opset = read_opset(model)
        for tensor in model.graph.initializer:
            self.values.constants[tensor.name] = to_torch(tensor)
        self.inputs = tuple(samples)
        self.outputs = tuple(value.name for value in model.graph.output)
        self.steps: list[Step] = []
        self.stored: dict[str, str] = {}  # value name -> parameter name
        self.tensors: dict[str, Tensor] = {}  # parameter name -> tensor
        self.absorbed: set[str] = set()  # outputs of additions that became the bias of a layer
        self.additions = _find_bias_additions(model)
        self.layers: dict[str, str] = {}  # layer name -> the initializer of its weight
        self.roundings: dict[str, Rounding] = {}  # parameter name -> the file's integers
        self.unrounded: list[str] = []

    def add(self, proto: NodeProto, number: int) -> None:
        if proto.output[0] in self.absorbed:
            return
        node = Node(
            op=proto.op_type,
            name=proto.name or f"{proto.op_type}_{number}",
            inputs=tuple(proto.input),
            outputs=tuple(proto.output),
            attributes={a.name: _attribute(a) for a in proto.attribute},
            opset=self.opset,
            values=self.values,
        )
        node, call = self._with_bias(node, import_node(node))
        folded = all(not isinstance(o, str) or o in self.values.constants for o in call.operands)
        values = [self._value(operand) for operand in call.operands]
        try:
            result = call.function(*values)
        except (RuntimeError, ValueError, IndexError, TypeError, AssertionError) as error:
            shapes = ", ".join(str(list(v.shape)) for v in values if v is not None)
            raise SourceError(
                f"node {node.name!r} ({node.op}) rejects inputs of shapes {shapes}: {find_reason(error)}; "
                "correct 'shape' of the inputs in builder.toml, or the exported graph."
            ) from error
        results = in_list(result)
        target = self.values.constants if folded else self.values.samples
        target.update({name: value for name, value in zip(node.outputs, results, strict=False) if name})
        self.values.producers.update(dict.fromkeys(node.outputs, node.op))
        if not folded:
            self._step(node, call, _metadata(proto))
        elif (rounding := carry_rounding(node, call)) is not None:
            self.values.roundings[node.outputs[0]] = rounding
        elif any(name in self.values.roundings for name in node.inputs):
            self.unrounded.append(node.name)

    def _with_bias(self, node: Node, call: Call) -> tuple[Node, Call]:
        """A linear layer whose only use is the addition of a stored vector has it as its bias, and gives what that gave."""
        addition = self.additions.get(node.outputs[0])
        last = call.operands[-1] if call.operands else None
        if node.op != "MatMul" or addition is None or not isinstance(last, Weight):
            return node, call
        output, name = addition
        vector = self.values.constants.get(name)
        if vector is None or vector.shape != last.value.shape[:1]:
            return node, call
        self.absorbed.add(output)
        bias = Weight(role="bias", value=vector, origin=name)
        return replace(node, outputs=(output,)), replace(call, operands=(*call.operands, bias))

    def _value(self, operand: Operand) -> Tensor | None:
        if operand is None:
            return None
        return operand.value if isinstance(operand, Weight) else self.values.tensor(operand)

    def _step(self, node: Node, call: Call, scopes: str | None) -> None:
        weights = [o.origin for o in call.operands if isinstance(o, Weight) and o.origin is not None]
        weights += [o for o in call.operands if isinstance(o, str) and o in self.values.constants]
        has_weight = any(isinstance(o, Weight) and o.role == "weight" for o in call.operands)
        name = make_dotted(name_layer(node.op, node.name, scopes, weights))
        if has_weight:
            name = self._layer(name, weights, node)
        self.steps.append(
            Step(
                node=node.name,
                op=node.op,
                call=call,
                operands=tuple(self._keep_rounding(self._operand(o, name, has_weight), o, node) for o in call.operands),
                outputs=tuple(node.outputs),
            )
        )

    def _layer(self, name: str, weights: Sequence[str], node: Node) -> str:
        """A name that no other layer has; the same weights again are the same layer."""
        first = f"{node.op} {weights[0] if weights else node.name}"
        unique, count = name, 1
        while self.layers.get(unique, first) != first:
            count += 1
            unique = f"{name}_{count}"
        self.layers[unique] = first
        return unique

    def _operand(self, operand: Operand, name: str, layer: bool) -> str | None:
        if operand is None:
            return None
        if isinstance(operand, str):
            if operand in self.values.constants and operand not in self.stored:
                self._store(operand, make_dotted(operand), self.values.constants[operand])
            return operand
        if layer and operand.role in ("weight", "bias", "running_mean", "running_var"):
            key, path = f"{name}.{operand.role} of {operand.origin}", f"{name}.{operand.role}"
        else:
            key, path = f"{name}:{operand.role}:{len(self.tensors)}", f"{name}_{operand.role}"
        if key not in self.stored:
            self._store(key, path, operand.value)
        return key

    def _keep_rounding(self, key: str | None, operand: Operand, node: Node) -> str | None:
        """Keeps what the file's integers of a stored operand are. Returns the key."""
        origin = operand.origin if isinstance(operand, Weight) else operand
        rounding = self.values.roundings.get(origin or "")
        if key is not None and operand is not None and rounding is not None and key in self.stored:
            held = of_operand(rounding, operand, node)
            if held == "lost":
                self.unrounded.append(node.name)
            elif held is not None:
                self.roundings[self.stored[key]] = held
        return key

    def _store(self, key: str, path: str, value: Tensor) -> None:
        import torch

        if value.is_floating_point() and bool(torch.isnan(value).any()):
            raise SourceError(f"the model has NaN values in {path!r}; export it from an earlier checkpoint.")
        unique, count = path, 1
        while unique in self.tensors:
            count += 1
            unique = f"{path}_{count}"
        self.stored[key] = unique
        self.tensors[unique] = value.contiguous()

    def finish(self) -> Imported:
        for name in self.outputs:
            if name in self.values.constants or name in self.inputs:
                raise SourceError(
                    f"the output {name!r} does not depend on the inputs by any operation; export the model again."
                )
        return Imported(
            inputs=self.inputs,
            outputs=self.outputs,
            steps=tuple(self.steps),
            stored=self.stored,
            tensors=self.tensors,
            roundings=self.roundings,
            unrounded=tuple(self.unrounded),
        )


def _find_bias_additions(model: ModelProto) -> dict[str, tuple[str, str]]:
    """By a value that is used once, in an Add: the Add's output, and what is added."""
    uses: dict[str, list[NodeProto]] = {value.name: [] for value in model.graph.output}
    outputs = set(uses)
    for node in model.graph.node:
        for name in node.input:
            uses.setdefault(name, []).append(node)
    additions = {}
    for name, users in uses.items():
        if name not in outputs and len(users) == 1 and users[0].op_type == "Add":
            other = next((other for other in users[0].input if other != name), None)
            if other is not None:
                additions[name] = (users[0].output[0], other)
    return additions


def to_torch(tensor: object) -> Tensor:
    """A TensorProto as a torch tensor of its own memory. Raises SourceError for one whose data do not fill its shape."""
    import torch
    from onnx import numpy_helper

    name = getattr(tensor, "name", "")
    try:
        array = numpy_helper.to_array(tensor)
        return (
            torch.from_numpy(array.copy())
            if array.dtype.name != "bfloat16"
            else torch.from_numpy(array.astype("float32"))
        )
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise SourceError(
            f"the stored tensor {name!r} cannot be read ({find_reason(error)}); export it again."
        ) from error


def _attribute(attribute: Any) -> Any:
    import onnx

    value = onnx.helper.get_attribute_value(attribute)
    return to_torch(value) if isinstance(value, onnx.TensorProto) else value


def _metadata(node: NodeProto) -> str | None:
    return next((entry.value for entry in node.metadata_props if entry.key == NAME_SCOPES), None)
