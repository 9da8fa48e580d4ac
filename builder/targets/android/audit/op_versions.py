"""Which versions of which operators a TensorFlow Lite or LiteRT executes: the runtimes' own tables, and what a model asks for.

The table of TensorFlow Lite was read from the constructor of `BuiltinOpResolver` in the library itself (x86_64; arguments of its calls
to `AddBuiltin`: operator, first and last version), so it belongs to the very file that it names by hash. The table of LiteRT was asked
of Google's own desktop build of that version: it was given one model for each operator and version, and said which it does not have.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from builder.targets.android.audit import flatbuffer

IDENTIFIER = b"TFL3"
# Fields of the schema's tables (tensorflow/compiler/mlir/lite/schema/schema.fbs), by their place.
MODEL_CODES, CODE_OLD, CODE_CUSTOM, CODE_VERSION, CODE_NEW = 1, 0, 1, 2, 3
# BuiltinOperator_CUSTOM of TFLite's schema.
CUSTOM = 32

# fmt: off
# org.tensorflow:tensorflow-lite:2.16.1, lib/x86_64/libtensorflowlite_jni.so: code -> name, first and last version
_2_16_1: Mapping[int, tuple[str, int, int]] = {
    0: ("ADD", 1, 5), 1: ("AVERAGE_POOL_2D", 1, 3), 2: ("CONCATENATION", 1, 4), 3: ("CONV_2D", 1, 8),
    4: ("DEPTHWISE_CONV_2D", 1, 7), 5: ("DEPTH_TO_SPACE", 1, 2), 6: ("DEQUANTIZE", 1, 5),
    7: ("EMBEDDING_LOOKUP", 1, 3), 8: ("FLOOR", 1, 1), 9: ("FULLY_CONNECTED", 1, 11), 10: ("HASHTABLE_LOOKUP", 1, 1),
    11: ("L2_NORMALIZATION", 1, 2), 12: ("L2_POOL_2D", 1, 1), 13: ("LOCAL_RESPONSE_NORMALIZATION", 1, 1),
    14: ("LOGISTIC", 1, 3), 15: ("LSH_PROJECTION", 1, 1), 16: ("LSTM", 1, 4), 17: ("MAX_POOL_2D", 1, 3),
    18: ("MUL", 1, 7), 19: ("RELU", 1, 3), 20: ("RELU_N1_TO_1", 1, 1), 21: ("RELU6", 1, 3), 22: ("RESHAPE", 1, 1),
    23: ("RESIZE_BILINEAR", 1, 4), 24: ("RNN", 1, 3), 25: ("SOFTMAX", 1, 3), 26: ("SPACE_TO_DEPTH", 1, 2),
    27: ("SVDF", 1, 4), 28: ("TANH", 1, 3), 30: ("SKIP_GRAM", 1, 1), 33: ("EMBEDDING_LOOKUP_SPARSE", 1, 1),
    34: ("PAD", 1, 4), 35: ("UNIDIRECTIONAL_SEQUENCE_RNN", 1, 3), 36: ("GATHER", 1, 7),
    37: ("BATCH_TO_SPACE_ND", 1, 4), 38: ("SPACE_TO_BATCH_ND", 1, 4), 39: ("TRANSPOSE", 1, 6), 40: ("MEAN", 1, 3),
    41: ("SUB", 1, 5), 42: ("DIV", 1, 2), 43: ("SQUEEZE", 1, 2), 44: ("UNIDIRECTIONAL_SEQUENCE_LSTM", 1, 4),
    45: ("STRIDED_SLICE", 1, 8), 46: ("BIDIRECTIONAL_SEQUENCE_RNN", 1, 3), 47: ("EXP", 1, 2), 48: ("TOPK_V2", 1, 3),
    49: ("SPLIT", 1, 4), 50: ("LOG_SOFTMAX", 1, 2), 52: ("BIDIRECTIONAL_SEQUENCE_LSTM", 1, 3), 53: ("CAST", 1, 6),
    54: ("PRELU", 1, 1), 55: ("MAXIMUM", 1, 4), 56: ("ARG_MAX", 1, 3), 57: ("MINIMUM", 1, 4), 58: ("LESS", 1, 3),
    59: ("NEG", 1, 1), 60: ("PADV2", 1, 4), 61: ("GREATER", 1, 2), 62: ("GREATER_EQUAL", 1, 3),
    63: ("LESS_EQUAL", 1, 2), 64: ("SELECT", 1, 4), 65: ("SLICE", 1, 6), 66: ("SIN", 1, 1),
    67: ("TRANSPOSE_CONV", 1, 5), 68: ("SPARSE_TO_DENSE", 1, 3), 69: ("TILE", 1, 3), 70: ("EXPAND_DIMS", 1, 1),
    71: ("EQUAL", 1, 4), 72: ("NOT_EQUAL", 1, 3), 73: ("LOG", 1, 2), 74: ("SUM", 1, 2), 75: ("SQRT", 1, 1),
    76: ("RSQRT", 1, 3), 77: ("SHAPE", 1, 1), 78: ("POW", 1, 1), 79: ("ARG_MIN", 1, 3), 80: ("FAKE_QUANT", 1, 2),
    81: ("REDUCE_PROD", 1, 2), 82: ("REDUCE_MAX", 1, 3), 83: ("PACK", 1, 4), 84: ("LOGICAL_OR", 1, 1),
    85: ("ONE_HOT", 1, 1), 86: ("LOGICAL_AND", 1, 1), 87: ("LOGICAL_NOT", 1, 1), 88: ("UNPACK", 1, 4),
    89: ("REDUCE_MIN", 1, 3), 90: ("FLOOR_DIV", 1, 3), 91: ("REDUCE_ANY", 1, 1), 92: ("SQUARE", 1, 1),
    93: ("ZEROS_LIKE", 1, 1), 94: ("FILL", 1, 4), 95: ("FLOOR_MOD", 1, 2), 96: ("RANGE", 1, 2),
    97: ("RESIZE_NEAREST_NEIGHBOR", 1, 4), 98: ("LEAKY_RELU", 1, 2), 99: ("SQUARED_DIFFERENCE", 1, 2),
    100: ("MIRROR_PAD", 1, 3), 101: ("ABS", 1, 5), 102: ("SPLIT_V", 1, 2), 103: ("UNIQUE", 1, 1),
    104: ("CEIL", 1, 1), 105: ("REVERSE_V2", 1, 3), 106: ("ADD_N", 1, 1), 107: ("GATHER_ND", 1, 5),
    108: ("COS", 1, 1), 109: ("WHERE", 1, 2), 110: ("RANK", 1, 1), 111: ("ELU", 1, 1),
    112: ("REVERSE_SEQUENCE", 1, 1), 113: ("MATRIX_DIAG", 1, 1), 114: ("QUANTIZE", 1, 3),
    115: ("MATRIX_SET_DIAG", 1, 1), 116: ("ROUND", 1, 1), 117: ("HARD_SWISH", 1, 1), 118: ("IF", 1, 1),
    119: ("WHILE", 1, 1), 120: ("NON_MAX_SUPPRESSION_V4", 1, 1), 121: ("NON_MAX_SUPPRESSION_V5", 1, 1),
    122: ("SCATTER_ND", 1, 1), 123: ("SELECT_V2", 1, 2), 124: ("DENSIFY", 1, 1), 125: ("SEGMENT_SUM", 1, 1),
    126: ("BATCH_MATMUL", 1, 4), 128: ("CUMSUM", 1, 1), 129: ("CALL_ONCE", 1, 1), 130: ("BROADCAST_TO", 2, 3),
    131: ("RFFT2D", 1, 1), 132: ("CONV_3D", 1, 1), 133: ("IMAG", 1, 1), 134: ("REAL", 1, 1),
    135: ("COMPLEX_ABS", 1, 1), 136: ("HASHTABLE", 1, 1), 137: ("HASHTABLE_FIND", 1, 1),
    138: ("HASHTABLE_IMPORT", 1, 1), 139: ("HASHTABLE_SIZE", 1, 1), 140: ("REDUCE_ALL", 1, 1),
    141: ("CONV_3D_TRANSPOSE", 1, 1), 142: ("VAR_HANDLE", 1, 1), 143: ("READ_VARIABLE", 1, 1),
    144: ("ASSIGN_VARIABLE", 1, 1), 145: ("BROADCAST_ARGS", 1, 1), 146: ("RANDOM_STANDARD_NORMAL", 1, 1),
    147: ("BUCKETIZE", 1, 1), 148: ("RANDOM_UNIFORM", 1, 1), 149: ("MULTINOMIAL", 1, 1), 150: ("GELU", 1, 2),
    151: ("DYNAMIC_UPDATE_SLICE", 1, 1), 152: ("RELU_0_TO_1", 1, 1), 153: ("UNSORTED_SEGMENT_PROD", 1, 1),
    154: ("UNSORTED_SEGMENT_MAX", 1, 1), 155: ("UNSORTED_SEGMENT_SUM", 1, 1), 156: ("ATAN2", 1, 1),
    157: ("UNSORTED_SEGMENT_MIN", 1, 1), 158: ("SIGN", 1, 2), 159: ("BITCAST", 1, 1), 160: ("BITWISE_XOR", 1, 1),
    161: ("RIGHT_SHIFT", 1, 1), 163: ("STABLEHLO_ADD", 1, 1), 165: ("STABLEHLO_MULTIPLY", 1, 1),
    166: ("STABLEHLO_MAXIMUM", 1, 1), 181: ("STABLEHLO_MINIMUM", 1, 1), 190: ("STABLEHLO_SCATTER", 1, 1),
    195: ("STABLEHLO_PAD", 1, 1), 198: ("STABLEHLO_REDUCE_WINDOW", 1, 1), 201: ("STABLEHLO_GATHER", 1, 1),
    203: ("DILATE", 1, 1), 204: ("STABLEHLO_RNG_BIT_GENERATOR", 1, 1), 205: ("REDUCE_WINDOW", 1, 1),
}
# ai-edge-litert 1.4.0: what it has beyond the one above; in all else they agree
_1_4: Mapping[int, tuple[str, int, int]] = {
    **_2_16_1,
    6: ("DEQUANTIZE", 1, 6), 7: ("EMBEDDING_LOOKUP", 1, 4), 9: ("FULLY_CONNECTED", 1, 13), 39: ("TRANSPOSE", 1, 7), 53: ("CAST", 1, 7),
    151: ("DYNAMIC_UPDATE_SLICE", 1, 4), 176: ("STABLEHLO_AND", 1, 1), 206: ("STABLEHLO_COMPOSITE", 1, 1),
    207: ("STABLEHLO_SHIFT_LEFT", 1, 1), 209: ("STABLEHLO_CASE", 1, 1),
}
# fmt: on

TABLES: Mapping[str, Mapping[int, tuple[str, int, int]]] = {"TensorFlow Lite 2.16.1": _2_16_1, "LiteRT 1.4": _1_4}
TEXTS = {b"\0002.16.1\0": "TensorFlow Lite 2.16.1"}  # what a library says of itself
READ_FROM = {"TensorFlow Lite 2.16.1": "21f2570e650fc120ad28a379d927392c1883f9738895a3fd5efa0a32ae784507"}


def find_runtime(library: bytes) -> str | None:
    """Which runtime a library is, from its own text; None when it is none that has a table."""
    return next((name for text, name in TEXTS.items() if text in library), None)


def find_refused(model: bytes, runtime: str) -> list[str]:
    """What of a model's operators that runtime does not execute, in words. Raises ValueError for what is no TFLite model."""
    table = TABLES[runtime]
    problems = []
    for code, custom, wanted in sorted(read_operator_codes(model)):
        if code == CUSTOM:
            problems.append(f"the custom operator {custom}, which it does not know")
        elif code not in table:
            problems.append(f"operator {code}, which it does not know")
        else:
            name, first, last = table[code]
            if not first <= wanted <= last:
                problems.append(f"{name} version {wanted}, of which it knows {first} to {last}")
    return problems


def read_operator_codes(model: bytes) -> Iterator[tuple[int, str, int]]:
    """Code, name of a custom operator, and version of every kind of operator. Raises ValueError for what is no TFLite model."""
    if model[4:8] != IDENTIFIER:
        raise ValueError("its identifier is missing")
    try:
        for table in flatbuffer.read_tables(model, flatbuffer.read_offset(model, 0), MODEL_CODES):
            old = flatbuffer.read_value(model, table, CODE_OLD, "<b", 0)
            new = flatbuffer.read_value(model, table, CODE_NEW, "<i", 0)
            version = flatbuffer.read_value(model, table, CODE_VERSION, "<i", 1)
            yield max(old, new), flatbuffer.read_text(model, table, CODE_CUSTOM), version
    except (struct.error, OverflowError) as error:
        raise ValueError(f"it is cut short ({error})") from error
