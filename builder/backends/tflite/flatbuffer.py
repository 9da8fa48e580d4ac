"""A .tflite file as the schema's objects, and back to bytes: deterministic, without what no runtime reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import VerificationError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

IDENTIFIER = b"TFL3"  # at byte 4 of every TFLite file
RUNTIME_KEY = "min_runtime_version"  # metadata: the oldest runtime that loads the file
# Of constants, `force_align` in the schema: kernels read them in place with SIMD loads.
_ALIGNMENT = 16


def read_model(content: bytes) -> Any:
    """The schema's ModelT; constants are views into `content`. Raises VerificationError for what is no TFLite file."""
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    if content[4:8] != IDENTIFIER:
        raise VerificationError("the file is not a TFLite model (its identifier is missing); convert it again.")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    whole = np.frombuffer(content, np.uint8)
    for buffer in model.buffers:
        if buffer.data is None and buffer.offset > 1:  # files near 2 GB keep constants after the flatbuffer
            buffer.data = whole[buffer.offset : buffer.offset + buffer.size]
            buffer.offset = buffer.size = 0
    for subgraph in model.subgraphs:  # index vectors are read-only views; these are edited
        subgraph.inputs, subgraph.outputs = _indices(subgraph.inputs), _indices(subgraph.outputs)
        for op in subgraph.operators:
            op.inputs, op.outputs = _indices(op.inputs), _indices(op.outputs)
    return model


def _indices(values: Any) -> list[int]:
    return [] if values is None else [int(value) for value in values]


def load_model(path: Path) -> Any:
    """ModelT of a file; its pages are mapped, not read, so that a large file costs the memory that is looked at."""
    import numpy as np

    if path.stat().st_size < 8:
        raise VerificationError(
            f"{path.name} is not a TFLite model (it has {path.stat().st_size} bytes); convert it again."
        )
    return read_model(np.memmap(path, np.uint8, mode="r").data)  # type: ignore[arg-type]


def write_model(model: Any) -> bytes:
    """The model as a TFLite file: equal models give equal bytes."""
    from ai_edge_litert import schema_py_generated as schema

    _pack_buffers(model)
    builder = schema.flatbuffers.Builder(
        sum(len(buffer.data) for buffer in model.buffers if buffer.data is not None) + (1 << 14)
    )
    plain = model.buffers
    model.buffers = [_Aligned(buffer.data) for buffer in plain]
    try:
        builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    finally:
        model.buffers = plain
    return bytes(builder.Output())


class _Aligned:
    """Packs like the schema's BufferT, whose Python code forgets the alignment."""

    def __init__(self, data: Bytes | None) -> None:
        self.data = data

    def Pack(self, builder: Any) -> int:
        from ai_edge_litert import schema_py_generated as schema

        vector = None
        if self.data is not None:
            content = self.data.tobytes()
            builder.StartVector(1, len(content), _ALIGNMENT)
            builder.head -= len(content)
            builder.Bytes[builder.head : builder.head + len(content)] = content
            vector = builder.EndVector()
        schema.BufferStart(builder)
        if vector is not None:
            schema.BufferAddData(builder, vector)
        end: int = schema.BufferEnd(builder)
        return end


def _pack_buffers(model: Any) -> None:
    """Keep the constants that are used, equal ones once; tensors without a constant share the empty buffer 0."""
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    kept = [schema.BufferT()]
    places: dict[bytes, int] = {}

    def place(index: int) -> int:
        data = model.buffers[index].data
        if data is None or len(data) == 0:
            return 0
        data = np.asarray(data, np.uint8)
        key = data.tobytes()
        if key not in places:
            places[key] = len(kept)
            kept.append(schema.BufferT(data=data))
        return places[key]

    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            tensor.buffer = place(tensor.buffer)
    for entry in model.metadata or []:
        entry.buffer = place(entry.buffer)
    model.buffers = kept


def slim(model: Any) -> None:
    """Drop what no runtime reads: the converter's notes, observed ranges beside scales, shape signatures of fixed shapes."""
    model.description = None
    model.metadataBuffer = None
    model.metadata = [entry for entry in model.metadata or [] if read_text(entry.name) == RUNTIME_KEY]
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            quantization = tensor.quantization
            if quantization is not None:
                quantization.min = quantization.max = None
                if quantization.scale is None or len(quantization.scale) == 0:
                    tensor.quantization = None
            if tensor.shapeSignature is not None and all(size >= 0 for size in tensor.shapeSignature):
                tensor.shapeSignature = None


def read_runtime_version(model: Any) -> str | None:
    """What the file states as the oldest runtime that loads it, or None when it states nothing."""
    for entry in model.metadata or []:
        if read_text(entry.name) == RUNTIME_KEY:
            data = model.buffers[entry.buffer].data
            return bytes(data).rstrip(b"\0").decode() if data is not None else None
    return None


def set_runtime_version(model: Any, version: str) -> None:
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    data = np.frombuffer(version.encode().ljust(16, b"\0"), np.uint8)
    model.metadata = [entry for entry in model.metadata or [] if read_text(entry.name) != RUNTIME_KEY]
    model.metadata.append(schema.MetadataT(name=RUNTIME_KEY, buffer=len(model.buffers)))
    model.buffers.append(schema.BufferT(data=data))


def read_text(name: bytes | str | None) -> str:
    """A string of the flatbuffer, which its Python code reads as bytes."""
    return name.decode() if isinstance(name, bytes) else name or ""
