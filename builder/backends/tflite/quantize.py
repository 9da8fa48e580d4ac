"""The plan's schemes on a named fp32 model, by ai-edge-quantizer: one rule a scheme and op, on exact output names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from builder.backends.base import Calibration, Lowered
from builder.backends.tflite.convert import SIGNATURE
from builder.backends.tflite.graph import ACTIVATION, Graph
from builder.bundle.tensors import to_artifact
from builder.errors import ConversionError
from builder.precision.scheme import SCHEMES, Scheme

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ranges = dict[str, dict[str, NDArray[np.generic]]]  # tensor name -> {"min": ..., "max": ...}

# The tool's names of the ops that layers become.
_TOOL_OP = {
    "CONV_2D": "CONV_2D",
    "DEPTHWISE_CONV_2D": "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED": "FULLY_CONNECTED",
    "TRANSPOSE_CONV": "CONV_2D_TRANSPOSE",
}


def quantize(
    content: bytes, graph: Graph, schemes: Mapping[int, Scheme], lowered: Lowered, calibration: Calibration
) -> bytes:
    """The fp32 file `content` with each op of `schemes` (op index -> scheme) in its scheme. Raises ConversionError."""
    from ai_edge_quantizer import quantizer

    chosen = {index: scheme for index, scheme in schemes.items() if scheme.name != "fp32"}
    if not chosen:
        return content
    static = [index for index, scheme in chosen.items() if scheme.needs_calibration]
    ranges = _calibrate(content, lowered, calibration) if static else None
    if ranges is not None:
        _check_ranges(graph, static, ranges)
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


def _calibrate(content: bytes, lowered: Lowered, calibration: Calibration) -> Ranges:
    """Smallest and largest value of every layer's activations over all samples, streamed one at a time.

    All layers are observed whatever the plan: the tool needs the ranges of a quantized layer's neighbours too.
    Raises ConversionError without samples.
    """
    from ai_edge_quantizer import calibrator, recipe_manager
    from ai_edge_quantizer.utils import qsv_utils

    every = recipe_manager.RecipeManager()
    for op_name in ACTIVATION:
        config, algorithm = _settings(SCHEMES["static_wi8_ai8"], op_name)
        every.add_quantization_config(".*", _operation(op_name), config, algorithm)
    observer = calibrator.Calibrator(content, num_threads=1, qsv_update_func=qsv_utils.min_max_update)
    samples = 0
    for sample in calibration():
        data = {binding.name: to_artifact(sample[binding.name], binding) for binding in lowered.inputs}
        observer.calibrate({SIGNATURE: [data]}, every)
        samples += 1
    if not samples:
        raise ConversionError(
            "the plan quantizes activations, which needs samples to observe: set 'calibration' in [data] of builder.toml."
        )
    ranges: Ranges = observer.get_model_qsvs()
    return ranges


def _check_ranges(graph: Graph, static: list[int], ranges: Ranges) -> None:
    """Raises ConversionError naming the layer whose input or output was never anything but zero, or not finite."""
    import numpy as np

    for index in static:
        op = graph.ops[index]
        layer = graph.tensors[op.outputs[0]].name
        for what, tensor in (("input", op.inputs[ACTIVATION[op.name]]), ("output", op.outputs[0])):
            found = ranges.get(graph.tensors[tensor].name, {})  # the tool leaves out a tensor without finite values
            edges = [float(np.asarray(found.get(edge, np.nan)).reshape(-1)[0]) for edge in ("min", "max")]
            if not np.isfinite(edges).all():
                seen = "values that are not finite"
            elif not any(edges):
                seen = "nothing but zero"
            else:
                continue
            raise ConversionError(
                f"calibration saw {seen} at the {what} of layer {layer!r}; use samples that exercise it, or ask for "
                "weight_only_wi8_afp32 there."
            )
