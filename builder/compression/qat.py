"""Quantization-aware training by torchao's PT2E, with the layers that the plan names and ranges that are learned.

What torchao puts into the network rounds as the runtimes round; what it leaves behind is a checkpoint `as_trained`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from builder.compression.learned_range import HIGH, LOW, make_activation_range, make_weight_range
from builder.precision.activations import CALLS, find_layer_output
from builder.training.network import without_checks

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

SUMS = ("aten.add.Tensor", "aten.add_.Tensor")
"""Operators between the layers that all runtimes here compute in 8 bits, with scales of their own."""
# Batches that the first ranges are taken from.
CALIBRATED = 16
# Times the learning rate of the weights: scales are learned as logarithms, zero points in steps of the grid.
RANGES_SHARE, ZEROS_SHARE = 2.0, 100.0


class Rounded:
    """A network with quantizers that learn: `module` is trained, `finished` is what comes of it."""

    def __init__(self, program: ExportedProgram, layers: Collection[str], *, between: bool) -> None:
        """`layers` are state-dict keys of the weights of the layers that are to be integers."""
        from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e

        module: Any = program.module(check_guards=False)
        self.module: Any = prepare_qat_pt2e(module, _quantizer(frozenset(layers), between))
        without_checks(self.module)
        self._program = program
        kinds = (make_activation_range(), make_weight_range())
        self.ranges = [part for part in self.module.modules() if isinstance(part, kinds)]
        own = {id(parameter) for part in self.ranges for parameter in part.parameters()}
        for parameter in self.module.parameters():
            parameter.requires_grad_(parameter.is_floating_point())
        scales = [part.log_scale for part in self.ranges]
        zeros = [part.zero for part in self.ranges if isinstance(part, make_activation_range())]
        learned = [p for p in self.module.parameters() if id(p) not in own and p.requires_grad]
        self.groups = [(learned, 1.0), (scales, RANGES_SHARE), (zeros, ZEROS_SHARE)]

    def calibrate(self, batches: Any) -> None:
        """First ranges: the extremes over some batches. `batches(n)` is batch number n."""
        import torch

        with torch.no_grad():
            for number in range(CALIBRATED):
                for part in batches(number):
                    self.module(part)
        self.settle()

    def settle(self) -> None:
        for part in self.ranges:
            part.settle()

    def tidy(self) -> None:
        """Ranges back in their bounds, after a step."""
        for part in self.ranges:
            part.tidy()

    def finish(self) -> ExportedProgram:
        """The program with quantize and dequantize operators, and the floats behind them by the names of their layers."""
        import copy

        import torch
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

        from builder.graph.equality import make_random_inputs

        converted = convert_pt2e(copy.deepcopy(self.module), fold_quantize=False)
        with torch.no_grad():
            return torch.export.export(converted, make_random_inputs(self._program))


def _quantizer(layers: frozenset[str], between: bool) -> Any:
    from torchao.quantization.pt2e.quantizer import Quantizer

    class PlanQuantizer(Quantizer):  # type: ignore[misc]
        """Annotates the calls of the plan's integer layers, and the sums between them."""

        def annotate(self, model: GraphModule) -> GraphModule:
            for node in model.graph.nodes:
                if node.op != "call_function":
                    continue
                if str(node.target) in CALLS and str(getattr(node.args[1], "target", "")) in layers:
                    _annotate_layer(model, node)
                elif between and str(node.target) in SUMS and _sums_pictures(node):
                    _annotate(node, dict.fromkeys(node.args[:2], _activation()), find_layer_output(node))
            return model

        def validate(self, model: GraphModule) -> None:
            """Nothing to refuse: what was realised is read back from every file."""

    return PlanQuantizer()


def _annotate_layer(model: GraphModule, call: Node) -> None:
    weight: Any = call.args[1]
    inputs = {call.args[0]: _activation(), weight: _weight(model, call, weight)}
    _annotate(call, inputs, find_layer_output(call))


def _annotate(node: Node, inputs: dict[Any, Any], last: Node) -> None:
    """Inputs at the operator, its result after the activation that runtimes compute with it."""
    from torchao.quantization.pt2e.quantizer import QuantizationAnnotation
    from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

    result = _activation()
    node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(
        input_qspec_map=inputs, output_qspec=result if last is node else None, _annotated=True
    )
    if last is not node:
        last.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(output_qspec=result, _annotated=True)


def _sums_pictures(node: Node) -> bool:
    """Two computed values of one shape and of floats."""
    import torch

    values: list[Any] = [getattr(argument, "meta", {}).get("val") for argument in node.args[:2]]
    computed = all(getattr(argument, "op", "") in ("call_function", "placeholder") for argument in node.args[:2])
    if not computed or any(value is None or value.dtype != torch.float32 for value in values):
        return False
    return bool(values[0].shape == values[1].shape and node.args[0] is not node.args[1])


def _activation() -> Any:
    import torch
    from torchao.quantization.pt2e.quantizer import QuantizationSpec

    return QuantizationSpec(
        dtype=torch.int8,
        quant_min=LOW,
        quant_max=HIGH,
        qscheme=torch.per_tensor_affine,
        observer_or_fake_quant_ctr=make_activation_range().with_args(),
    )


def _weight(model: GraphModule, call: Node, weight: Node) -> Any:
    import torch
    from torchao.quantization.pt2e.quantizer import QuantizationSpec

    owner, _, name = str(weight.target).rpartition(".")
    values: torch.Tensor = getattr(model.get_submodule(owner), name)
    axis = 1 if str(call.target) == "aten.conv_transpose2d.input" else 0
    return QuantizationSpec(
        dtype=torch.int8,
        quant_min=-HIGH,
        quant_max=HIGH,
        qscheme=torch.per_channel_symmetric,
        ch_axis=axis,
        observer_or_fake_quant_ctr=make_weight_range().with_args(channels=values.shape[axis]),
    )
