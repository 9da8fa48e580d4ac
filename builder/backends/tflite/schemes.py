"""Which schemes TFLite has on which layer, and what a file's op really does."""

from __future__ import annotations

from collections.abc import Iterable

from builder.backends.base import StoredLayer
from builder.backends.tflite.graph import ACTIVATION, Graph
from builder.backends.tflite.match import Use
from builder.precision.layers import Layer
from builder.precision.scheme import SCHEMES, Scheme

# ai-edge-quantizer 0.10 writes blocks for linear layers, but leaves the op's version at 5: a runtime that does not know them would
# read the weights without their scales.
_KNOWN = frozenset(
    name for name, scheme in SCHEMES.items() if scheme.mode not in ("palettized", "sparse") and not scheme.block
)
_WEIGHTS = {"FLOAT16": "fp16", "INT8": "weight_only_wi8_afp32", "INT4": "weight_only_wi4_afp32"}
_BITS = {"INT4": 4, "INT8": 8, "INT16": 16}


def find_unsupported(layer: Layer, scheme: Scheme) -> str | None:
    """Why TFLite cannot do the scheme on the layer and what to ask for instead, or None."""
    if scheme.name not in _KNOWN:
        other = (
            "weight_only_wi4_afp32" if scheme.weight_bits <= 4 and not _refuse_int4(layer) else "weight_only_wi8_afp32"
        )
        return f"TFLite has no {scheme.name}; use {other} on {layer.name!r}."
    if scheme.mode == "dynamic" and layer.op == "conv_transpose2d":
        # LiteRT 2.3 runs it, TFLite 2.14 refuses to prepare it, and no op version tells the two apart.
        return (
            f"TFLite runtimes of phones have no dynamic int8 for the transposed convolution {layer.name!r}; "
            "use weight_only_wi8_afp32 or static_wi8_ai8 there."
        )
    if scheme.weight_bits == 4 and (what := _refuse_int4(layer)):
        return (
            f"TFLite has no 4-bit weights for {what} {layer.name!r}; use weight_only_wi8_afp32 or static_wi8_ai8 there."
        )
    return None


def _refuse_int4(layer: Layer) -> str | None:
    """The kind of layer that no 4-bit kernel exists for. One input channel a group becomes DEPTHWISE_CONV_2D."""
    if layer.op == "depthwise_conv2d" or (layer.op == "conv2d" and layer.weight_shape[1] == 1):
        return "the depthwise convolution"
    if layer.op == "conv_transpose2d":
        return "the transposed convolution"
    return None


def name_scheme(graph: Graph, uses: Iterable[Use]) -> str:
    """Scheme of a layer as its ops do it; a description that is no scheme's name when the ops match none or disagree."""
    names = sorted({_name_scheme_of_use(graph, use) for use in uses})
    return names[0] if len(names) == 1 else "mixed: " + " and ".join(names)


def _name_scheme_of_use(graph: Graph, use: Use) -> str:
    weights = use.weights.tensor.dtype
    source = graph.tensors[use.op.inputs[ACTIVATION[use.op.name]]].dtype
    result = graph.tensors[use.op.outputs[0]].dtype
    if source == result == "FLOAT32":
        if use.weights.unpacked:
            return _WEIGHTS.get(weights, f"weights unpacked from {weights}")
        if weights == "FLOAT32":
            return "fp32"
        if weights in _BITS:
            return f"dynamic_wi{_BITS[weights]}_afp32"  # the kernel quantizes the activations at run time
    if source == result and source in _BITS and weights in _BITS and not use.weights.unpacked:
        return f"static_wi{_BITS[weights]}_ai{_BITS[source]}"
    return f"weights {weights}, activations {source} to {result}"


def name_between(graph: Graph) -> str:
    """`static_wi8_ai8` where an operation that is no layer takes and gives 8-bit integers, `float` where none does.

    An operation without an 8-bit kernel stays float in both.
    """
    for op in graph.ops:
        if op.name in (*ACTIVATION, "QUANTIZE", "DEQUANTIZE"):
            continue
        kinds = {graph.tensors[index].dtype for index in (*op.inputs[:1], *op.outputs[:1]) if index >= 0}
        if kinds == {"INT8"}:
            return "static_wi8_ai8"
    return "float"


def name_elsewhere(graph: Graph) -> str:
    """`fp32` where every operation that is no layer takes and gives float32, a description of what there is where one does not.

    Indices and conditions are no arithmetic.
    """
    names = set()
    for op in graph.ops:
        if op.name not in (*ACTIVATION, "QUANTIZE", "DEQUANTIZE"):
            kinds = {graph.tensors[index].dtype for index in (*op.inputs[:1], *op.outputs[:1]) if index >= 0}
            names |= kinds & {"FLOAT32", "FLOAT16", "INT8", "INT16"}
    return "fp32" if names <= {"FLOAT32"} else f"computed in {' and '.join(sorted(names))}"


def list_stored_layers(graph: Graph, uses: Iterable[Use]) -> tuple[StoredLayer, ...]:
    """Every op with weights in order of execution, as the file has it. Weights that two ops share are counted at both."""
    return tuple(
        StoredLayer(
            name=graph.tensors[use.op.outputs[0]].name,
            op=use.op.name,
            scheme=_name_scheme_of_use(graph, use),
            weight_shape=use.weights.tensor.shape,
            weight_bytes=use.weights.tensor.bytes,
        )
        for use in uses
    )
