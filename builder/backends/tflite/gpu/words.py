"""What the GPU accelerator takes of a file, in the runtime's own words.

'Following operations are not supported by GPU delegate:', a line `OPERATOR: reason` for each kind, then 'N operations will run on the
GPU, and the remaining M operations will run on the CPU.' It says nothing where it takes all. The remaining are more than those of the
kinds that it names: one connected part of the graph goes to the GPU.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from builder.backends.tflite.gpu.partition import find_taken_part
from builder.backends.tflite.graph import Graph, Op
from builder.backends.tflite.macs import count_op_macs
from builder.backends.tflite.runtime import describe
from builder.bundle import Coverage
from builder.errors import VerificationError

_START = "operations are not supported by GPU delegate"
_SOME = re.compile(r"(\d+) operations will run on the GPU, and the remaining (\d+) operations will run on the CPU")
_NONE = re.compile(r"No operations will run on the GPU, and all (\d+) operations will run on the CPU")
_VERSION = re.compile(r"Requested version (\d+)")

UNTOLD = "the runtime gives no reason"

Why = Callable[[Op], str | None]
"""Why an operator is not supported, or None."""


def read_coverage(log: str, graph: Graph) -> Coverage:
    """Raises VerificationError where the numbers are not the file's."""
    total = len(graph.ops)
    some, none = _SOME.search(log), _NONE.search(log)
    remaining = int(some[2]) if some else int(none[1]) if none else 0
    if remaining > total or (some is not None and int(some[1]) + remaining != total):
        raise VerificationError(
            f"the GPU accelerator speaks of other operations than the {total} of the file; please report the model."
        )
    why = read_unsupported(log)
    coverage = describe_coverage(graph, why, "runtime")
    if coverage.delegated_ops == total - remaining:
        return coverage
    # Only some operators of a kind are unsupported: which of them, the runtime does not say.
    kinds = {f"{op.name} ({why(op)})": None for op in graph.ops if why(op) is not None}
    update = {"delegated_ops": total - remaining, "left": tuple(kinds), "delegated_macs": None}
    return coverage.model_copy(update=update)


def describe_coverage(graph: Graph, why: Why, source: str) -> Coverage:
    """What goes to the GPU where the operators with a reason are not supported."""
    taken = find_taken_part(graph, {op.index for op in graph.ops if why(op) is not None})
    macs = {op.index: count_op_macs(graph, op) for op in graph.ops}
    return Coverage.model_validate(
        {
            "delegate": "gpu",
            "source": source,
            "delegated_ops": len(taken),
            "total_ops": len(graph.ops),
            "subgraphs": 1 if taken else 0,
            "left": tuple(_describe_left(graph, op, why) for op in graph.ops if op.index not in taken),
            "delegated_macs": sum(macs[index] for index in taken),
            "total_macs": sum(macs.values()),
        }
    )


def read_unsupported(log: str) -> Why:
    """By kind, and by version where the reason names one."""
    reasons: list[tuple[str, str]] = []
    for line in log.split(_START, 1)[1].splitlines()[1:] if _START in log else ():
        if _SOME.search(line) or _NONE.search(line):
            break
        name, colon, reason = line.strip().partition(":")
        if colon and re.fullmatch(r"[A-Z0-9_]+", name):
            reasons.append((name, reason.strip().rstrip(".") or UNTOLD))

    def why(op: Op) -> str | None:
        for name, reason in reasons:
            version = _VERSION.search(reason)
            if name == op.name and (version is None or int(version[1]) == op.version):
                return reason
        return None

    return why


def _describe_left(graph: Graph, op: Op, why: Why) -> str:
    """`DEQUANTIZE (reason) weight after layer`."""
    reason = why(op) or "one part of the graph goes to the GPU, and it is in another"
    return f"{op.name} ({reason}){describe(graph, op).removeprefix(op.name)}"
