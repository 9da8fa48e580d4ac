"""Where an operator of an exported program comes from: the module that owns it and the line of the user's own source."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.fx import Graph, Node

_FRAME = re.compile(r'File "([^"]+)", line (\d+), in')
_OTHERS = ("/site-packages/", "/torch/", "<eval_with_key>", f"{Path(__file__).parents[1]}/")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """`op` is the operator's bare name (`upsample_nearest2d`), `layer` the module's name, `line` as in `model.py line 12`."""

    op: str
    layer: str | None
    line: str | None


def list_origins(graph: Graph) -> Iterator[Origin]:
    """Of every operator of a graph in order of execution; calls of delegates are no operators."""
    for node in graph.nodes:
        if node.op == "call_function" and "delegate" not in str(node.target) and "getitem" not in str(node.target):
            yield Origin(op=name_operator(node), layer=find_owner(node), line=find_user_line(node))


def name_operator(node: Node) -> str:
    """`upsample_nearest2d` of `aten.upsample_nearest2d.vec`."""
    name = str(getattr(node.target, "_name", "") or getattr(node.target, "__name__", "") or node.target)
    return name.split("::")[-1].split(".")[0] if "::" in name else name.removeprefix("aten.").split(".")[0]


def find_owner(node: Node) -> str | None:
    """Name of the innermost module that the operator belongs to; None at the top."""
    stack = node.meta.get("nn_module_stack") or {}
    names = [str(entry[0]) for entry in stack.values() if entry and entry[0]]
    return names[-1] if names else None


def find_user_line(node: Node) -> str | None:
    """The innermost frame outside torch and its packages: file name and line, no folder."""
    frames = _FRAME.findall(str(node.meta.get("stack_trace") or ""))
    own = [(path, line) for path, line in frames if not any(part in path for part in _OTHERS)]
    return f"{PurePath(own[-1][0]).name} line {own[-1][1]}" if own else None


def place(node: Node) -> str:
    """` in layer 'x' (model.py line 3)`, as far as it is known."""
    layer, line = find_owner(node), find_user_line(node)
    return (f" in {layer!r}" if layer else "") + (f" ({line})" if line else "")
