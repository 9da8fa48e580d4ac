"""A network that was trained for integers as a TFLite file: litert-torch's static mode, which takes the program's own quantizers.

Without that mode the same program converts too, to float convolutions between quantizers, larger than fp32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from builder.backends.base import Lowered
from builder.backends.tflite.constants import read_stored
from builder.backends.tflite.convert import convert_by_litert, name_layers
from builder.backends.tflite.flatbuffer import read_model, slim, write_model
from builder.backends.tflite.graph import ACTIVATION, Graph, Tensor
from builder.backends.tflite.match import TORCH_LAYOUT, Use
from builder.backends.tflite.versions import write_versions
from builder.graph.model import Model
from builder.precision.quantizers import Grid, Integers

if TYPE_CHECKING:
    from ai_edge_litert.schema_py_generated import OperatorT


def to_trained_file(model: Model) -> tuple[bytes, Lowered]:
    """The file with the program's own integers, and how its inputs and outputs map to the model's. Raises ConversionError."""
    from litert_torch.quantize import pt2e_quantizer, quant_config

    settings = pt2e_quantizer.get_symmetric_quantization_config(is_per_channel=True, is_dynamic=False)
    static = quant_config.QuantConfig(pt2e_quantizer=pt2e_quantizer.PT2EQuantizer().set_global(settings))
    converted = read_model(convert_by_litert(model, static))
    make_borders_float(converted)
    lowered = name_layers(converted, model)
    slim(converted)
    write_versions(converted)
    return write_model(converted), lowered


def make_borders_float(converted: Any) -> None:
    """Inputs and outputs of 8-bit integers become floats with a QUANTIZE or DEQUANTIZE: apps of a bundle give and take floats."""
    from ai_edge_litert import schema_py_generated as schema

    main = converted.subgraphs[0]
    first: list[OperatorT] = []
    last: list[OperatorT] = []
    for borders, kind, operators in (
        (main.inputs, schema.BuiltinOperator.QUANTIZE, first),
        (main.outputs, schema.BuiltinOperator.DEQUANTIZE, last),
    ):
        for place, index in enumerate(list(borders)):
            if main.tensors[index].type != schema.TensorType.INT8:
                continue
            outside = _outside(main, int(index))
            ends = (outside, int(index)) if operators is first else (int(index), outside)
            operators.append(_conversion(converted, kind, *ends))
            borders[place] = outside
            for signature in converted.signatureDefs or []:
                for entry in signature.inputs if operators is first else signature.outputs:
                    if entry.tensorIndex == index:
                        entry.tensorIndex = outside
    main.operators = [*first, *main.operators, *last]


def _outside(main: Any, index: int) -> int:
    """A float tensor of the same shape; its index."""
    from ai_edge_litert import schema_py_generated as schema

    inside = main.tensors[index]
    main.tensors.append(
        schema.TensorT(shape=inside.shape, type=schema.TensorType.FLOAT32, buffer=0, name=b"border", hasRank=True)
    )
    return len(main.tensors) - 1


def _conversion(converted: Any, kind: int, source: int, result: int) -> OperatorT:
    from ai_edge_litert import schema_py_generated as schema

    codes = converted.operatorCodes
    place = next((number for number, code in enumerate(codes) if code.builtinCode == kind), None)
    if place is None:
        codes.append(schema.OperatorCodeT(builtinCode=kind, deprecatedBuiltinCode=kind, version=1))
        place = len(codes) - 1
    return schema.OperatorT(opcodeIndex=place, inputs=[source], outputs=[result])


def read_op_integers(graph: Graph, use: Use) -> Integers | None:
    """What one call computes with; None where it has floats on one side."""
    source, result = graph.tensors[use.op.inputs[ACTIVATION[use.op.name]]], graph.tensors[use.op.outputs[0]]
    weight = use.weights.tensor
    if use.weights.unpacked or weight.dtype != "INT8" or source.dtype != "INT8":
        return None
    values = read_stored(weight).transpose(TORCH_LAYOUT[use.op.name])
    return Integers(
        weight=values,  # type: ignore[arg-type]
        weights=_grid(weight),
        inputs=_grid(source),
        outputs=_grid(result) if result.dtype == "INT8" else None,
    )


def _grid(tensor: Tensor) -> Grid:
    return Grid(
        scale=tuple(float(value) for value in tensor.scale), zero_point=tuple(int(zero) for zero in tensor.zero_point)
    )
