"""A transposed convolution with its activation apart: GPU delegates have the operator up to version 3, the fused one is version 4.

LiteRT 2.3.0's accelerator and TensorFlow Lite 2.16.1's delegate leave version 4, and with it all that follows, to the CPU.
"""

from __future__ import annotations

import copy
from typing import Any

from builder.backends.tflite.flatbuffer import read_model, read_text, write_model
from builder.backends.tflite.graph import name_op

# With a bias, without an activation.
OPERATOR, PLAIN_VERSION = "TRANSPOSE_CONV", 3
# TensorType.
_FLOAT32 = 0


def unfuse(content: bytes) -> bytes:
    """The file with such activations as operators behind; the very same bytes where there is none.

    The sum takes the activation's quantization: what that cuts off at its low end is what the activation cuts off too.
    """
    from ai_edge_litert import schema_py_generated as schema

    kinds = {
        schema.ActivationFunctionType.RELU: schema.BuiltinOperator.RELU,
        schema.ActivationFunctionType.RELU6: schema.BuiltinOperator.RELU6,
    }
    model = read_model(content)
    main = model.subgraphs[0]
    operators: list[Any] = []
    for op in main.operators:
        operators.append(op)
        options = op.builtinOptions
        if name_op(model.operatorCodes[op.opcodeIndex]) != OPERATOR or options.fusedActivationFunction not in kinds:
            continue
        result = main.tensors[op.outputs[0]]
        summed = copy.copy(result)
        # The layer's name stays with what the layer gives.
        result.name = f"{read_text(result.name)}_activation".encode()
        main.tensors.append(summed)
        activation = schema.OperatorT()
        version = 1 if result.type == _FLOAT32 else 2
        activation.opcodeIndex = _code(model, kinds[options.fusedActivationFunction], version)
        activation.inputs, activation.outputs = [len(main.tensors) - 1], list(op.outputs)
        op.outputs = [len(main.tensors) - 1]
        options.fusedActivationFunction = schema.ActivationFunctionType.NONE
        op.opcodeIndex = _code(model, schema.BuiltinOperator.TRANSPOSE_CONV, PLAIN_VERSION)
        operators.append(activation)
    if len(operators) == len(main.operators):
        return content
    main.operators = operators
    return write_model(model)


def _code(model: Any, operator: int, version: int) -> int:
    """The place of an operator's code of that version, added where it is missing."""
    from ai_edge_litert import schema_py_generated as schema

    for place, code in enumerate(model.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == operator and code.version == version:
            return place
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = operator
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
