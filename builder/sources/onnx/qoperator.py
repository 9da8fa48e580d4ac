"""Files in the QOperator format as ONNX Runtime's quantizer writes them: each operator on integers as the same between quantizers (QDQ).

The operators: `QLinearConv` and `QLinearMatMul` of ONNX, and those of ONNX Runtime's own domain
(https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.errors import UnsupportedOperation

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

MICROSOFT = "com.microsoft"
# Operators of the one form: values each with scale and zero point, then those of the result.
PLAIN = {
    "QLinearAdd": "Add", "QLinearMul": "Mul", "QLinearSigmoid": "Sigmoid", "QLinearLeakyRelu": "LeakyRelu", "QLinearSoftmax": "Softmax",
    "QLinearAveragePool": "AveragePool", "QLinearGlobalAveragePool": "GlobalAveragePool", "QLinearMatMul": "MatMul",
}  # fmt: skip
OTHERS = ("QLinearConv", "QLinearConcat", "QGemm")


def has_integer_operators(model: ModelProto) -> bool:
    return any(node.op_type in PLAIN or node.op_type in OTHERS for node in model.graph.node)


def in_quantizers(model: ModelProto) -> ModelProto:
    """The model with every such operator between quantizers. Raises UnsupportedOperation for a form that has no float operator."""
    import onnx

    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    nodes = list(graph.node)
    del graph.node[:]
    rewriter = _Rewriter(graph)
    for node in nodes:
        if node.op_type in PLAIN or node.op_type in OTHERS:
            rewriter.rewrite(node)
        else:
            graph.node.append(node)
    for entry in [entry for entry in changed.opset_import if entry.domain == MICROSOFT]:
        changed.opset_import.remove(entry)
    return changed


class _Rewriter:
    def __init__(self, graph: GraphProto) -> None:
        self.graph = graph
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.count = 0

    def rewrite(self, node: NodeProto) -> None:
        inputs, kind = list(node.input), node.op_type
        attributes = {a.name: a for a in node.attribute if a.name != "channels_last"}
        if any(a.name == "channels_last" and a.i for a in node.attribute):
            raise UnsupportedOperation(
                f"node {node.name!r} ({kind}) has its channels last, which is not supported; quantize the file without the NHWC transformer."
            )
        if kind == "QLinearConcat":
            result, rest = inputs[:2], inputs[2:]
            values = [self._floats(rest[at : at + 3]) for at in range(0, len(rest), 3)]
            self._add("Concat", values, node, result, attributes)
        elif kind == "QLinearConv":
            values = [self._floats(inputs[:3]), self._floats(inputs[3:6], axis=0)]
            values += [self._bias(inputs[8], inputs[1], inputs[4], node)] if len(inputs) > 8 and inputs[8] else []
            self._add("Conv", values, node, inputs[6:8], attributes)
        elif kind == "QGemm":
            axis = 0 if "transB" in attributes and attributes["transB"].i else 1
            values = [self._floats(inputs[:3]), self._floats(inputs[3:6], axis=axis)]
            values += [self._bias(inputs[6], inputs[1], inputs[4], node)] if inputs[6] else []
            self._add("Gemm", values, node, inputs[7:9], attributes)
        else:
            count = (len(inputs) - 2) // 3
            axis = self._columns(inputs[3]) if kind == "QLinearMatMul" else 0
            values = [self._floats(inputs[at * 3 : at * 3 + 3], axis=axis if at else 0) for at in range(count)]
            self._add(PLAIN[kind], values, node, inputs[count * 3 : count * 3 + 2], attributes)

    def _add(
        self, kind: str, values: Sequence[str], node: NodeProto, result: Sequence[str], attributes: dict[str, Any]
    ) -> None:
        """The float operator on these values, and the quantizer of its result, which a scale is missing for where it stays float."""
        from onnx import helper

        floats = bool(result) and bool(result[0])
        between = self._name(node.output[0]) if floats else node.output[0]
        made = helper.make_node(kind, list(values), [between], name=node.name)
        made.attribute.extend(attributes.values())
        self.graph.node.append(made)
        if floats:
            self.graph.node.append(
                helper.make_node("QuantizeLinear", [between, *[name for name in result if name]], [node.output[0]])
            )

    def _floats(self, quantized: Sequence[str], axis: int = 0) -> str:
        """The value of an operand as floats."""
        from onnx import helper

        name = self._name(quantized[0])
        self.graph.node.append(helper.make_node("DequantizeLinear", [n for n in quantized if n], [name], axis=axis))
        return name

    def _bias(self, bias: str, scale_of_input: str, scale_of_weights: str, node: NodeProto) -> str:
        """A bias of 32 bits is stored times the scales of input and weights."""
        from onnx import numpy_helper

        names = (bias, scale_of_input, scale_of_weights)
        if not set(names) <= self.constants.keys():
            raise UnsupportedOperation(
                f"node {node.name!r} ({node.op_type}) computes its bias or scales, which is not supported; quantize it statically."
            )
        stored, x, w = (numpy_helper.to_array(self.constants[name]) for name in names)
        name = self._name(bias)
        self.graph.initializer.append(numpy_helper.from_array((stored * (x * w)).astype("float32"), name))
        return name

    def _columns(self, name: str) -> int:
        """The axis of a matrix's columns."""
        return len(self.constants[name].dims) - 1 if name in self.constants else 1

    def _name(self, beside: str) -> str:
        self.count += 1
        return f"{beside}__float_{self.count}"
