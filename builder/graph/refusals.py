"""What no file of any backend can hold, found in the source graph and named by layer and source line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from builder.errors import SourceError
from builder.graph.origins import place
from builder.precision.quantizers import is_quantizer

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

_OURS = ("aten", "prim", "prims", "_operator", "builtins", "operator")
_CONTROL_FLOW = ("cond", "while_loop", "scan", "map", "map_impl", "associative_scan")
# Operators with a mode of training, and the place of the argument that says it.
_MODES = {"dropout": 2, "dropout_": 2, "feature_dropout": 2, "alpha_dropout": 2, "native_dropout": 2, "batch_norm": 5}
_RANDOM = ("rand", "randn", "rand_like", "randn_like", "randint", "bernoulli", "normal", "multinomial")
_DATA_SIZED = ("nonzero", "masked_select", "unique", "_unique2", "item", "_local_scalar_dense")


def refuse_what_no_file_holds(program: ExportedProgram) -> None:
    """Raises SourceError for custom operators, control flow on data, random numbers, results whose size depends on data,
    complex numbers, and for dropout or batch norm in training mode."""
    for node in program.graph.nodes:
        if node.op == "call_function" and (reason := _reason(node)):
            raise SourceError(f"the model has {reason}.")


def refuse_open_sizes(program: ExportedProgram) -> None:
    """Raises SourceError for results whose size depends on data, which no rewrite can read."""
    for node in program.graph.nodes:
        if node.op == "call_function" and _name(node)[1] in _DATA_SIZED and _has_open_size(node.meta.get("val")):
            raise SourceError(f"the model has {_reason(node)}.")


def _has_open_size(value: Any) -> bool:
    values = value if isinstance(value, tuple | list) else (value,)
    return any(not isinstance(size, int) for part in values for size in getattr(part, "shape", ()))


def _reason(node: Node) -> str | None:
    space, name = _name(node)
    where = place(node)
    if space == "higher_order":
        if name in _CONTROL_FLOW:
            return f"control flow on data ({name}){where}; a file holds one way through the network: compute both ways and choose with torch.where"
        return f"the higher-order operator {name!r}{where}, which no backend has; write out what it does"
    if space not in _OURS and not is_quantizer(node):
        return (
            f"the custom operator '{space}::{name}'{where}, which no backend has; write it with torch's own operators"
        )
    if name in _MODES:
        return _explain_mode(name, node)
    if name in _RANDOM:
        return f"random numbers ({name}){where}, which no file repeats; take them as an input"
    if name in _DATA_SIZED:
        return f"a result whose size or value decides the graph ({name}){where}; keep all elements and weigh them by a mask"
    value = node.meta.get("val")
    if getattr(getattr(value, "dtype", None), "is_complex", False):
        # Where only some operators have a real form, `complex` gives back to the others what they read.
        name = (
            next((_name(user)[1] for user in node.users if user.op == "call_function"), name)
            if name == "complex"
            else name
        )
        return (
            f"complex numbers ({name}){where}, which no backend has; compute real and imaginary parts as two channels"
        )
    return None


def _explain_mode(name: str, node: Node) -> str | None:
    """Of an operator that does something else in training; an instance norm, with or without running statistics, is no such."""
    place_of_mode = _MODES[name]
    if len(node.args) <= place_of_mode or not node.args[place_of_mode]:
        return None
    if name == "batch_norm" and node.args[3] is None:
        return (
            f"batch norm without running statistics (track_running_stats=False){place(node)}, which takes them from each picture; use "
            "InstanceNorm2d with affine=True and the same weights, which gives the same for one picture"
        )
    what = "batch norm" if name == "batch_norm" else "dropout"
    return (
        f"{what} in training mode{place(node)}; where forward asks for it, as F.dropout does by itself, write training=self.training, and call "
        "model.eval() before you export a model yourself"
    )


def _name(node: Node) -> tuple[str, str]:
    """Namespace and bare name: ("aten", "conv2d"), ("mylib", "fast_norm"), ("higher_order", "cond")."""
    from torch._ops import HigherOrderOperator, OpOverload

    if isinstance(node.target, HigherOrderOperator):
        return "higher_order", str(node.target._name)
    if isinstance(node.target, OpOverload):
        return node.target.namespace, node.target._schema.name.split("::")[-1]
    return "builtins", str(getattr(node.target, "__name__", node.target))
