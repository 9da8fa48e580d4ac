"""Arithmetic, comparison and activation, element by element."""

from __future__ import annotations

from functools import partial, reduce

from builder.sources.network import Call, Function, Weight
from builder.sources.onnx.graph import Importer, Node, call_plainly


def _unary(name: str) -> Importer:
    """A torch function of one tensor by its name."""

    def build(node: Node) -> Call:
        import torch

        return call_plainly(node, getattr(torch, name), 1)

    return build


def _functional(name: str, **defaults: float) -> Importer:
    """A function of torch.nn.functional whose keywords are attributes of the node, by the ONNX names and defaults."""

    def build(node: Node) -> Call:
        from torch.nn import functional

        settings = {key: node.real(key, value) for key, value in defaults.items()}
        return call_plainly(node, partial(getattr(functional, name), **settings), 1)

    return build


def _binary(name: str) -> Importer:
    """A torch function of two tensors. A constant of one element goes in as a number, which every backend has a form for."""

    def build(node: Node) -> Call:
        import torch

        function: Function = getattr(torch, name)
        right = _number(node, 1, 0)
        if right is not None:
            return call_plainly(node, lambda x: function(x, right), 1)
        left = _number(node, 0, 1)
        if left is not None:
            return Call(function=_from_left(name, function, left), operands=(node.inputs[1],))
        return call_plainly(node, function)

    return build


def _number(node: Node, number: int, other: int) -> float | int | None:
    """The scalar of an input, if taking it as a number changes neither the shape nor the type of the result."""
    value = node.constant(number)
    if value is None or value.ndim > node.rank(other) or node.constant(other) is not None:
        return None
    return node.scalar(number)


def _from_left(name: str, function: Function, left: float | int) -> Function:
    import torch

    if name in ("add", "mul"):
        return lambda x: function(x, left)
    if name == "sub":
        return lambda x: torch.rsub(x, left)
    return lambda x: function(torch.full_like(x, left), x)


def _divide(node: Node) -> Call:
    """Whole numbers divide towards zero."""
    import torch

    if node.values.tensor(node.inputs[0]).is_floating_point():
        return _binary("div")(node)
    return call_plainly(node, lambda x, y: torch.div(x, y, rounding_mode="trunc"))


def _power(node: Node) -> Call:
    import torch

    exponent = node.scalar(1) if node.constant(0) is None else None
    if exponent is not None and node.rank(1) <= node.rank():
        return call_plainly(node, lambda x: torch.pow(x, exponent), 1)
    dtype = node.values.tensor(node.inputs[0]).dtype
    return call_plainly(node, lambda x, y: torch.pow(x, y).to(dtype))


def _modulo(node: Node) -> Call:
    import torch

    return call_plainly(node, torch.fmod if node.integer("fmod", 0) else torch.remainder)


def _fold(name: str) -> Importer:
    """A function of two tensors over any number of inputs."""

    def build(node: Node) -> Call:
        import torch

        function: Function = getattr(torch, name)
        return call_plainly(node, lambda *values: reduce(function, values))

    return build


def _mean(node: Node) -> Call:
    import torch

    count = len(node.inputs)
    return call_plainly(node, lambda *values: reduce(torch.add, values) / count)


def _clip(node: Node) -> Call:
    import torch

    if "min" in node.attributes or "max" in node.attributes:  # before opset 11 they were attributes
        raise node.refuse("has its limits as attributes", "export it with opset 11 or newer")
    lowest, highest = node.read_number(1, "lower limit"), node.read_number(2, "upper limit")
    if lowest is None and highest is None:
        return call_plainly(node, lambda x: x, 1)
    if highest is None and lowest == 0:
        return call_plainly(node, torch.relu, 1)
    return call_plainly(node, lambda x: torch.clamp(x, lowest, highest), 1)


def _hard_sigmoid(node: Node) -> Call:
    import torch
    from torch.nn import functional

    alpha, beta = node.real("alpha", 0.2), node.real("beta", 0.5)
    if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
        return call_plainly(node, functional.hardsigmoid, 1)
    return call_plainly(node, lambda x: torch.clamp(x * alpha + beta, 0.0, 1.0), 1)


def _gelu(node: Node) -> Call:
    from torch.nn import functional

    return call_plainly(node, partial(functional.gelu, approximate=node.text("approximate", "none")), 1)


def _selu(node: Node) -> Call:
    import torch

    # The defaults of ONNX are torch's fixed constants to float32.
    alpha, gamma = node.real("alpha", 1.67326319217681884765625), node.real("gamma", 1.05070102214813232421875)
    return call_plainly(node, lambda x: gamma * torch.where(x > 0, x, alpha * torch.expm1(x)), 1)


def _prelu(node: Node) -> Call:
    """One slope, or one a channel, is torch's own; any other slope that broadcasts is spelled out."""
    import torch
    from torch.nn import functional

    slope, rank = node.constant(1), node.rank()
    if slope is not None:
        full = (1,) * (rank - slope.ndim) + tuple(slope.shape)
        if slope.numel() == 1 or (rank > 1 and full[1] == slope.numel()):
            weight = Weight(role="weight", value=slope.reshape(-1), origin=node.inputs[1])
            return Call(function=functional.prelu, operands=(node.inputs[0], weight))
    return call_plainly(node, lambda x, s: torch.relu(x) - s * torch.relu(-x))


def _thresholded_relu(node: Node) -> Call:
    import torch

    alpha = node.real("alpha", 1.0)
    return call_plainly(node, lambda x: torch.where(x > alpha, x, 0.0), 1)


def _softmax(name: str) -> Importer:
    """Before opset 13 the tensor is seen as a matrix split at `axis` (default 1), since then it is along `axis` (default -1)."""

    def build(node: Node) -> Call:
        import math

        from torch.nn import functional

        function = getattr(functional, name)
        if node.opset >= 13:
            axis = node.axis(node.integer("axis", -1))
            return call_plainly(node, lambda x: function(x, dim=axis))
        shape, axis = node.shape(), node.axis(node.integer("axis", 1))
        if axis == len(shape) - 1:
            return call_plainly(node, lambda x: function(x, dim=axis))
        matrix = (math.prod(shape[:axis]), math.prod(shape[axis:]))
        return call_plainly(node, lambda x: function(x.reshape(matrix), dim=1).reshape(shape))

    return build


def _cast(node: Node) -> Call:
    dtype = find_torch_dtype(node, node.integer("to"))
    return call_plainly(node, lambda x: x.to(dtype), 1)


def _cast_like(node: Node) -> Call:
    dtype = node.values.tensor(node.inputs[1]).dtype
    return call_plainly(node, lambda x: x.to(dtype), 1)


def find_torch_dtype(node: Node, number: int) -> object:
    """torch's dtype of an ONNX TensorProto.DataType."""
    import torch

    names = {1: "float32", 2: "uint8", 3: "int8", 5: "int16", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64", 16: "bfloat16"}  # fmt: skip
    if number not in names:
        raise node.refuse(f"uses the ONNX data type number {number}", "use float32, int64, int32 or bool")
    return getattr(torch, names[number])


def _where(node: Node) -> Call:
    import torch

    return call_plainly(node, torch.where)


def _dropout(node: Node) -> Call:
    """Inference only: the identity; training mode was refused when the file was read."""
    if len([name for name in node.outputs if name]) > 1:
        raise node.refuse("gives its mask", "export the model in evaluation mode")
    return call_plainly(node, lambda x: x, 1)


def _swish(node: Node) -> Call:
    import torch

    alpha = node.real("alpha", 1.0)
    if alpha == 1.0:
        return call_plainly(node, torch.nn.functional.silu, 1)
    return call_plainly(node, lambda x: x * torch.sigmoid(alpha * x), 1)


def _mish(node: Node) -> Call:
    from torch.nn import functional

    return call_plainly(node, functional.mish, 1)


def _celu(node: Node) -> Call:
    import torch

    alpha = node.real("alpha", 1.0)
    return call_plainly(node, lambda x: torch.relu(x) - torch.relu(-alpha * torch.expm1(x / alpha)), 1)


def _identity(node: Node) -> Call:
    return call_plainly(node, lambda x: x, 1)


def _leaky_relu(node: Node) -> Call:
    from torch.nn import functional

    return call_plainly(node, partial(functional.leaky_relu, negative_slope=node.real("alpha", 0.01)), 1)


OPS: dict[str, Importer] = {
    **{op: _unary(name) for op, name in {
        "Abs": "abs", "Ceil": "ceil", "Cos": "cos", "Erf": "erf", "Exp": "exp", "Floor": "floor", "Log": "log", "Neg": "neg",
        "Not": "logical_not", "Reciprocal": "reciprocal", "Relu": "relu", "Round": "round", "Sigmoid": "sigmoid", "Sign": "sign",
        "Acos": "acos", "Acosh": "acosh", "Asin": "asin", "Asinh": "asinh", "Atanh": "atanh", "Cosh": "cosh", "IsNaN": "isnan", "Sinh": "sinh",
        "Sin": "sin", "Sqrt": "sqrt", "Tan": "tan", "Tanh": "tanh", "Atan": "atan",
    }.items()},
    **{op: _binary(name) for op, name in {
        "Add": "add", "Equal": "eq", "Greater": "gt", "GreaterOrEqual": "ge", "Less": "lt", "LessOrEqual": "le", "Mul": "mul",
        "Sub": "sub",
    }.items()},
    **{op: _fold(name) for op, name in {"Max": "maximum", "Min": "minimum", "Sum": "add"}.items()},
    **{op: _fold(name) for op, name in {"And": "logical_and", "Or": "logical_or", "Xor": "logical_xor"}.items()},
    "Cast": _cast, "CastLike": _cast_like, "Celu": _celu, "Clip": _clip, "Div": _divide, "Dropout": _dropout,
    "Elu": _functional("elu", alpha=1.0), "Gelu": _gelu, "HardSigmoid": _hard_sigmoid, "HardSwish": _functional("hardswish"),
    "Identity": _identity, "LeakyRelu": _leaky_relu, "LogSoftmax": _softmax("log_softmax"), "Mean": _mean, "Mish": _mish,
    "Mod": _modulo, "PRelu": _prelu, "Pow": _power, "Selu": _selu, "Softmax": _softmax("softmax"),
    "Softplus": _functional("softplus"), "Softsign": _functional("softsign"), "Swish": _swish,
    "ThresholdedRelu": _thresholded_relu, "Where": _where,
}  # fmt: skip
