"""What the norms of a .pte compute in. No name survives in XNNPACK's graphs, but each norm has one reciprocal root: these are
matched by shape, by the norm's weight where it has one, and then by order of execution, the network's own roots among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.backends.executorch.ops import NUMPY
from builder.backends.executorch.pte import Instruction, Program
from builder.backends.executorch.schemes import agree_on_scheme
from builder.backends.executorch.xnnpack import Graph, Node
from builder.graph.model import Model
from builder.precision.norms import find_norm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

_ROOT = "ReciprocalSquareRoot"
_NOT_FOUND = "something that is not in XNNPACK's graphs"


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredNorm:
    """The nodes around one reciprocal root, from the differences to their product with it: its shape, what they compute in, and the
    constants that they are scaled by."""

    shape: tuple[int, ...]
    datatypes: frozenset[str]
    scales: tuple[Array, ...]


def read_realised_norms(program: Program, graphs: tuple[Graph, ...], model: Model) -> dict[str, str]:
    """Scheme of every norm; a description that is no scheme's name for one that is not wholly in one of XNNPACK's graphs."""
    free = list(find_stored_norms(program, graphs))
    rows = {norm.name: norm for norm in model.layers.norms}
    schemes_of: dict[str, list[str]] = {name: [] for name in rows}
    wanted = _roots(model)
    for by_weight in (True, False):
        left = []
        for name, shape in wanted:
            weight = _weight(model, rows[name].weight) if name is not None and rows[name].weight else None
            fitting = (norm for norm in free if norm.shape == shape and (not by_weight or _scales(norm, weight)))
            best = next(fitting, None)
            if best is None:
                left.append((name, shape))
                continue
            free.remove(best)
            if name is not None:
                schemes_of[name].append(" and ".join(sorted(best.datatypes)))
        wanted = left
    return {
        name: agree_on_scheme(kinds) if len(kinds) == rows[name].uses else _NOT_FOUND
        for name, kinds in schemes_of.items()
    }


def _roots(model: Model) -> list[tuple[str | None, tuple[int, ...]]]:
    """Norm, or None for the network's own, and shape of every reciprocal root of the source."""
    return [
        (find_norm(node), _sizes(node.meta["val"].shape))
        for node in model.program.graph.nodes
        if node.op == "call_function" and str(node.target) == "aten.rsqrt.default"
    ]


def find_stored_norms(program: Program, graphs: tuple[Graph, ...]) -> Iterator[StoredNorm]:
    """Around every reciprocal root of a file, in order of execution."""
    by_delegate = {graph.delegate: graph for graph in graphs}
    for step in program.instructions:
        if step.delegate in by_delegate:
            graph = by_delegate[step.delegate]
            for node in graph.nodes:
                if node.kind == _ROOT:
                    yield _around(node, graph, program, step)


def _around(root: Node, graph: Graph, program: Program, step: Instruction) -> StoredNorm:
    """The nodes that the root is computed by, back to the differences from the mean, and the products with it."""
    made_by = {node.output: node for node in graph.nodes}
    nodes, open_nodes = [root], [root]
    while open_nodes:
        for value in open_nodes.pop().inputs:
            source = made_by.get(value)
            if source is not None and source not in nodes:
                nodes.append(source)
                open_nodes += [source] if source.kind != "Subtract" else []
    products = _readers([root], graph)
    # The weight comes after the product, or before it on the other factor.
    scaling = [
        *_readers(products, graph),
        *(made_by[value] for node in products for value in node.inputs if value in made_by),
    ]
    constants = (
        _constant(value, graph, program, step) for node in scaling if node.kind == "Multiply" for value in node.inputs
    )
    whole = bool(products) and any(node.kind == "Subtract" for node in nodes)
    kinds = {graph.values[node.output].datatype for node in (*nodes, *products)} if whole else {_NOT_FOUND}
    return StoredNorm(
        shape=_sizes(graph.values[root.output].shape),
        datatypes=frozenset(kinds),
        scales=tuple(constant for constant in constants if constant is not None),
    )


def _readers(nodes: Iterable[Node], graph: Graph) -> list[Node]:
    """What reads the results of these nodes, through changes of layout."""
    results = {node.output for node in nodes}
    readers = []
    for node in graph.nodes:  # in order of execution
        if results & set(node.inputs):
            if node.kind == "StaticTranspose":
                results.add(node.output)
            else:
                readers.append(node)
    return readers


def _constant(value: int, graph: Graph, program: Program, step: Instruction) -> Array | None:
    """Numbers of a constant of the graph, or of the program, which hands it to the delegate; through changes of layout."""
    import numpy as np

    maker = next((node for node in graph.nodes if node.output == value), None)
    if maker is not None:
        return _constant(maker.inputs[0], graph, program, step) if maker.kind == "StaticTranspose" else None
    tensor = graph.values[value]
    if tensor.constant is not None:
        return np.frombuffer(tensor.constant.tobytes(), NUMPY[tensor.datatype]).astype(np.float32)
    stored = program.constants.get(step.args[tensor.external]) if tensor.external is not None else None
    return None if stored is None else np.frombuffer(stored.data.tobytes(), NUMPY[stored.dtype]).astype(np.float32)


def _weight(model: Model, key: str) -> Array:
    import numpy as np

    return np.asarray(model.program.state_dict[key].detach().numpy(), np.float32).reshape(-1)


def _scales(norm: StoredNorm, weight: Array | None) -> bool:
    """Whether this weight, as float16 may have rounded it, scales the norm; for None, whether nothing does."""
    import numpy as np

    if weight is None:
        return not norm.scales
    return any(
        scale.shape == weight.shape and bool(np.all(np.abs(scale - weight) <= 2.0**-10 * np.abs(weight) + 2.0**-24))
        for scale in norm.scales
    )


def _sizes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Sizes in an order that does not depend on the layout."""
    return tuple(sorted(int(size) for size in shape if size != 1))
