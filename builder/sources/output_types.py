"""Outputs of the type that builder.toml declares: an ONNX file may end in uint8, a segmentation in int64, a mask in bool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from builder.bundle import TensorSpec

if TYPE_CHECKING:
    from torch.export import ExportedProgram


def cast_outputs(program: ExportedProgram, outputs: Sequence[TensorSpec]) -> ExportedProgram:
    """The program with a cast behind each output whose type is another than declared; without any, as it is.

    Apps read an output by the manifest, so a file must give what is written there.
    """
    import torch

    graph = program.graph
    (end,) = (node for node in graph.nodes if node.op == "output")
    nodes = {node.name: node for node in graph.nodes}
    kinds = program.graph_signature.output_specs
    results = [number for number, kind in enumerate(kinds) if kind.arg.name in program.graph_signature.user_outputs]
    values, casts = list(end.args[0]), 0
    for number, spec in zip(results, outputs, strict=True):
        node, wanted = nodes[kinds[number].arg.name], getattr(torch, spec.dtype)
        if node.meta["val"].dtype == wanted:
            continue
        with graph.inserting_before(end):
            cast = graph.call_function(torch.ops.aten._to_copy.default, (node,), {"dtype": wanted})
        cast.meta = {**node.meta, "val": node.meta["val"].to(wanted)}
        values[number] = cast
        kinds[number] = replace(kinds[number], arg=replace(kinds[number].arg, name=cast.name))
        casts += 1
    if casts:
        end.args = (tuple(values),)
        program.graph_module.recompile()
    return program
