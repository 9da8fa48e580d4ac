"""Layers quantized one by one, by pt2e with a quantizer of our own.

The stock XNNPACKQuantizer leaves layers float without a word where they are named by module, share their weights with another,
are padded by name ("same") or end in ReLU6; and its smallest scale, 2^-12, is coarse for small weights. So this one annotates exactly
the calls whose weight parameter the plan names, with the activation that XNNPACK fuses, and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from builder.backends.base import Calibration, Model
from builder.errors import ConversionError
from builder.precision.scheme import Scheme

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

_CALLS = ("aten.conv2d.default", "aten.conv2d.padding", "aten.conv_transpose2d.input", "aten.linear.default")
_FUSED = (
    "aten.relu.default",
    "aten.relu_.default",
    "aten.hardtanh.default",
    "aten.hardtanh_.default",
    "aten.relu6.default",
    "aten.relu6_.default",
)
# A channel's scale is at least its layer's largest divided by this: a bias in units of a vanishing scale would overflow 32 bits.
_SCALE_SPREAD = 2.0**12


def quantized(model: Model, schemes: dict[str, Scheme], calibration: Calibration) -> ExportedProgram:
    """The program with quantize and dequantize around the layers, whose schemes are by their weight's key. Raises ConversionError."""
    import torch
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    module: Any = model.program.module(check_guards=False)
    prepared = prepare_pt2e(module, _quantizer(schemes))
    samples = tuple(torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype)) for spec in model.inputs)
    if any(scheme.needs_calibration for scheme in schemes.values()):
        _observe(prepared, model, calibration)
    else:
        with torch.no_grad():
            prepared(*samples)  # weights are observed by a run too, whatever goes in
    return torch.export.export(convert_pt2e(prepared), samples)


def _observe(prepared: Any, model: Model, calibration: Calibration) -> None:
    """Run the calibration samples, one at a time. Raises ConversionError without samples and for a range that is not finite."""
    import torch

    count = 0
    with torch.no_grad():
        for sample in calibration():
            prepared(*(torch.from_numpy(sample[spec.name]) for spec in model.inputs))
            count += 1
    if not count:
        raise ConversionError(
            "the plan quantizes activations, which needs samples to observe: set 'calibration' in [data] of builder.toml."
        )
    for node in prepared.graph.nodes:
        if node.op == "call_module" and str(node.target).startswith("activation_post_process"):
            observer = prepared.get_submodule(str(node.target))
            edges = [
                edge
                for edge in (getattr(observer, "min_val", None), getattr(observer, "max_val", None))
                if edge is not None
            ]
            if not all(bool(torch.isfinite(edge).all()) for edge in edges):
                raise ConversionError(
                    f"calibration drives {node.args[0].name!r} to a range that is not finite; remove the sample that does, or keep the layer in fp32."
                )


def _quantizer(schemes: dict[str, Scheme]) -> Any:
    from torchao.quantization.pt2e.quantizer import Quantizer

    class LayerQuantizer(Quantizer):  # type: ignore[misc]
        """Annotates the calls of the layers that have an integer scheme."""

        def annotate(self, model: GraphModule) -> GraphModule:
            for node in model.graph.nodes:
                if node.op == "call_function" and str(node.target) in _CALLS:
                    scheme = schemes.get(str(node.args[1].target))
                    if scheme is not None and scheme.mode != "float":
                        _annotate(model, node, scheme)
            return model

        def validate(self, model: GraphModule) -> None:
            """Nothing to refuse: what was realised is read back from the file."""

    return LayerQuantizer()


def _annotate(model: GraphModule, call: Node, scheme: Scheme) -> None:
    """Input and weights at the call, the output after the activation that XNNPACK computes with it."""
    from torchao.quantization.pt2e.quantizer import QuantizationAnnotation
    from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

    source: Any = call.args[0]
    weight: Any = call.args[1]
    activation = _activation_spec(dynamic=scheme.mode == "dynamic")
    inputs = {source: activation, weight: _weight_spec(model, call, weight)}
    if scheme.mode == "dynamic":
        call.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(input_qspec_map=inputs, _annotated=True)
        return
    last = call
    users = list(call.users)
    if len(users) == 1 and str(users[0].target) in _FUSED:
        last = users[0]
    call.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(
        input_qspec_map=inputs, output_qspec=activation if last is call else None, _annotated=True
    )
    if last is not call:
        last.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(output_qspec=activation, _annotated=True)


def _activation_spec(*, dynamic: bool) -> Any:
    """8 bits for a tensor, with a zero point: observed over the calibration samples, or at run time."""
    import torch
    from torchao.quantization.pt2e import MinMaxObserver, PlaceholderObserver
    from torchao.quantization.pt2e.quantizer import QuantizationSpec

    observer = PlaceholderObserver.with_args(eps=2**-12) if dynamic else MinMaxObserver.with_args(eps=1e-6)
    return QuantizationSpec(
        dtype=torch.int8,
        quant_min=-128,
        quant_max=127,
        qscheme=torch.per_tensor_affine,
        is_dynamic=dynamic,
        observer_or_fake_quant_ctr=observer,
    )


def _weight_spec(model: GraphModule, call: Node, weight: Node) -> Any:
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
    found: Any = model
    for part in path.split("."):
        found = getattr(found, part)
    return found
