"""XNNPACK's payload in a .pte: its graph, read by the schema and the flatc that ExecuTorch ships.

Layout (backends/xnnpack/serialization/xnnpack_graph_serialize.py): a 30-byte header "XH00" with offset and size of the flatbuffer and of
constants; constants lie there or, since named data, in the program's segments.
"""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder import process
from builder.backends.executorch.pte import Program
from builder.backends.executorch.scales import read_tensor_scales
from builder.errors import MissingToolError, VerificationError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

NAME = "XnnpackBackend"
_MAGIC = b"XH00"  # at byte 4 of the payload
# flatc takes seconds for a large file: one that takes minutes hangs.
_FLATC_S = 120.0
# XNN_INVALID_VALUE_ID.
_NO_VALUE = 0xFFFFFFFF


@dataclass(frozen=True, kw_only=True)
class Value:
    """A tensor of the graph. `scale` has one entry for all or one a channel along `axis`; empty where nothing is quantized.

    `external` is its place among the arguments of the call of the delegate, None for what stays inside.
    """

    datatype: str
    shape: tuple[int, ...]
    constant: Bytes | None
    scale: tuple[float, ...] | NDArray[np.float32]
    zero_point: int
    axis: int
    external: int | None


@dataclass(frozen=True, kw_only=True)
class Node:
    """An op: `filter` and `bias` are value numbers where it has weights."""

    kind: str
    inputs: tuple[int, ...]
    filter: int | None
    bias: int | None
    output: int
    groups: int


@dataclass(frozen=True, kw_only=True)
class Graph:
    """One subgraph that XNNPACK executes, nodes in order."""

    delegate: int
    values: dict[int, Value]
    nodes: tuple[Node, ...]


def read_graphs(program: Program) -> tuple[Graph, ...]:
    """The graph of each XNNPACK delegate of a program, in the order of its delegates. Raises VerificationError, MissingToolError."""
    payloads = {number: delegate.payload for number, delegate in enumerate(program.delegates) if delegate.id == NAME}
    if not payloads:
        return ()
    graphs = []
    flatbuffers = {number: _flatbuffer(payload) for number, payload in payloads.items()}
    for number, raw in _decode(flatbuffers).items():
        constants = [_constant(entry, payloads[number], program) for entry in raw["constant_data"]]
        values = {}
        for entry, scale in zip(raw["xvalues"], read_tensor_scales(flatbuffers[number]), strict=True):
            value, identifier = _value(entry, constants)
            values[identifier] = value if scale is None else replace(value, scale=(scale,))
        graphs.append(Graph(delegate=number, values=values, nodes=tuple(_node(entry) for entry in raw["xnodes"])))
    return tuple(graphs)


def read_payload_formats(program: Program) -> tuple[str, ...]:
    """The identifiers that the XNNPACK payloads of a program carry (`XN01` and so on), each once."""
    formats = {
        _flatbuffer(delegate.payload)[4:8].decode("latin-1") for delegate in program.delegates if delegate.id == NAME
    }
    return tuple(sorted(formats))


def _flatbuffer(payload: Bytes) -> bytes:
    if payload[4:8].tobytes() != _MAGIC:
        raise VerificationError(
            "the file's XNNPACK payload has no header this version knows; convert it again with the installed ExecuTorch."
        )
    start, size = _number(payload, 10, 4), _number(payload, 14, 4)
    return payload[start : start + size].tobytes()


def _number(payload: Bytes, start: int, size: int) -> int:
    return int.from_bytes(payload[start : start + size].tobytes(), "little")


def _decode(flatbuffers: dict[int, bytes]) -> dict[int, Any]:
    """JSON of each payload, all by one run of flatc."""
    import executorch

    package = Path(next(iter(executorch.__path__)))
    flatc = package / "data" / "bin" / "flatc"
    schema = package / "backends" / "xnnpack" / "serialization" / "schema.fbs"
    with tempfile.TemporaryDirectory(prefix="edgebundle-") as temporary:
        folder = Path(temporary)
        for number, content in flatbuffers.items():
            (folder / f"{number}.bin").write_bytes(content)
        files = [folder / f"{number}.bin" for number in flatbuffers]
        try:
            process.run(
                [
                    flatc,
                    "--json",
                    "--strict-json",
                    "--raw-binary",
                    "--defaults-json",
                    "-o",
                    folder,
                    schema,
                    "--",
                    *files,
                ],
                timeout_s=_FLATC_S,
            )
        except process.ToolMissing as error:
            raise MissingToolError(
                "ExecuTorch's flatc is missing; run: pip install --force-reinstall executorch"
            ) from error
        except process.ToolError as error:
            raise VerificationError(f"the file's XNNPACK payload cannot be read: {error}.") from error
        return {
            number: json.loads(_as_json((folder / f"{number}.json").read_text(encoding="utf-8")))
            for number in flatbuffers
        }


def _as_json(text: str) -> str:
    """flatc writes infinities and NaN bare, as JSON has no word for them; these are the words of Python's reader."""
    words = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN", "-nan": "NaN"}
    return re.sub(r"(?<=: )-?(?:inf|nan)\b", lambda found: words[found.group()], text)


def _constant(entry: Any, payload: Bytes, program: Program) -> Bytes:
    if entry.get("named_key"):
        return program.named[entry["named_key"]][: entry["size"]]
    start = _number(payload, 18, 4) + int(entry["offset"])
    return payload[start : start + entry["size"]]


def _value(entry: Any, constants: list[Bytes]) -> tuple[Value, int]:
    import numpy as np

    union = entry["xvalue_union"]
    tensor = union.get("tensor_value", union)
    quantization = union.get("quant_params", {})
    scale: tuple[float, ...] | NDArray[np.float32] = ()
    match union.get("quant_params_type"):
        case "PerTensorQuant":
            scale = (float(quantization["scale"]),)
        case "PerChannelQuant":
            stored = quantization.get("scale") or constants[quantization["scale_buffer_idx"]].view("<f4")
            scale = np.asarray(stored, np.float32)[: quantization["num_scales"] or None]
    index = tensor["constant_buffer_idx"]
    value = Value(
        datatype=tensor["datatype"].removeprefix("xnn_datatype_"),
        shape=tuple(tensor.get("dims", ())),
        constant=constants[index] if index else None,
        scale=scale,
        zero_point=int(quantization.get("zero_point", 0)),
        axis=int(quantization.get("channel_dim", 0)),
        external=None if tensor["external_id"] == _NO_VALUE else int(tensor["external_id"]),
    )
    return value, int(tensor["id_out"])


def _node(entry: Any) -> Node:
    """Fields are the schema's: weights in `filter_id`, operands in `input_id`, `input1_id` and so on."""
    union = entry["xnode_union"]
    operands = tuple(
        union[key]
        for key in sorted(union)
        if re.fullmatch(r"(?:input\d?|query|key|value|scale|mask)_id", key) and union[key] != _NO_VALUE
    )
    bias = union.get("bias_id", _NO_VALUE)
    return Node(
        kind=entry["xnode_union_type"].removeprefix("XNN"),
        inputs=operands,
        filter=union.get("filter_id"),
        bias=None if bias == _NO_VALUE else bias,
        output=union["output_id"] if "output_id" in union else union["output_value_id"],
        groups=int(union.get("groups", 1)),
    )
