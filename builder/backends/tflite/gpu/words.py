"""What the GPU accelerator takes of a file, in the runtime's own words.

'Following operations are not supported by GPU delegate:', a line `OPERATOR: reason` for each kind, then 'N operations will run on the
GPU, and the remaining M operations will run on the CPU.' It says nothing where it takes all.
"""

from __future__ import annotations

import re

from builder.backends.tflite.graph import Graph
from builder.backends.tflite.macs import op_macs
from builder.backends.tflite.runtime import describe
from builder.bundle import Coverage
from builder.errors import VerificationError

_START = "operations are not supported by GPU delegate"
_SOME = re.compile(r"(\d+) operations will run on the GPU, and the remaining (\d+) operations will run on the CPU")
_NONE = re.compile(r"No operations will run on the GPU, and all (\d+) operations will run on the CPU")
_PART = "API from graph"  # once for each part of the graph that is handed over


def coverage_from(log: str, graph: Graph) -> Coverage:
    """Raises VerificationError where the numbers are not the file's."""
    total = len(graph.ops)
    some, none = _SOME.search(log), _NONE.search(log)
    remaining = int(some[2]) if some else int(none[1]) if none else 0
    if some is not None and int(some[1]) + remaining != total:
        raise VerificationError(
            f"the GPU accelerator speaks of {int(some[1]) + remaining} operations but the file has {total}; please report the model."
        )
    why = reasons(log) if remaining else {}
    named = [op for op in graph.ops if op.name in why]
    exact = len(named) == remaining
    left = [f"{op.name} ({why[op.name]}){describe(graph, op).removeprefix(op.name)}" for op in named]
    if not exact:  # only some operators of a kind are left: which of them, the runtime does not say
        left = [f"{name} ({reason})" for name, reason in why.items()]
    macs = {op.index: op_macs(graph, op) for op in graph.ops}
    lost = sum(macs[op.index] for op in named)
    return Coverage(
        delegate="gpu",
        source="runtime",
        delegated_ops=total - remaining,
        total_ops=total,
        subgraphs=log.count(_PART),
        left=tuple(left),
        delegated_macs=sum(macs.values()) - lost if exact or not lost else None,
        total_macs=sum(macs.values()),
    )


def reasons(log: str) -> dict[str, str]:
    """Why operators are left, by kind."""
    if _START not in log:
        return {}
    found: dict[str, str] = {}
    for line in log.split(_START, 1)[1].splitlines()[1:]:
        if _SOME.search(line) or _NONE.search(line):
            break
        name, colon, reason = line.strip().partition(":")
        if colon and re.fullmatch(r"[A-Z0-9_]+", name):
            found[name] = f"{found[name]} {reason.strip()}" if name in found else reason.strip().rstrip(".")
    return found
