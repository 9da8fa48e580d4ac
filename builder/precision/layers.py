"""The layer table: every layer of a source network that holds weights, by the one name all backends are mapped to; and its norms.

The name is the torch module name (FQN) as it stands in the exported program's parameter names: it survives re-export,
`.pt2` files and graph rewrites, where module stacks do not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from builder.precision.norms import NormCall, find_norm_calls
from builder.precision.products import ProductCall, find_product_calls
from builder.precision.program import find_keys_of_stored
from builder.precision.quantizers import before_quantizers, is_trained

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

LayerOp = Literal["conv2d", "depthwise_conv2d", "conv_transpose2d", "linear", "norm"]
RowOp = Literal[LayerOp, "product"]

_CONV = ("aten.conv2d.default", "aten.conv2d.padding")
_TRANSPOSE = ("aten.conv_transpose2d.input",)
_LINEAR = ("aten.linear.default",)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer. `weight` and `bias` are state-dict keys; `uses` counts the calls (tied weights are called more than once).

    `macs` are multiply-accumulates of one inference over all uses; `weight_shape` is torch's (out, in/groups, kh, kw).
    A norm's `weight` is empty where it has none, and its macs count as none. A product has none: matrix products, attention.
    `trained`: its checkpoint has integers for it (`as_trained`).
    `first`: no other layer comes before it on any way from an input; `last`: none comes after it on any way to an output.
    """

    name: str
    op: RowOp
    weight: str
    bias: str | None
    weight_shape: tuple[int, ...]
    params: int
    macs: int
    uses: int
    first: bool = False
    last: bool = False
    trained: bool = False


@dataclass(frozen=True, kw_only=True)
class LayerTable:
    """Layers in order of execution; norms stand beside them, since a plan need not give them a scheme, and products, which no plan does."""

    layers: tuple[Layer, ...]
    norms: tuple[Layer, ...] = ()
    products: tuple[Layer, ...] = ()

    @property
    def rows(self) -> tuple[Layer, ...]:
        """Layers, then norms: what rules can name."""
        return (*self.layers, *self.norms)

    @property
    def all_rows(self) -> tuple[Layer, ...]:
        """Layers, norms, then products: everything that multiplies and accumulates."""
        return (*self.rows, *self.products)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(row.macs for row in self.all_rows)

    def names(self) -> list[str]:
        return [layer.name for layer in self.layers]

    @property
    def trained(self) -> bool:
        """Whether the checkpoint was trained for integers."""
        return any(layer.trained for layer in self.layers)

    def __getitem__(self, name: str) -> Layer:
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)


def list_layers(program: ExportedProgram) -> LayerTable:
    """Layers and norms of an exported program (batch norms already folded)."""
    parameters = find_keys_of_stored(program)
    calls = {node: layer for node in program.graph.nodes if (layer := _layer(node, parameters)) is not None}
    after, before_others = _downstream(program, calls), _upstream(program, calls)
    layers: dict[str, Layer] = {}
    for node, call in calls.items():
        layer = replace(call, first=node not in after, last=node not in before_others)
        before = layers.get(layer.name)
        if before is None:
            layers[layer.name] = layer
        else:  # the same weights used again: one layer, all its work
            layers[layer.name] = _merge(before, layer)
    norms: dict[str, Layer] = {}
    for norm in find_norm_calls(program, layers):
        row = _norm(norm, program)
        norms[row.name] = _merge(norms[row.name], row) if row.name in norms else row
    products: dict[str, Layer] = {}
    for product in find_product_calls(program, calls):
        row = _product(product)
        products[row.name] = _merge(products[row.name], row) if row.name in products else row
    return LayerTable(layers=tuple(layers.values()), norms=tuple(norms.values()), products=tuple(products.values()))


def _product(call: ProductCall) -> Layer:
    return Layer(
        name=call.name, op="product", weight="", bias=None, weight_shape=(0,), params=0, macs=call.macs, uses=1
    )


def _norm(call: NormCall, program: ExportedProgram) -> Layer:
    keys = [key for key in (call.weight, call.bias) if key is not None]
    shape = tuple(int(size) for size in program.state_dict[call.weight].shape) if call.weight is not None else (0,)
    return Layer(
        name=call.name,
        op="norm",
        weight=call.weight or "",
        bias=call.bias,
        weight_shape=shape,
        params=sum(int(program.state_dict[key].numel()) for key in keys),
        macs=0,
        uses=1,
    )


def _merge(first: Layer, again: Layer) -> Layer:
    return replace(
        first,
        bias=first.bias or again.bias,
        macs=first.macs + again.macs,
        uses=first.uses + 1,
        first=first.first or again.first,
        last=first.last or again.last,
    )


def _downstream(program: ExportedProgram, calls: dict[Node, Layer]) -> set[Node]:
    """Nodes whose value depends on a layer's output."""
    reached: set[Node] = set()
    for node in program.graph.nodes:
        if any(source in calls or source in reached for source in node.all_input_nodes):
            reached.add(node)
    return reached


def _upstream(program: ExportedProgram, calls: dict[Node, Layer]) -> set[Node]:
    """Nodes whose value a layer depends on."""
    reached: set[Node] = set()
    for node in reversed(list(program.graph.nodes)):
        if any(user in calls or user in reached for user in node.users):
            reached.add(node)
    return reached


def _layer(node: Node, parameters: dict[str, str]) -> Layer | None:
    target = str(node.target)
    if node.op != "call_function" or target not in (*_CONV, *_TRANSPOSE, *_LINEAR):
        return None
    weight = parameters.get(getattr(before_quantizers(node.args[1]), "name", ""))
    if weight is None:
        return None  # a computed weight belongs to no layer; it is a product, and stays float
    bias_node = node.args[2] if len(node.args) > 2 else None
    bias = parameters.get(getattr(bias_node, "name", ""))
    shape = tuple(int(size) for size in node.args[1].meta["val"].shape)  # type: ignore[union-attr]
    out = tuple(int(size) for size in node.meta["val"].shape)
    op: LayerOp
    if target in _LINEAR:
        op, macs = "linear", math.prod(out) * shape[1]
    elif target in _TRANSPOSE:
        source = tuple(int(size) for size in node.args[0].meta["val"].shape)  # type: ignore[union-attr]
        op, macs = "conv_transpose2d", math.prod(source) * math.prod(shape[1:])
    else:
        groups = int(node.args[6]) if len(node.args) > 6 else 1  # type: ignore[arg-type]
        op = "depthwise_conv2d" if groups > 1 and shape[1] == 1 and groups == shape[0] else "conv2d"
        macs = math.prod(out) * math.prod(shape[1:])
    return Layer(
        name=weight.removesuffix(".weight"),
        op=op,
        weight=weight,
        bias=bias,
        weight_shape=shape,
        params=math.prod(shape) + (shape[0] if bias else 0),
        macs=macs,
        uses=1,
        trained=is_trained(node),
    )
