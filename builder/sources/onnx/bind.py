"""How the inputs and outputs of builder.toml meet those of an ONNX graph: by name, with NHWC pictures turned at the border."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from builder.errors import SourceError
from builder.project.config import InputSection, OutputSection
from builder.sources.onnx.bound import BoundInput, BoundOutput
from builder.sources.onnx.names import make_plain
from builder.sources.onnx.runtime import runs

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

_DTYPES = {1: "float32", 6: "int32", 7: "int64"}
_AS_FLOATS = {2: "uint8", 3: "int8", 10: "float16", 11: "float64"}  # builder.toml says float32 for these


def bind_inputs(model: ModelProto, inputs: Sequence[InputSection]) -> tuple[BoundInput, ...]:
    """In the order of builder.toml. Raises SourceError naming both sides of what does not fit."""
    stored = {tensor.name for tensor in model.graph.initializer}
    values = [value for value in model.graph.input if value.name not in stored]
    if len(values) != len(inputs):
        raise SourceError(
            f"the model has {len(values)} inputs ({_list_names(values)}) but builder.toml names {len(inputs)}; write one [[input]] for each."
        )
    by_name = {make_plain(value.name): value for value in values}
    if len(inputs) == 1:
        by_name = {inputs[0].name: values[0]}
    sections = {by_name[tensor.name].name: tensor for tensor in inputs if tensor.name in by_name}
    bound = []
    for tensor in inputs:
        if tensor.name not in by_name:
            raise SourceError(
                f"the model has no input {tensor.name!r}, its inputs are {', '.join(map(repr, by_name))}; name each [[input]] of builder.toml as the model does."
            )
        bound.append(_bind(model, by_name[tensor.name], tensor, sections))
    return tuple(bound)


def bind_outputs(model: ModelProto, outputs: Sequence[OutputSection]) -> tuple[BoundOutput, ...]:
    """In the order of builder.toml: by name where the model has all of the names, else by position. Raises SourceError.

    Outputs that builder.toml leaves out are dropped; those that it names then have the model's names.
    """
    values = list(model.graph.output)
    wanted = {tensor.name for tensor in outputs}
    if len(wanted) < len(values) and wanted <= {make_plain(value.name) for value in values}:
        values = [value for value in values if make_plain(value.name) in wanted]
    if len(values) != len(outputs):
        raise SourceError(
            f"the model has {len(values)} outputs ({_list_names(values)}) but builder.toml names {len(outputs)}; write one [[output]] for each, "
            "or only those that you want, by the model's names."
        )
    names = [make_plain(value.name) for value in values]
    known = [tensor.name for tensor in outputs if tensor.name in names]
    if len(known) == len(outputs):
        return tuple(BoundOutput(name=t.name, value=values[names.index(t.name)].name) for t in outputs)
    for tensor, name in zip(outputs, names, strict=True):
        if tensor.name in known and tensor.name != name:
            raise SourceError(
                f"output {tensor.name!r} is not where the model has it, its outputs are {', '.join(names)}; name all [[output]] as the model does, or list them in its order."
            )
    return tuple(BoundOutput(name=t.name, value=v.name) for t, v in zip(outputs, values, strict=True))


def _list_names(values: Sequence[ValueInfoProto]) -> str:
    return ", ".join(make_plain(value.name) for value in values)


def _bind(
    model: ModelProto, value: ValueInfoProto, tensor: InputSection, inputs: Mapping[str, InputSection]
) -> BoundInput:
    """`inputs` are all by the graph's names."""
    kind = value.type.tensor_type
    stored = _DTYPES.get(kind.elem_type) or _AS_FLOATS.get(kind.elem_type, "")
    expected = "float32" if kind.elem_type in _AS_FLOATS else stored
    if not value.type.HasField("tensor_type") or expected != tensor.dtype:
        has = stored or f"data type number {kind.elem_type}"
        raise SourceError(
            f"the model takes {has} for input {tensor.name!r} but builder.toml says {tensor.dtype}; "
            f"{f'write dtype = {chr(34)}{expected}{chr(34)}' if stored else 'export it with float32, int32 or int64 inputs'}."
        )
    sizes: list[int | None] = [None] * len(tensor.shape)
    if kind.HasField("shape"):
        sizes = [d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in kind.shape.dim]
    straight, turned = (
        BoundInput(name=tensor.name, value=value.name, shape=tensor.shape, dtype=tensor.dtype, nhwc=nhwc, stored=stored)
        for nhwc in (False, True)
    )
    fitting = [
        b for b in ((straight, turned) if len(tensor.shape) == 4 else (straight,)) if _fits(sizes, b.graph_shape)
    ]
    if len(fitting) == 2 and straight.graph_shape != turned.graph_shape:
        fitting = [b for b in fitting if _takes(model, b, inputs)] or fitting
        if len(fitting) == 2:
            raise SourceError(
                f"whether the model takes input {tensor.name!r} as NCHW or NHWC cannot be told from its shape; export it with a fixed number of channels."
            )
    if not fitting:
        has = ", ".join("?" if size is None else str(size) for size in sizes)
        raise SourceError(
            f"the model takes [{has}] for input {tensor.name!r} but builder.toml says {list(tensor.shape)}; correct 'shape' (an NHWC model is described as NCHW)."
        )
    return fitting[0]


def _fits(sizes: Sequence[int | None], shape: Sequence[int]) -> bool:
    return len(sizes) == len(shape) and all(a is None or a == b for a, b in zip(sizes, shape, strict=True))


def _takes(model: ModelProto, bound: BoundInput, inputs: Mapping[str, InputSection]) -> bool:
    """Whether ONNX Runtime runs the model with this input so, and the others as builder.toml has them."""
    import numpy as np

    kinds = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    feed = {name: np.zeros(tensor.shape, _AS_FLOATS.get(kinds[name], tensor.dtype)) for name, tensor in inputs.items()}
    return runs(model, {**feed, bound.value: np.zeros(bound.graph_shape, bound.stored)})


def set_shape(model: ModelProto, bound: BoundInput) -> None:
    """Write the concrete shape into the graph's input."""
    for value in model.graph.input:
        if value.name == bound.value:
            shape = value.type.tensor_type.shape
            del shape.dim[:]
            for size in bound.graph_shape:
                shape.dim.add().dim_value = size
