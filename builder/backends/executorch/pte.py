"""A .pte file: the program's flatbuffer, and where its delegates' payloads and its constants are.

Layout (executorch/schema/extended_header.cpp, program.fbs): at byte 8 the header "eh00" with the size of the flatbuffer and the offset of
the segments; a segment is the payload of a delegate, the program's own constants, or one named constant. XNNPACK's weights
are named constants, keyed by the sha256 of their bytes, so equal weights are stored once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import MissingToolError, VerificationError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

IDENTIFIER = b"ET12"  # at byte 4 of a .pte file
_HEADER = slice(8, 40)  # of the extended header
_MAGIC = b"eh00"
# DataLocation of a payload inside the flatbuffer.
_INLINE = 0
DTYPES = {
    0: "uint8",
    1: "int8",
    2: "int16",
    3: "int32",
    4: "int64",
    5: "fp16",
    6: "fp32",
    7: "fp64",
    11: "bool",
}  # scalar_type.fbs
_BYTES = {"uint8": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "fp16": 2, "fp32": 4, "fp64": 8, "bool": 1}


@dataclass(frozen=True, kw_only=True)
class Delegate:
    """A subgraph that a delegate executes: the delegate's name and its payload."""

    id: str
    payload: Bytes


@dataclass(frozen=True, kw_only=True)
class Constant:
    """A constant tensor of the program itself, not of a delegate; `data` in the order of `shape`."""

    dtype: str
    shape: tuple[int, ...]
    data: Bytes


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One step: a kernel by its operator's name, or a delegate by its number. `args` are the numbers of values."""

    kernel: str | None
    delegate: int | None
    args: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Program:
    """The method `forward`. `arenas` are the planned sizes of its activations' memory in bytes."""

    version: int
    instructions: tuple[Instruction, ...]
    delegates: tuple[Delegate, ...]
    constants: dict[int, Constant]
    dtypes: dict[int, str]
    shapes: dict[int, tuple[int, ...]]
    named: dict[str, Bytes]
    arenas: tuple[int, ...]


def load(path: Path) -> Program:
    """The program of a file, whose pages are mapped, not read. Raises VerificationError for what is no .pte file."""
    import numpy as np

    if path.stat().st_size < _HEADER.stop:
        raise VerificationError(
            f"{path.name} is not an ExecuTorch program (it has {path.stat().st_size} bytes); convert it again."
        )
    content: Bytes = np.memmap(path, np.uint8, mode="r")
    if content[4:8].tobytes() != IDENTIFIER:
        raise VerificationError(
            f"{path.name} is not an ExecuTorch program (its identifier is missing); convert it again."
        )
    program_size, base = len(content), len(content)
    header = content[_HEADER].tobytes()
    if header[:4] == _MAGIC:
        program_size = int.from_bytes(header[8:16], "little")
        base = int.from_bytes(header[16:24], "little")
    raw = _parse(content[:program_size].tobytes(), path.name)
    if not raw.execution_plan or any(base + part.offset + part.size > len(content) for part in raw.segments or []):
        raise VerificationError(
            f"{path.name} is damaged: a part of its program or its constants is missing; convert it again."
        )
    segments = [content[base + part.offset : base + part.offset + part.size] for part in raw.segments or []]
    plan = raw.execution_plan[0]
    tensors = {number: value.val for number, value in enumerate(plan.values) if hasattr(value.val, "scalar_type")}
    steps = (_instruction(step.instr_args, plan) for chain in plan.chains for step in chain.instructions)
    return Program(
        version=int(raw.version),
        instructions=tuple(step for step in steps if step is not None),
        delegates=tuple(Delegate(id=found.id, payload=_payload(found, raw, segments)) for found in plan.delegates),
        constants=_constants(tensors, raw, segments),
        dtypes={number: _dtype(tensor) for number, tensor in tensors.items()},
        shapes={number: tuple(int(size) for size in tensor.sizes) for number, tensor in tensors.items()},
        named={entry.key: segments[entry.segment_index] for entry in raw.named_data or []},
        arenas=tuple(int(size) for size in plan.non_const_buffer_sizes[1:]),
    )


def _parse(flatbuffer: bytes, name: str) -> Any:
    """The schema's dataclasses, by ExecuTorch's own reader."""
    try:
        from executorch.exir._serialize._program import _flatbuffer_to_program
    except ImportError as error:
        raise MissingToolError("ExecuTorch is not installed; run: pip install 'edgebundle[executorch]'") from error
    try:
        return _flatbuffer_to_program(flatbuffer)
    except Exception as error:  # a damaged flatbuffer fails wherever its offsets lead
        raise VerificationError(
            f"{name} is damaged: its program cannot be read ({type(error).__name__}); convert it again."
        ) from error


def _instruction(step: Any, plan: Any) -> Instruction | None:
    """A kernel's or a delegate's call; moves, jumps and frees compute nothing."""
    args = tuple(int(arg) for arg in getattr(step, "args", ()))
    if hasattr(step, "op_index"):
        operator = plan.operators[step.op_index]
        return Instruction(kernel=f"{operator.name}.{operator.overload}".rstrip("."), delegate=None, args=args)
    if hasattr(step, "delegate_index"):
        return Instruction(kernel=None, delegate=int(step.delegate_index), args=args)
    return None


def _payload(delegate: Any, raw: Any, segments: list[Bytes]) -> Bytes:
    import numpy as np

    if int(delegate.processed.location) == _INLINE:
        return np.frombuffer(bytes(raw.backend_delegate_data[delegate.processed.index].data), np.uint8)
    payload: Bytes = segments[delegate.processed.index]
    return payload


def _constants(tensors: dict[int, Any], raw: Any, segments: list[Bytes]) -> dict[int, Constant]:
    """Constants by value number. Buffer 0 means 'not a constant'; a tensor with memory planned for it is a mutable buffer."""
    import numpy as np

    offsets = raw.constant_segment.offsets if raw.constant_segment else []
    constants = {}
    for number, tensor in tensors.items():
        if tensor.data_buffer_idx == 0 or tensor.allocation_info is not None or _dtype(tensor) not in _BYTES:
            continue
        stored = tuple(int(tensor.sizes[axis]) for axis in tensor.dim_order)
        size = int(np.prod(stored, dtype=np.int64)) * _BYTES[_dtype(tensor)]
        if offsets:
            start = offsets[tensor.data_buffer_idx]
            data = segments[raw.constant_segment.segment_index][start : start + size]
        else:
            data = np.frombuffer(bytes(raw.constant_buffer[tensor.data_buffer_idx].storage), np.uint8)[:size]
        back = np.argsort(tensor.dim_order)
        ordered = data.reshape((*stored, _BYTES[_dtype(tensor)])).transpose((*back, len(stored)))
        constants[number] = Constant(
            dtype=_dtype(tensor), shape=tuple(int(axis) for axis in tensor.sizes), data=ordered.reshape(-1)
        )
    return constants


def _dtype(tensor: Any) -> str:
    return DTYPES.get(int(tensor.scalar_type), "other")
