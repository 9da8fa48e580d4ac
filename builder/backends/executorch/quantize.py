"""Layers quantized one by one, by pt2e with a quantizer of our own.

The stock XNNPACKQuantizer leaves layers float without a word where they are named by module, share their weights with another,
are padded by name ("same") or end in ReLU6; and its smallest scale, 2^-12, is coarse for small weights. So this one annotates exactly
the calls whose weight parameter the plan names, with the activation that XNNPACK fuses, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from builder.errors import ConversionError
from builder.graph.integer_weights import make_integer_module
from builder.graph.model import Model
from builder.precision.activations import CALLS, find_layer_output
from builder.precision.plan import ResolvedPlan
from builder.precision.ranges import CalibrationSettings, Observation, Observed, check_observed, choose_range
from builder.precision.scheme import Scheme
from builder.precision.stated import Side, with_stated

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

# Operators whose result has the integers of what they read.
MOVING = (
    "aten.cat.default",
    "aten.max_pool2d.default",
    "aten.view.default",
    "aten.reshape.default",
    "aten.flatten.using_ints",
    "aten.permute.default",
    "aten.transpose.int",
    "aten.slice.Tensor",
    "aten.narrow.default",
    "aten.unsqueeze.default",
    "aten.squeeze.dim",
    "aten.clone.default",
    "aten.contiguous.default",
    "aten.pixel_shuffle.default",
    "aten.pixel_unshuffle.default",
    "aten.upsample_nearest2d.vec",
)
# A range of no width would have a step of 0, by which nothing can be divided.
_SMALLEST_STEP = 1e-6
# That is not denormal.
_SMALLEST_FLOAT = 2.0**-126
# Paddings with zeros, and what stands between the sizes and the value among their arguments.
_PADS = {"aten.pad.default": ("constant",), "aten.constant_pad_nd.default": ()}
# A channel's scale is at least its layer's largest divided by this: a bias in units of a vanishing scale would overflow 32 bits.
_SCALE_SPREAD = 2.0**12


def quantize(model: Model, plan: ResolvedPlan, observed: Observed) -> ExportedProgram:
    """The program with quantize and dequantize, or casts to float16, around the layers and norms as the plan says.

    Raises ConversionError.
    """
    import torch
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    from builder.backends.executorch.half import halve_layers

    module: Any = model.program.module(check_guards=False)
    halves = {name for name, choice in plan.choices.items() if choice.scheme.name == "fp16"}
    if halves:
        halve_layers(module, model, halves)
    observed = with_stated(observed, plan.ranges, _places(module, model))
    prepared = prepare_pt2e(module, _quantizer(model, plan, observed))
    samples = tuple(torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype)) for spec in model.inputs)
    with torch.no_grad():
        prepared(*samples)  # weights are observed by a run, whatever goes in; activations have their ranges
    converted = convert_pt2e(prepared)
    _keep_pads_float(converted)
    _separate_readers(converted)
    return torch.export.export(converted, samples)


def _places(module: GraphModule, model: Model) -> Callable[[str, Side], list[str]]:
    """Names of the values that the calls of a layer read or give."""
    weights = {layer.name: layer.weight for layer in model.layers.layers}

    def places(layer: str, side: Side) -> list[str]:
        calls = [n for n in module.graph.nodes if n.op == "call_function" and str(n.target) in CALLS]
        mine = [call for call in calls if str(call.args[1].target) == weights[layer]]
        return [(_before_casts(call.args[0]) if side == "input" else find_layer_output(call)).name for call in mine]

    return places


def as_it_is(model: Model) -> ExportedProgram:
    """The program of a network that was trained for integers, with its own quantizers."""
    import torch

    module = make_integer_module(model)
    _keep_pads_float(module)
    _separate_readers(module)
    samples = tuple(torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype)) for spec in model.inputs)
    return torch.export.export(module, samples)


def _separate_readers(module: GraphModule) -> None:
    """A dequantization for each reader: one that two operators share would bring both into one part of the program.

    A part that holds the ends of a skip connection, and not the way between, would need its own result.
    """
    for node in list(module.graph.nodes):
        if "dequantize_per_tensor" not in str(node.target):
            continue
        for user in list(node.users)[1:]:
            with module.graph.inserting_after(node):
                again = module.graph.node_copy(node)
            user.replace_input_with(node, again)
    module.recompile()


def _keep_pads_float(module: GraphModule) -> None:
    """Zeros around a layer's output for a float layer become the smallest float.

    XNNPACK's lowering quantizes a padding with zeros of what was quantized before, whoever reads it, and stops where that is a
    float convolution (executorch/backends/xnnpack/_passes/insert_pad_qdq.py). Where a quantized layer reads it, its own
    quantizer stands behind the padding and the value makes no difference.
    """
    for node in module.graph.nodes:
        between = _PADS.get(str(node.target))
        if between is None or "dequantize_per_tensor" not in str(node.args[0].target):
            continue
        mode, value = node.args[2 : 2 + len(between)], node.args[2 + len(between) :]
        quantized_again = any("quantize_per_tensor" in str(user.target) for user in node.users)
        if mode in ((), between) and not any(value) and not quantized_again:
            node.args = (*node.args[:2], *between, _SMALLEST_FLOAT)
    module.recompile()


def _quantizer(model: Model, plan: ResolvedPlan, observed: Observed) -> Any:
    from torchao.quantization.pt2e.quantizer import Quantizer

    layers = {layer.weight: layer for layer in model.layers.layers}

    class LayerQuantizer(Quantizer):  # type: ignore[misc]
        """Annotates the calls of the layers that have an integer scheme."""

        def annotate(self, model: GraphModule) -> GraphModule:
            for node in model.graph.nodes:
                if node.op == "call_function" and str(node.target) in CALLS:
                    layer = layers.get(str(node.args[1].target))
                    scheme = plan.scheme(layer.name) if layer is not None else None
                    if layer is not None and scheme is not None and scheme.mode != "float":
                        _annotate(model, node, scheme, layer.name, plan.calibration, observed)
            return model

        def validate(self, model: GraphModule) -> None:
            """Nothing to refuse: what was realised is read back from the file."""

    return LayerQuantizer()


def _annotate(
    model: GraphModule, call: Node, scheme: Scheme, layer: str, settings: CalibrationSettings, observed: Observed
) -> None:
    """Input and weights at the call, the output after the activation that XNNPACK computes with it."""
    from torchao.quantization.pt2e.quantizer import QuantizationAnnotation
    from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

    source: Any = call.args[0]
    weight: Any = call.args[1]
    weights = _make_weight_spec(model, call, weight)
    if scheme.mode == "dynamic":
        inputs = {source: _make_dynamic_spec(), weight: weights}
        call.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(input_qspec_map=inputs, _annotated=True)
        return
    last = find_layer_output(call)
    before, after = (
        _make_static_spec(_collect_observed(node, observed), layer, what, settings)
        for node, what in ((_before_casts(source), "input"), (last, "output"))
    )
    call.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(
        input_qspec_map={source: before, weight: weights}, output_qspec=after if last is call else None, _annotated=True
    )
    if last is not call:
        last.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(output_qspec=after, _annotated=True)


def _before_casts(node: Any) -> Any:
    """What was observed: a layer in float16 before this one stands between casts that the float network has not."""
    while node.op == "call_function" and str(node.target) == "aten.to.dtype":
        node = node.args[0]
    return node


def _collect_observed(node: Node, observed: Observed) -> list[Observation | None]:
    """What was observed of a value, first, and of all others that XNNPACK moves without changing their integers."""
    others = (
        observed.get(other.name)
        for other in sorted(find_sharing(node), key=lambda other: other.name)
        if other is not node
    )
    return [observed.get(node.name), *(seen for seen in others if seen is not None)]


def find_sharing(node: Node) -> set[Node]:
    """The values that need one scale: those that operators which only move or choose values take and give.

    XNNPACK joins, pools and reshapes integers as they are; a file where the scales on the two sides differ does not load.
    """
    nodes, todo = {node}, [node]
    while todo:
        current = todo.pop()
        near = [user for user in current.users if str(user.target) in MOVING]
        near += current.all_input_nodes if str(current.target) in MOVING else []
        for other in near:
            if other not in nodes and other.op in ("call_function", "placeholder"):
                nodes.add(other)
                todo.append(other)
    return nodes


def _make_static_spec(seen: list[Observation | None], layer: str, what: str, settings: CalibrationSettings) -> Any:
    """8 bits for a tensor, with a zero point, for the ranges that were chosen. Raises ConversionError where there is none."""
    import torch
    from torchao.quantization.pt2e.quantizer import FixedQParamsQuantizationSpec

    own = check_observed(seen[0], layer, what)
    ranges = [
        choose_range(each, settings, bits=8, symmetric=False)
        for each in (own, *seen[1:])
        if each is not None and each.usable
    ]
    stated = {each.stated for each in (own, *seen[1:]) if each is not None and each.stated is not None}
    if len(stated) > 1:
        raise ConversionError(
            f"the plan states the ranges {' and '.join(f'{low:g} to {high:g}' for low, high in sorted(stated))} for the {what} of layer "
            f"{layer!r} and what only moves its values, which need one; state one of them."
        )
    ranges = list(stated) or ranges
    low, high = min(edge[0] for edge in ranges), max(edge[1] for edge in ranges)
    scale = max((high - low) / 255, _SMALLEST_STEP)
    return FixedQParamsQuantizationSpec(
        dtype=torch.int8,
        scale=scale,
        zero_point=max(-128, min(127, round(-128 - low / scale))),
        quant_min=-128,
        quant_max=127,
        qscheme=torch.per_tensor_affine,
    )


def _make_dynamic_spec() -> Any:
    """8 bits for a tensor, with a zero point, for the range that a run sees."""
    import torch
    from torchao.quantization.pt2e import PlaceholderObserver
    from torchao.quantization.pt2e.quantizer import QuantizationSpec

    return QuantizationSpec(
        dtype=torch.int8,
        quant_min=-128,
        quant_max=127,
        qscheme=torch.per_tensor_affine,
        is_dynamic=True,
        observer_or_fake_quant_ctr=PlaceholderObserver.with_args(eps=2**-12),
    )


def _make_weight_spec(model: GraphModule, call: Node, weight: Node) -> Any:
    """8 bits without a zero point, one scale for each output channel."""
    import torch
    from torchao.quantization.pt2e import PerChannelMinMaxObserver
    from torchao.quantization.pt2e.quantizer import QuantizationSpec

    transposed = str(call.target) == "aten.conv_transpose2d.input"
    values: torch.Tensor = _attribute(model, str(weight.target))
    smallest = max(float(values.detach().abs().max()) / 127 / _SCALE_SPREAD, 1e-9)
    return QuantizationSpec(
        dtype=torch.int8,
        quant_min=-127,
        quant_max=127,
        qscheme=torch.per_channel_symmetric,
        ch_axis=1 if transposed else 0,
        observer_or_fake_quant_ctr=PerChannelMinMaxObserver.with_args(eps=smallest),
    )


def _attribute(model: GraphModule, path: str) -> Any:
    value: Any = model
    for part in path.split("."):
        value = getattr(value, part)
    return value
