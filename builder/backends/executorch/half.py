"""The whole network in float16 between float32 borders, or single layers and norms between casts, and float16 weights in the file.

ExecuTorch's own lowering keeps the weights of float16 convolutions as float32 in XNNPACK's payload, though the runtime takes
float16 ones: the same results from half the bytes.
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from builder.errors import ConversionError
from builder.graph.model import Model
from builder.precision.activations import CALLS
from builder.precision.norms import find_norm
from builder.precision.program import in_list

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

_CONVOLUTION = "aten.convolution.default"


def in_half(model: Model) -> ExportedProgram:
    """The program with float16 weights and arithmetic; its inputs and outputs keep their types. Raises ConversionError."""
    import torch

    keep_half_weights()
    module: Any = copy.deepcopy(model.program.module(check_guards=False))  # it shares its weights with the program
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if tensor.is_floating_point():
            _require_half(name, tensor)
    module.half()
    _change_types(module)
    samples = tuple(torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype)) for spec in model.inputs)
    return torch.export.export(_with_borders(module, model), samples)


def halve_layers(module: GraphModule, model: Model, names: Collection[str]) -> None:
    """The calls of these layers and the operators of these norms in float16, between casts; everything else stays as it is.

    The casts are ExecuTorch's own kernels: each such part ends one of XNNPACK's graphs and begins another. Parts that follow
    one another have none between them. Raises ConversionError for weights that float16 cannot hold.
    """
    import torch

    keep_half_weights()
    weights = {layer.weight for layer in model.layers.layers if layer.name in names}
    graph = module.graph
    calls = [node for node in graph.nodes if node.op == "call_function"]
    half = {node for node in calls if find_norm(node) in names or _is_call(node, weights)}
    cast: dict[Node, Node] = {}  # what float16 parts read from outside

    def look_up(argument: Any) -> Any:
        if not isinstance(argument, torch.fx.Node):
            return torch.float16 if argument is torch.float32 else argument
        if argument not in half and argument not in cast:
            cast[argument] = _as_half(module, argument)
        return cast.get(argument, argument)

    for node in calls:
        if node not in half:
            continue
        with graph.inserting_before(node):
            node.args = torch.fx.node.map_aggregate(node.args, look_up)
            node.kwargs = torch.fx.node.map_aggregate(node.kwargs, look_up)
        if any(user not in half for user in node.users):
            with graph.inserting_after(node):
                back = graph.call_function(torch.ops.aten.to.dtype, (node, torch.float32))
            outside = [user for user in node.users if user is not back and user not in half]
            for user in outside:
                user.replace_input_with(node, back)
    graph.eliminate_dead_code()
    module.delete_all_unused_submodules()
    module.recompile()


def _is_call(node: Node, weights: Collection[str]) -> bool:
    """Whether an operator is a layer with one of these weights."""
    return str(node.target) in CALLS and str(getattr(node.args[1], "target", "")) in weights


def _as_half(module: GraphModule, node: Node) -> Node:
    """A weight or bias as a float16 parameter of its own; what is computed is cast."""
    import torch

    if node.op != "get_attr":
        return module.graph.call_function(torch.ops.aten.to.dtype, (node, torch.float16))
    name = str(node.target)
    own = f"half_{name.replace('.', '_')}"
    if not hasattr(module, own):
        tensor = attrgetter(name)(module)
        _require_half(name, tensor)
        module.register_parameter(own, torch.nn.Parameter(tensor.detach().half(), requires_grad=False))
    return module.graph.get_attr(own)


def _require_half(name: str, tensor: torch.Tensor) -> None:
    import torch

    if not bool(torch.isfinite(tensor.detach().half()).all()):
        raise ConversionError(
            f"{name!r} has values beyond the largest float16 number (65504); use fp32 for it, or scale them down."
        )


def _change_types(module: GraphModule) -> None:
    """float32 written into the graph itself becomes float16: constants outside the parameters, and arguments of ops."""
    import torch

    def halve_type(argument: Any) -> Any:
        return torch.float16 if argument is torch.float32 else argument

    for node in list(module.graph.nodes):
        if node.op == "get_attr":
            owner: Any = module
            *path, last = str(node.target).split(".")
            for part in path:
                owner = getattr(owner, part)
            tensor = getattr(owner, last)
            if isinstance(tensor, torch.Tensor) and tensor.dtype == torch.float32:
                setattr(owner, last, tensor.half())
        elif "_assert_tensor_metadata" in str(node.target):
            module.graph.erase_node(node)  # it asserts the types of before
        else:
            node.args = torch.fx.node.map_aggregate(node.args, halve_type)
            node.kwargs = torch.fx.node.map_aggregate(node.kwargs, halve_type)
    module.recompile()


def _with_borders(module: GraphModule, model: Model) -> torch.nn.Module:
    import torch

    outputs = model.outputs

    class Bordered(torch.nn.Module):
        """Casts at the inputs and outputs; tensors of integers pass."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
            results = self.inner(*(tensor.half() if tensor.is_floating_point() else tensor for tensor in tensors))
            pairs = zip(in_list(results), outputs, strict=True)
            return tuple(result.to(getattr(torch, spec.dtype)) for result, spec in pairs)

    return Bordered()


def keep_half_weights() -> None:
    """Have XNNPACK's payload made with float16 weights left as they are, by ExecuTorch's table of node visitors.

    A visitor is what writes one operator; this one differs from the stock one for float16 weights only.
    """
    import torch
    from executorch.backends.xnnpack import operators  # noqa: F401  (fills the table)
    from executorch.backends.xnnpack.operators import node_visitor

    stock: Any = node_visitor._node_visitor_dict[_CONVOLUTION]
    if stock.__name__ == "HalfConv2d":
        return

    class HalfConv2d(stock):  # type: ignore[misc]
        transposed = False

        def define_node(self, node: Any, *args: Any, **kwargs: Any) -> None:
            self.transposed = bool(node.args[6])  # XNNPACK's deconvolution takes its weights as float32 only
            super().define_node(node, *args, **kwargs)

        def define_tensor(self, tensor: Any, *args: Any, **kwargs: Any) -> None:
            is_half = getattr(tensor.meta.get("val"), "dtype", None) == torch.float16
            if kwargs.get("force_fp32") and is_half and not self.transposed:
                kwargs["force_fp32"] = False
            super().define_tensor(tensor, *args, **kwargs)

    node_visitor.register_node_visitor(HalfConv2d)
