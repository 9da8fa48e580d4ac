"""Which operator is to blame, by layer and line: the one without which a converter takes the network, or the first whose results
are no numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from builder.errors import ConversionError
from builder.graph.model import Model
from builder.graph.origins import bare_name, place
from builder.graph.parts import part

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch.export import ExportedProgram
    from torch.fx import Node

TIME_S = 60.0  # for all trials; the network's own failure has been told by then
MOST = 3  # operators that may be to blame together


def name_culprit(program: ExportedProgram, lower: Callable[[Model], object]) -> str | None:
    """`the operator 'x' in layer 'y' (model.py line 3) is what it refuses: without it the rest converts`, or what was tried.

    The network is cut by halves to the first operator that fails. That one is named only if the network that is given its
    result as an input passes; where it does not, the search goes on without it. None where there was no time to try.
    """
    end = time.monotonic() + TIME_S
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    passes = _Trials(program, lower, end)
    try:
        if passes(len(calls), ()):
            return "the network converts with all layers in fp32, so the scheme of a layer is to blame"
        blamed: list[Node] = []
        while len(blamed) < MOST:
            found = _first_failing(calls, blamed, passes)
            if found is None:
                break
            blamed.append(found)
            if passes(len(calls), blamed):
                return _named(blamed)
    except _OutOfTimeError:
        return None
    if not blamed:
        return "each part of it converts by itself: no single operator is to blame"
    names = ", ".join(f"{bare_name(node)!r}{place(node)}" for node in blamed)
    return f"tried without {names}: the rest is refused as well, so none of them is named as the cause"


def _named(blamed: Sequence[Node]) -> str:
    names = " and ".join(f"{bare_name(node)!r}{place(node)}" for node in blamed)
    if len(blamed) == 1:
        return f"the operator {names} is what it refuses: without it the rest converts"
    return f"the operators {names} are what it refuses: without them the rest converts"


def _first_failing(calls: Sequence[Node], blamed: Sequence[Node], passes: _Trials) -> Node | None:
    """The last operator of the shortest beginning of the network that fails; None where the parts all pass."""
    low, high = 0, len(calls)  # a beginning of `low` operators passes, one of `high` fails
    while high - low > 1:
        middle = (low + high) // 2
        if passes(middle, blamed):
            low = middle
        else:
            high = middle
    found = calls[high - 1]
    return None if found in blamed else found


class _OutOfTimeError(Exception):
    """The trials took too long."""


class _Trials:
    """Whether a converter takes the first `count` operators, the blamed ones' results given as inputs."""

    def __init__(self, program: ExportedProgram, lower: Callable[[Model], object], end: float) -> None:
        self._program, self._lower, self._end = program, lower, end

    def __call__(self, count: int, blamed: Sequence[Node]) -> bool:
        if time.monotonic() > self._end:
            raise _OutOfTimeError
        model = part(self._program, count, [node.name for node in blamed])
        if model is None:
            return True  # nothing is computed from the inputs yet
        try:
            self._lower(model)
        except ConversionError:
            return False
        return True


def name_overflow(program: ExportedProgram, sample: Sequence[NDArray[np.generic]], limit: float) -> str | None:
    """`the operator 'x' in layer 'y' (model.py line 3)`, the first whose result on this sample is NaN or beyond `limit`.

    `sample` is in the order of the program's inputs; None where all results are within.
    """
    import torch

    class Watching(torch.fx.Interpreter):
        found: Node | None = None

        def run_node(self, node: Node) -> Any:
            value = super().run_node(node)
            floats = isinstance(value, torch.Tensor) and value.is_floating_point() and value.numel()
            if node.op == "call_function" and self.found is None and floats and not float(value.abs().max()) <= limit:
                self.found = node
            return value

    watching = Watching(program.module(check_guards=False))
    with torch.no_grad():
        watching.run(*(torch.from_numpy(value) for value in sample))
    if watching.found is None:
        return None
    return f"the operator {bare_name(watching.found)!r}{place(watching.found)}"
