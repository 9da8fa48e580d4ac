"""The gate on what a delegate takes: the share of multiply-accumulates, and what is left with its layer and a cure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from builder.bundle import Coverage
from builder.errors import VerificationError
from builder.graph.origins import Origin, find_user_line, name_operator
from builder.precision.program import find_keys_of_stored

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

# Of the operators that are left; a sentence has to end.
_NAMED = 5

Cures = Mapping[str, tuple[str, str]]
"""By the bare name of an operator that was left: the operator of the source that it comes from, and what would help."""

# Those that no rewrite has.
_CURES: Cures = {
    "upsample_nearest2d": ("upsample_nearest2d", "resize by a whole factor, or bilinear"),
    "resize_nearest_neighbor": ("upsample_nearest2d", "resize by a whole factor, or bilinear"),
    "convolution": ("conv2d", "a convolution's weights must be constants, or computed without groups"),
    "cumsum": ("cumsum", "multiply by a constant triangular matrix"),
    "index_select": ("index_select", "choose by a one-hot vector and a matrix product"),
    "gather_nd": ("index_select", "choose by a one-hot vector and a matrix product"),
    "padv2": ("max_pool2d", "pool without padding, or after a ReLU pad with zeros"),
    "concatenation": (
        "cat",
        "XNNPACK joins five tensors at most, and the converter merges joins that follow each other; compute between them",
    ),
    "cat": ("cat", "join different tensors"),
}


def require_coverage(coverage: Coverage, least: float | None) -> None:
    """Raises VerificationError when the delegate takes less than `least` (0..1) of the multiply-accumulates."""
    share = coverage.mac_share
    if least is None:
        return
    if share is None:
        raise VerificationError(
            f"how much of the multiply-accumulates the delegate {coverage.delegate} takes is not known for this file; remove 'require_coverage'."
        )
    if share >= least:
        return
    more = len(coverage.left) - _NAMED
    names = "; ".join(coverage.left[:_NAMED]) + (f"; and {more} more" if more > 0 else "")
    word = "is predicted to take" if coverage.source == "predicted" else "takes"
    raise VerificationError(
        f"{coverage.delegate} {word} {share:.1%} of the multiply-accumulates, 'require_coverage' is {least:.1%}; left: {names or 'nothing by name'}."
    )


def explain_left(coverage: Coverage, origins: Sequence[Origin], program: ExportedProgram, cures: Cures) -> Coverage:
    """The coverage with every operator that is left named by layer, source line and cure, as far as they are known.

    `origins` are those that the converter left, in order; without them the layer in the file's own names is looked up. `cures` are
    those of the rewrites.
    """
    waiting, known = list(origins), {**_CURES, **cures}
    return coverage.model_copy(
        update={"left": tuple(_explain(text, waiting, program, known) for text in coverage.left)}
    )


def _explain(text: str, waiting: list[Origin], program: ExportedProgram, cures: Cures) -> str:
    op = re.split(r"[ .]", text.split("::")[-1])[0].lower()
    origin = next((match for match in waiting if match.op == op), None)
    if origin is not None:
        waiting.remove(origin)
        layer, line = origin.layer, origin.line
    else:
        match = re.search(r" after (.+)$", text)
        layer = match[1] if match else None
        line = (
            _find_line_after(program, layer, cures.get(op, (op, ""))[0])
            if layer
            else _find_line_of_input(program, text)
        )
    place = f" in {layer}" if origin is not None and layer else ""
    return text + place + (f" ({line})" if line else "") + (f": {cures[op][1]}" if op in cures else "")


def _find_line_after(program: ExportedProgram, layer: str, op: str) -> str | None:
    """The source line of the first `op` that depends on the layer, or of the layer itself."""
    keys = find_keys_of_stored(program)
    weight = f"{layer.split(':')[0]}.weight"
    start = next(
        (node for node in program.graph.nodes if node.op == "placeholder" and keys.get(node.name) == weight), None
    )
    if start is None:
        return None
    call = next(iter(start.users), None)
    after = [] if call is None else [node for node in _downstream(call) if op in name_operator(node)]
    return find_user_line(after[0]) if after else None if call is None else find_user_line(call)


def _find_line_of_input(program: ExportedProgram, text: str) -> str | None:
    """The source line of what first reads the input that an operator without a layer before it depends on."""
    match = re.search(r" of input (.+)$", text)
    given = next(
        (node for node in program.graph.nodes if match and node.op == "placeholder" and node.name == match[1]), None
    )
    user = None if given is None else next((node for node in given.users if node.op == "call_function"), None)
    return None if user is None else find_user_line(user)


def _downstream(node: Node) -> Iterable[Node]:
    todo, seen = list(node.users), set(node.users)
    while todo:
        current = todo.pop(0)
        yield current
        new = [user for user in current.users if user not in seen]
        seen.update(new)
        todo += new
