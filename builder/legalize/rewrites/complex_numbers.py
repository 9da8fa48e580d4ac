"""Complex numbers as pairs of real tensors, and Fourier transforms as products with stored cosines and sines.

No backend has complex numbers, but networks of pictures use them in between only: what comes in and what goes out is real.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from builder.legalize.complex_arithmetic import NoRule, Writer
from builder.legalize.complex_rules import find_rule
from builder.legalize.rewriting import ARITHMETIC, make_functional

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

BOUND = ARITHMETIC
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all
ROUNDS = True  # sines are stored in float32


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    """What has no real form reads complex numbers as before, and is what a refusal names."""
    import torch

    if not any(_is_complex(node) for node in program.graph.nodes):
        return program, 0
    module: Any = make_functional(program, _transforms(program)).module(check_guards=False)
    graph = module.graph
    writer = Writer(module=module, node=next(iter(graph.nodes)))
    for node in list(graph.nodes):
        if node.target in (torch.ops.aten.view.default, torch.ops.aten._unsafe_view.default):
            node.target = torch.ops.aten.reshape.default  # parts lie in memory in another order
        if not _is_complex(node) and not any(source in writer.pairs for source in node.all_input_nodes):
            continue
        writer.node = node
        with graph.inserting_before(node):
            try:
                result = find_rule(node)(writer, *node.args, **node.kwargs)
            except NoRule:
                _give_back(writer)
                continue
            if not _is_complex(node):
                node.replace_all_uses_with(writer.fit(0.0 if result is None else result, node.meta["val"]))
                continue
            writer.pairs[node] = writer.each(result, partial(writer.fit, like=node.meta["val"]))
    if not writer.pairs:
        return program, 0
    count = len(writer.pairs)
    graph.eliminate_dead_code()
    module.recompile()
    with torch.no_grad():
        return torch.export.export(module, samples[0]), count


def _give_back(writer: Writer) -> None:
    """The pairs that this operator reads, as complex numbers again."""
    import torch

    node = writer.node
    for source in node.all_input_nodes:
        if pair := writer.pairs.get(source):
            like = source.meta["val"]
            if isinstance(like, list | tuple):
                continue  # parts that nothing takes apart: the operator that gave them stays
            parts = [writer.fit(0.0 if part is None else part, like) for part in (pair.real, pair.imaginary)]
            node.replace_input_with(source, writer.call(torch.ops.aten.complex.default, *parts))


def _is_complex(node: Node) -> bool:
    value: Any = node.meta.get("val")
    first = value[0] if isinstance(value, list | tuple) and value else value
    return node.op != "output" and bool(getattr(getattr(first, "dtype", None), "is_complex", False))


def _transforms(program: ExportedProgram) -> dict[Any, Any]:
    """The decompositions with which torch makes all transforms of three: real to complex, complex to complex, complex to real."""
    from torch._export.utils import _get_decomp_for_cia

    found = {node.target for node in program.graph.nodes if str(node.target).startswith("aten.fft_")}
    return {target: _get_decomp_for_cia(target) for target in found}
