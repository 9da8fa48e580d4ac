"""Which operator is to blame, by layer and line: the one without which a converter takes the network, or the first whose results
are no numbers."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from builder.errors import ConversionError
from builder.graph.model import Model
from builder.graph.origins import name_operator, place
from builder.graph.parts import cut_part, place_side_by_side

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch.export import ExportedProgram
    from torch.fx import Node

# For all trials; the network's own failure has been told by then.
TIME_S = 60.0
# Operators that may be to blame together.
MOST = 3
# Operators that a converter's own words may name.
HINTS = 3


def name_culprit(
    program: ExportedProgram, lower: Callable[[Model], object], told: str = "", *, floats: bool = False
) -> str | None:
    """`the operator 'x' in layer 'y' (model.py line 3) is what it refuses: without it the rest converts`, or what was tried.

    An operator is named only if the network that is given its result as an input passes. Those that the converter `told` of are
    tried first, then those that it refuses by themselves; last the network is cut by halves. `floats`: all layers are in fp32
    already, so no scheme is to blame. None where there was no time to try.
    """
    trials = _Trials(program, lower, time.monotonic() + TIME_S)
    try:
        if not floats and trials.passes(()):
            return "the network converts with all layers in fp32, so the scheme of a layer is to blame"
        for suspects in (_find_told(trials.calls, told), _kinds(trials.calls)):
            refused = _find_refused_alone(suspects, trials)
            few = len({name_operator(node) for node in refused}) <= MOST
            if refused and few and trials.passes(refused):
                return _name_operators(_drop_innocent(refused, trials))
        return _by_halves(trials)
    except _OutOfTimeError:
        return None


def _drop_innocent(refused: list[Node], trials: _Trials) -> list[Node]:
    """Without the operators that a converter takes in this network, though not by themselves; the last ones first: with a
    result given that only comes of a refused one, the network passes without that one too."""
    for name in dict.fromkeys(name_operator(node) for node in reversed(refused)):
        rest = [node for node in refused if name_operator(node) != name]
        if rest and trials.passes(rest):
            refused = rest
    return refused


def _by_halves(trials: _Trials) -> str:
    """The first operator at which the network fails; where the rest fails too, the next beside it."""
    blamed: list[Node] = []
    while len(blamed) < MOST:
        culprit = _find_first_failing(trials, blamed)
        if culprit is None:
            break
        blamed.append(culprit)
        if trials.passes(blamed):
            if len(blamed) == 1 and (first := _find_first_of_pair(trials, culprit)) is not None:
                together = f"{name_operator(first)!r}{place(first)} and {name_operator(culprit)!r}{place(culprit)}"
                return f"the operators {together} are what it refuses together: without the latter the rest converts"
            return _name_operators(_drop_innocent(blamed, trials))
    if not blamed:
        return "each part of it converts by itself: no single operator is to blame"
    names = ", ".join(f"{name_operator(node)!r}{place(node)}" for node in blamed)
    return f"tried without {names}: the rest is refused as well, so none of them is named as the cause"


def _find_first_of_pair(trials: _Trials, culprit: Node) -> Node | None:
    """The operator before which all results may be given and the culprit is refused still; None where it is refused by itself."""
    end = trials.calls.index(culprit) + 1
    if not trials.passes_alone([culprit]):
        return None
    low, high = 0, end - 1  # with `low` operators given it is refused, with `high` it passes
    while high - low > 1:
        middle = (low + high) // 2
        if trials.passes(trials.calls[:middle], end):
            high = middle
        else:
            low = middle
    return trials.calls[low] if high > low else None


def _name_operators(blamed: Sequence[Node]) -> str:
    named = list(dict.fromkeys(f"{name_operator(node)!r}{place(node)}" for node in blamed))
    names = " and ".join(named[:MOST]) + (f" and {len(named) - MOST} more" if named[MOST:] else "")
    if len(named) == 1:
        return f"the operator {names} is what it refuses: without it the rest converts"
    return f"the operators {names} are what it refuses: without them the rest converts"


def _find_told(calls: Sequence[Node], told: str) -> list[list[Node]]:
    """The calls of each operator that the converter's words name, in the order of the words."""
    words = re.findall(r"\w+", told)
    by_name: dict[str, list[Node]] = {}
    for node in calls:
        by_name.setdefault(name_operator(node), []).append(node)
    names = [word for word in dict.fromkeys(words) if word in by_name]
    return [_alike(by_name[name]) for name in names[:HINTS]]


def _kinds(calls: Sequence[Node]) -> list[list[Node]]:
    return [_alike([node for node in calls if "getitem" not in str(node.target)])]


def _alike(calls: Sequence[Node]) -> list[Node]:
    """The first call of each kind: the same operator on tensors of the same sizes with the same other arguments."""
    return list({_kind(node): node for node in reversed(calls)}.values())[::-1]


def _kind(node: Node) -> str:
    import torch

    def show(argument: Any) -> Any:
        value = argument.meta.get("val")
        return f"<{getattr(value, 'dtype', None)} {tuple(getattr(value, 'shape', ()))} {argument.op == 'placeholder'}>"

    return f"{node.target} {torch.fx.map_arg((node.args, node.kwargs), show)}"


def _find_refused_alone(suspects: Sequence[Sequence[Node]], trials: _Trials) -> list[Node]:
    """All calls of the kinds that do not convert by themselves, of the first list of kinds that has some."""
    for kinds in suspects:
        refused = _failing_among(list(kinds), trials)
        if refused:
            wanted = {_kind(node) for node in refused}
            return [node for node in trials.calls if _kind(node) in wanted]
    return []


def _failing_among(nodes: list[Node], trials: _Trials) -> list[Node]:
    """One after the other, each found by halves, until the rest converts; one too many where there are more than may be named."""
    failing: list[Node] = []
    while nodes and len(failing) <= MOST and not trials.passes_alone(nodes):
        part = nodes
        while len(part) > 1:
            half = part[: len(part) // 2]
            part = part[len(half) :] if trials.passes_alone(half) else half
        failing += part
        nodes = [node for node in nodes if node is not part[0]]
    return failing


def _find_first_failing(trials: _Trials, blamed: Sequence[Node]) -> Node | None:
    """The last operator of the shortest beginning of the network that fails; None where the parts all pass."""
    low, high = 0, len(trials.calls)  # a beginning of `low` operators passes, one of `high` fails
    while high - low > 1:
        middle = (low + high) // 2
        if trials.passes(blamed, middle):
            low = middle
        else:
            high = middle
    first = trials.calls[high - 1]
    while "getitem" in str(first.target):  # one of several results: to blame is what computed them
        first = first.all_input_nodes[0]
    return None if first in blamed else first


class _OutOfTimeError(Exception):
    """The trials took too long."""


class _Trials:
    """What a converter takes: beginnings of the program, blamed operators' results given as inputs, and operators by themselves."""

    def __init__(self, program: ExportedProgram, lower: Callable[[Model], object], end: float) -> None:
        self._program, self._lower, self._end = program, lower, end
        self.calls = [node for node in program.graph.nodes if node.op == "call_function"]

    def passes(self, blamed: Sequence[Node], count: int | None = None) -> bool:
        """The first `count` operators, or all."""
        size = len(self.calls) if count is None else count
        return self._is_taken(lambda: cut_part(self._program, size, [node.name for node in blamed]))

    def passes_alone(self, nodes: Sequence[Node]) -> bool:
        """Operators side by side, each on inputs of its own."""
        return self._is_taken(lambda: place_side_by_side(self._program, [node.name for node in nodes]))

    def _is_taken(self, make: Callable[[], Model | None]) -> bool:
        if time.monotonic() > self._end:
            raise _OutOfTimeError
        model = make()
        if model is None:
            return True  # nothing is computed from inputs
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
        culprit: Node | None = None

        def run_node(self, node: Node) -> Any:
            value = super().run_node(node)
            floats = isinstance(value, torch.Tensor) and value.is_floating_point() and value.numel()
            if node.op == "call_function" and self.culprit is None and floats and not float(value.abs().max()) <= limit:
                self.culprit = node
            return value

    watching = Watching(program.module(check_guards=False))
    with torch.no_grad():
        watching.run(*(torch.from_numpy(value) for value in sample))
    if watching.culprit is None:
        return None
    return f"the operator {name_operator(watching.culprit)!r}{place(watching.culprit)}"
