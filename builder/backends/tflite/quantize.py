"""The plan's schemes on a named fp32 model, by ai-edge-quantizer: one rule a scheme and op, on exact output names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from builder.backends.tflite.graph import ACTIVATION, Graph
from builder.errors import ConversionError
from builder.precision.plan import ResolvedPlan
from builder.precision.ranges import CalibrationSettings, Observed, check_observed, choose_range
from builder.precision.scheme import SCHEMES, Scheme

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from builder.backends.tflite.match import Use
    from builder.precision.stated import Side

    Ranges = dict[str, dict[str, NDArray[np.generic]]]  # tensor name -> {"min": ..., "max": ...}

_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")
# The tool's names of the ops that layers become.
_TOOL_OP = {
    "CONV_2D": "CONV_2D",
    "DEPTHWISE_CONV_2D": "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED": "FULLY_CONNECTED",
    "TRANSPOSE_CONV": "CONV_2D_TRANSPOSE",
}


def quantize(
    content: bytes, graph: Graph, schemes: Mapping[int, Scheme], plan: ResolvedPlan, observed: Observed
) -> bytes:
    """The fp32 file `content` with each op of `schemes` (op index -> scheme) in its scheme, and the others as the plan's
    `between` says. Raises ConversionError."""
    from ai_edge_quantizer import quantizer

    chosen = {index: scheme for index, scheme in schemes.items() if scheme.name != "fp32"}
    if not chosen and plan.between == "float":
        return content
    for index, scheme in chosen.items():
        if scheme.needs_calibration:
            _check(graph, index, observed)
    ranges = _ranges(graph, chosen, plan.calibration, observed)
    tool = quantizer.Quantizer(content)
    rules: dict[tuple[str, str], list[str]] = defaultdict(list)
    for index, scheme in sorted(chosen.items()):
        op = graph.ops[index]
        rules[scheme.name, op.name].append(graph.tensors[op.outputs[0]].name)
    by_name = {scheme.name: scheme for scheme in chosen.values()}
    try:
        for (scheme_name, op_name), outputs in sorted(rules.items()):
            config, algorithm = _settings(by_name[scheme_name], op_name)
            tool.update_quantization_recipe(_exactly(outputs), _operation(op_name), config, algorithm)
        if plan.between != "float":
            for operation, config, algorithm in _between(graph):
                tool.update_quantization_recipe(".*", operation, config, algorithm)
        result = tool.quantize(ranges, enable_progress_report=False, enable_progress_bar=False).quantized_model
    except (ValueError, RuntimeError, KeyError, TypeError, NotImplementedError) as error:
        raise ConversionError(
            f"ai-edge-quantizer refuses the plan ({error}); ask for another scheme on the layer it names."
        ) from error
    if result is None:
        raise ConversionError("ai-edge-quantizer returned no model for the plan; ask for another scheme.")
    return bytes(result)


def _exactly(outputs: list[str]) -> str:
    """A pattern for these output names and no other: the tool searches it in the names, each followed by a semicolon."""
    return f"^(?:{'|'.join(re.escape(name) for name in outputs)});$"


def _operation(op_name: str) -> Any:
    from ai_edge_quantizer import qtyping

    return qtyping.TFLOperationName(_TOOL_OP[op_name])


def _settings(scheme: Scheme, op_name: str) -> tuple[Any, Any]:
    """The tool's settings of a scheme: symmetric weights by output channel, activations by tensor."""
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer.algorithm_manager import AlgorithmName

    if scheme.name == "fp16":
        half = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
        return _config(None, half, "FLOAT"), AlgorithmName.FLOAT_CASTING
    # Runtimes before 2.17 know no FULLY_CONNECTED with float activations and one scale a channel.
    whole = scheme.mode == "dynamic" and op_name == "FULLY_CONNECTED"
    granularity = qtyping.QuantGranularity.TENSORWISE if whole else qtyping.QuantGranularity.CHANNELWISE
    weights = qtyping.TensorQuantizationConfig(num_bits=scheme.weight_bits, symmetric=True, granularity=granularity)
    if scheme.mode == "static":
        # 16-bit kernels take no zero point.
        activations = qtyping.TensorQuantizationConfig(
            num_bits=scheme.activation_bits, symmetric=scheme.activation_bits == 16
        )
        return _config(activations, weights, "INTEGER"), AlgorithmName.MIN_MAX_UNIFORM_QUANT
    return _config(
        None, weights, "INTEGER" if scheme.mode == "dynamic" else "FLOAT"
    ), AlgorithmName.MIN_MAX_UNIFORM_QUANT


def _config(activations: Any, weights: Any, arithmetic: str) -> Any:
    from ai_edge_quantizer import qtyping

    return qtyping.OpQuantizationConfig(
        activation_tensor_config=activations,
        weight_tensor_config=weights,
        compute_precision=qtyping.ComputePrecision(arithmetic),
        explicit_dequantize=arithmetic == "FLOAT",
    )


def _between(graph: Graph) -> list[tuple[Any, Any, Any]]:
    """Settings of every operation of the graph that is no layer and that the tool computes in 8 bits."""
    from ai_edge_quantizer import algorithm_manager, qtyping

    steps = []
    for name in sorted({op.name for op in graph.ops} - set(ACTIVATION)):
        if name not in qtyping.TFLOperationName.__members__.values() or name in _CONVERSIONS:
            continue
        operation = qtyping.TFLOperationName(name)
        config, algorithm = _settings(SCHEMES["static_wi8_ai8"], name)
        if algorithm_manager.is_op_registered(algorithm, operation):
            steps.append((operation, config, algorithm))
    return steps


def _ranges(
    graph: Graph, schemes: Mapping[int, Scheme], settings: CalibrationSettings, observed: Observed
) -> Ranges | None:
    """The range of every activation, for as many bits as the ops beside it take; None where nothing was observed.

    Ranges of all are given whatever the plan: the tool needs those of a quantized layer's neighbours too.
    """
    import numpy as np

    sixteen = {
        graph.tensors[tensor].name
        for index, scheme in schemes.items()
        if scheme.mode == "static" and scheme.activation_bits == 16
        for tensor in _activations(graph, index)
    }
    ranges: Ranges = {}
    for tensor in graph.tensors:
        seen = observed.get(tensor.name)
        if seen is None or not seen.usable:
            continue
        bits = 16 if tensor.name in sixteen else 8
        edges = choose_range(seen, settings, bits=bits, symmetric=bits == 16)
        low, high = (np.full([1] * len(tensor.shape), edge, np.float32) for edge in edges)
        ranges[tensor.name] = {"min": low, "max": high}
    return ranges or None


def _activations(graph: Graph, index: int) -> tuple[int, int]:
    """The tensors that a layer's op reads and writes."""
    op = graph.ops[index]
    return op.inputs[ACTIVATION[op.name]], op.outputs[0]


def name_tensors_of(graph: Graph, uses: Sequence[Use], side: Side) -> list[str]:
    """Names of what the calls of a layer read or give."""
    return [graph.tensors[_activations(graph, use.op.index)[side == "output"]].name for use in uses]


def _check(graph: Graph, index: int, observed: Observed) -> None:
    """Raises ConversionError naming the layer whose input or output was never anything but zero, or not finite."""
    layer = graph.tensors[graph.ops[index].outputs[0]].name
    for what, tensor in zip(("input", "output"), _activations(graph, index), strict=True):
        check_observed(observed.get(graph.tensors[tensor].name), layer, what)
