"""The MIL program of a saved .mlpackage, rebuilt from its files alone, and what can be counted in it."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from builder.backends.coreml.package import MODEL, WEIGHTS
from builder.errors import InputError, VerificationError
from builder.precision.program import in_list

# Specification version -> oldest system: coremltools/__init__.py, `_SPECIFICATION_VERSION_IOS_*`.
SYSTEMS = {6: "iOS 15", 7: "iOS 16", 8: "iOS 17", 9: "iOS 18", 10: "iOS 26"}
_COLOURS = {20: "RGB", 30: "BGR"}  # FeatureTypes.proto, ImageFeatureType.ColorSpace
# What coremltools says of an op that the target has not (converters/mil/mil/ops/helper.py, `_get_version_of_op`).
NEEDS = re.compile(
    r"No available version for (?P<op>\w+) in the coremltools.target.\w+ opset.* at least coremltools.target.(?P<system>iOS\d+)"
)
_BITS = {"fp16": 16, "fp32": 32, "int32": 32, "int16": 16, "int8": 8, "uint8": 8, "bool": 8}


def import_coremltools() -> Any:
    """coremltools without its chatter about versions and missing Apple libraries."""
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    import coremltools

    logging.getLogger("coremltools").setLevel(logging.ERROR)
    return coremltools


def load_spec(path: Path) -> Any:
    """The protobuf specification. Raises InputError when the package is damaged."""
    import_coremltools()
    from coremltools.proto import Model_pb2
    from google.protobuf.message import DecodeError

    spec = Model_pb2.Model()
    try:
        spec.ParseFromString((path / MODEL).read_bytes())
    except (OSError, DecodeError) as error:
        raise InputError(f"{path} is not a readable .mlpackage ({error}); convert it again.") from error
    return spec


def load_program(path: Path) -> Any:
    """The main function's operations come from `.functions['main']`. Raises InputError, VerificationError."""
    spec = load_spec(path)
    if spec.WhichOneof("Type") != "mlProgram":
        raise InputError(f"{path} is not an ML program; convert it with edgebundle or coremltools for iOS 15 or newer.")
    from coremltools.converters.mil.frontend.milproto import load as milproto

    try:
        return milproto.load(spec, spec.specificationVersion, str(path / WEIGHTS))
    except (ValueError, KeyError, RuntimeError, OSError, IndexError, AssertionError, NotImplementedError) as error:
        if (match := NEEDS.search(str(error))) is not None:
            raise VerificationError(
                f"{path} is made for {SYSTEMS[spec.specificationVersion]} but its op {match['op']!r} needs {match['system']}; convert it again."
            ) from error
        raise VerificationError(
            f"{path} cannot be rebuilt from its files ({error}); its weights or its program are damaged."
        ) from error


def read_colours(path: Path) -> dict[str, str]:
    """Names of the inputs and outputs that are pictures -> `RGB`, `BGR`, or the number of another colour space."""
    description = load_spec(path).description
    return {
        entry.name: _COLOURS.get(entry.type.imageType.colorSpace, str(entry.type.imageType.colorSpace))
        for entry in (*description.input, *description.output)
        if entry.type.WhichOneof("Type") == "imageType"
    }


def list_operations(program: Any) -> list[Any]:
    """All operations of the main function in order of execution."""
    return list(program.functions["main"].operations)


def is_stored(op: Any) -> bool:
    """Constants and the unpacking of stored weights, which do not run at inference."""
    return op.op_type == "const" or bool(op.op_type.startswith("constexpr_"))


def computing_ops(program: Any) -> list[Any]:
    """The operations that run at inference."""
    return [op for op in list_operations(program) if not is_stored(op)]


def list_variables(op: Any) -> Iterator[Any]:
    """Every variable that an op reads."""
    for value in op.inputs.values():
        for var in in_list(value):
            if var is not None:
                yield var


def find_last_uses(ops: list[Any]) -> dict[str, int]:
    """Name of a variable -> index of the last of `ops` that makes or reads it."""
    last: dict[str, int] = {}
    for index, op in enumerate(ops):
        for var in (*list_variables(op), *op.outputs):
            last[var.name] = index
    return last


def name_dtype(value: Any) -> str:
    """`fp16`, `fp32`, `int8`, ... of a MIL variable."""
    from coremltools.converters.mil.mil import types

    return str(types.builtin_to_string(value.dtype))


def read_minimum_ios(path: Path) -> str:
    version = int(load_spec(path).specificationVersion)
    if version not in SYSTEMS:
        raise VerificationError(f"{path} has specification version {version}, which no known iOS states.")
    return SYSTEMS[version]


def measure_largest_live_set(program: Any) -> int:
    """Bytes of the largest set of activations alive at once, in the program's own order of execution."""
    ops = computing_ops(program)
    last_use = find_last_uses(ops)
    for output in program.functions["main"].outputs:
        last_use[output.name] = len(ops)
    alive = {name: _bytes(var) for name, var in program.functions["main"].inputs.items()}
    largest = sum(alive.values())
    for index, op in enumerate(ops):
        alive.update({var.name: _bytes(var) for var in op.outputs})
        largest = max(largest, sum(alive.values()))
        alive = {name: size for name, size in alive.items() if last_use.get(name, -1) > index}
    return largest


def _bytes(var: Any) -> int:
    """0 where the values themselves decide a size (`non_zero`): it is not known."""
    from coremltools.converters.mil.mil.types.symbolic import any_symbolic

    return 0 if any_symbolic(var.shape) else math.prod(map(int, var.shape)) * _BITS.get(name_dtype(var), 32) // 8
