"""LSTM and GRU over a sequence, as torch has them; `recurrences` writes out their steps before any backend sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.sources.network import Call, Operand, Weight
from builder.sources.onnx.graph import Importer, Node

if TYPE_CHECKING:
    from torch import Tensor

# Where torch's gates stand among ONNX's: input, forget, cell, output from iofc; reset, update, new from zrh.
_GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2)}
_USUAL = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh")}


def _recurrent(node: Node) -> Call:
    """X [time, batch, in], W and R [directions, gates * hidden, ...], B [directions, 2 * gates * hidden]. Y is [time, directions, batch, hidden]."""
    import torch

    _require_usual(node)
    hidden, direction = node.integer("hidden_size"), node.text("direction", "forward")
    directions = 2 if direction == "bidirectional" else 1
    order = torch.cat([torch.arange(gate * hidden, (gate + 1) * hidden) for gate in _GATES[node.op]])
    weights = _list_weights(node, order, directions)
    states = [n for n in (5, 6) if node.has(n)] if node.op == "LSTM" else [n for n in (5,) if node.has(n)]
    batch, wanted = node.shape()[1], 2 if node.op == "LSTM" else 1

    def run(x: Tensor, *given: Tensor) -> Any:
        params, start = given[: len(weights)], list(given[len(weights) :])
        start = start or [x.new_zeros(directions, batch, hidden) for _ in range(wanted)]
        x = x.flip(0) if direction == "reverse" else x
        options = (bool(node.has(3)), 1, 0.0, False, directions == 2, False)
        if node.op == "LSTM":
            y, *last = torch.lstm(x, start, params, *options)
        else:
            y, *last = torch.gru(x, start[0], params, *options)
        y = y.flip(0) if direction == "reverse" else y
        y = y.reshape(y.shape[0], batch, directions, hidden).transpose(1, 2)
        results = (y, *last)[: len(node.outputs)]
        return results[0] if len(results) == 1 else results

    return Call(function=run, operands=(node.inputs[0], *weights, *(node.inputs[number] for number in states)))


def _list_weights(node: Node, order: Tensor, directions: int) -> list[Operand]:
    """torch's own order: for each direction the weights of input and state, then their biases. Raises UnsupportedOperation for computed ones."""
    weight, state, bias = (node.constant(number) for number in (1, 2, 3))
    if weight is None or state is None or (node.has(3) and bias is None):
        raise node.refuse("computes its weights", "store them in the file")
    made: list[Operand] = []
    for number in range(directions):
        parts: Sequence[tuple[str, Tensor, str]] = [
            ("weight_ih", weight[number], node.inputs[1]),
            ("weight_hh", state[number], node.inputs[2]),
        ]
        if bias is not None:
            for_input, for_state = bias[number].chunk(2)
            parts = [*parts, ("bias_ih", for_input, node.inputs[3]), ("bias_hh", for_state, node.inputs[3])]
        suffix = "_reverse" if number else ""
        made += [
            Weight(
                role=f"{role}{suffix}", value=value[order].contiguous(), origin=f"{origin}.{role}{suffix}", form="other"
            )
            for role, value, origin in parts
        ]
    return made


def _require_usual(node: Node) -> None:
    """Raises UnsupportedOperation for a form that torch has no layer for."""
    functions = [str(f.decode() if isinstance(f, bytes) else f).lower() for f in node.attributes.get("activations", ())]
    usual = list(_USUAL[node.op]) * (2 if node.text("direction", "forward") == "bidirectional" else 1)
    if functions and functions != usual:
        raise node.refuse(f"has the activations {', '.join(functions)}", f"take {', '.join(_USUAL[node.op])}")
    if node.attributes.get("clip") is not None or node.attributes.get("input_forget") or node.integer("layout", 0):
        raise node.refuse("clips, couples gates or has batches first", "export it from torch.nn or Keras")
    if node.op == "GRU" and not node.integer("linear_before_reset", 0):
        raise node.refuse(
            "resets before its matrix product", "export it from torch.nn.GRU, or Keras' GRU with reset_after"
        )
    if node.op == "LSTM" and node.has(7):
        raise node.refuse("has peepholes", "take an LSTM without them")
    lengths = node.read_ints(4, "lengths")
    if lengths is not None and set(lengths) != {node.shape()[0]}:
        raise node.refuse("has sequences of several lengths", "export it for one length")


OPS: dict[str, Importer] = {"LSTM": _recurrent, "GRU": _recurrent}
