"""Which ops of an ML program are which norm: an op of their own for instance and layer norms, a region of ops for a group norm.

No name of a group norm survives: coremltools makes it reshape, mean, difference, mean of squares, root, quotient, reshape and
scale. A norm is found by its kind, number of groups, weight and bias, by name where it has one, then by order of execution.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from builder.backends.coreml.match import measure_half_rounding
from builder.graph.model import Model
from builder.precision.norms import NormCall, find_norm_calls

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values = NDArray[np.float32]

AVERAGES = ("reduce_mean", "reduce_sum")
_KINDS = {"aten.group_norm": "group_norm", "aten.instance_norm": "instance_norm", "aten.layer_norm": "layer_norm"}


@dataclass(frozen=True, kw_only=True)
class Norm:
    """A norm as it stands in a program; `groups` is 0 but for group norms. `gamma` and `beta` are variables, None for none.

    `scales` are the ops that apply these to the result of `ops`.
    """

    kind: str
    name: str
    groups: int
    gamma: Any
    beta: Any
    ops: tuple[Any, ...]
    scales: tuple[Any, ...] = ()


def match_norms(ops: list[Any], model: Model) -> dict[str, list[Any]]:
    """The ops of every norm over all its calls; a norm of which a call was not found has an empty list."""
    calls = find_norm_calls(model.program, model.layers.names())
    ops_of: dict[str, list[Any]] = {call.name: [] for call in calls}
    open_calls = list(calls)
    for norm in _norms(ops):
        fitting = [call for call in open_calls if _fits(norm, call, model)]
        best = min(fitting, key=lambda call: call.node.name != norm.name, default=None)  # the first of equals
        if best is not None:
            open_calls.remove(best)
            weight, bias = _values(best.weight, 1.0, model), _values(best.bias, 0.0, model)
            ops_of[best.name] += norm.ops if weight is None and bias is None else (*norm.ops, *norm.scales)
    missing = {call.name for call in open_calls}
    return {name: [] if name in missing else parts for name, parts in ops_of.items()}


def is_averaged_square(op: Any) -> bool:
    """Whether an op makes the squares of a variance."""
    squares = op.op_type == "square" or (
        op.op_type == "mul" and op.inputs["x"].name == op.inputs["y"].name
    )  # fmt: skip
    if op.op_type == "pow":
        squares = op.inputs["y"].val is not None and bool((op.inputs["y"].val == 2).all())
    return squares and any(reader.op_type in AVERAGES for reader in op.outputs[0].child_ops)


def _norms(ops: list[Any]) -> Iterator[Norm]:
    for op in ops:
        if op.op_type in ("instance_norm", "layer_norm"):
            gamma, beta = (op.inputs.get(name) for name in ("gamma", "beta"))
            name = op.name.removesuffix("_cast_fp16")
            yield Norm(kind=op.op_type, name=name, groups=0, gamma=gamma, beta=beta, ops=(op,))
        elif is_averaged_square(op) and (norm := _group_norm(op)) is not None:
            yield norm


def _group_norm(square: Any) -> Norm | None:
    """The group norm around the square of its differences, None where the ops around it are others."""
    centre = _producer(square.inputs["x"], "sub")
    if centre is None:
        return None
    split, mean = _producer(centre.inputs["x"], "reshape"), _producer(centre.inputs["y"], "reduce_mean")
    if split is None or mean is None:
        return None
    variance, ops = square, [split, mean, centre, square]
    while variance.op_type not in ("sqrt", "rsqrt"):  # mean, epsilon
        after = _readers(variance)
        if len(after) != 1 or after[0].op_type not in ("reduce_mean", "add", "sqrt", "rsqrt"):
            return None
        variance = after[0]
        ops.append(variance)
    after = [reader for reader in _readers(variance) if reader in _readers(centre)]
    joined = _readers(after[0]) if len(after) == 1 else []
    if len(joined) != 1 or joined[0].op_type != "reshape":
        return None
    ops += [after[0], joined[0]]
    gamma, beta, scales = _affine(joined[0])
    groups = int(split.outputs[0].shape[1])
    return Norm(kind="group_norm", name="", groups=groups, gamma=gamma, beta=beta, ops=tuple(ops), scales=tuple(scales))


def _affine(op: Any) -> tuple[Any, Any, list[Any]]:
    """Weight and bias that are applied to an op's result, and the ops that do it."""
    after = _readers(op)
    if len(after) != 1:
        return None, None, []
    if after[0].op_type == "batch_norm":
        return after[0].inputs.get("gamma"), after[0].inputs.get("beta"), after
    gamma, ops = (_constant(after[0]), after) if after[0].op_type == "mul" else (None, [])
    if ops:
        after = _readers(after[0])
    if gamma is None and ops:
        return None, None, []  # a product of two results is none of the norm's
    beta = _constant(after[0]) if len(after) == 1 and after[0].op_type == "add" else None
    return gamma, beta, [*ops, *after] if beta is not None else ops


def _constant(op: Any) -> Any:
    return next((op.inputs[name] for name in ("x", "y") if op.inputs[name].val is not None), None)


def _producer(var: Any, kind: str) -> Any | None:
    """The op of this kind that a variable comes from, casts left out."""
    op = var.op
    while op is not None and op.op_type == "cast":
        op = op.inputs["x"].op
    return op if op is not None and op.op_type == kind else None


def _readers(op: Any) -> list[Any]:
    """The ops that read an op's result, each once, casts left out."""
    readers: list[Any] = []
    for reader in op.outputs[0].child_ops:
        readers += _readers(reader) if reader.op_type == "cast" else [reader]
    return [reader for number, reader in enumerate(readers) if reader not in readers[:number]]


def _fits(norm: Norm, call: NormCall, model: Model) -> bool:
    """Whether a norm of the program may be the call: a weight of ones and a bias of zeros leave no op behind."""
    kind = _KINDS[str(call.node.target).rsplit(".", 1)[0]]
    if norm.kind != kind or (kind == "group_norm" and norm.groups != call.node.args[1]):
        return False
    for stored, key, plain in ((norm.gamma, call.weight, 1.0), (norm.beta, call.bias, 0.0)):
        wanted = _values(key, plain, model)
        if wanted is None and kind == "group_norm":
            continue  # what stands there is the network's own
        if not _near(stored, wanted, plain):
            return False
    return True


def _values(key: str | None, plain: float, model: Model) -> Values | None:
    """A weight or bias of the source, None where there is none or all of it is `plain`, which changes nothing."""
    import numpy as np

    if key is None:
        return None
    values: Values = np.asarray(model.program.state_dict[key].detach().numpy(), np.float32).reshape(-1)
    return None if bool(np.all(values == plain)) else values


def _near(stored: Any, wanted: Values | None, plain: float) -> bool:
    """Whether a stored weight or bias is the one of the source, to half a unit in the last place of fp16."""
    import numpy as np

    if stored is None or stored.val is None:
        return wanted is None
    actual: Values = np.asarray(stored.val, np.float32).reshape(-1)
    wanted = np.full_like(actual, plain) if wanted is None else wanted
    if actual.shape != wanted.shape:
        return False
    return bool(np.all(np.abs(actual - wanted) <= measure_half_rounding(wanted)))
