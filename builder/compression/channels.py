"""Which channels of a network belong together: those that can only be removed at once, and those that must stay.

Every output channel of a layer is an atom. Operators hand atoms on along the second axis: a sum joins those of both sides, a
concatenation lines them up, a pixel shuffle joins the r * r that become one. What an unknown operator reads stays: it is named.
torch-pruning does this for modules and does not hold here: it fails at pixel shuffle, never ends at attention, prunes the outputs
and passes a conditional norm without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from builder.compression.channel_rules import RULES

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

Atoms = tuple[int, ...]
"""Of each index along an axis."""


@dataclass(frozen=True, kw_only=True)
class Follower:
    """A stored tensor whose axis has these atoms."""

    target: str
    axis: int
    atoms: Atoms


@dataclass(kw_only=True)
class Channels:
    """What was found. `kept` says why atoms must stay, by the place that says so; `edits` change constants of operators when channels go."""

    module: GraphModule
    atoms: dict[Node, Atoms] = field(default_factory=dict)
    followers: list[Follower] = field(default_factory=list)
    edits: list[Callable[[Callable[[Atoms], list[int]]], None]] = field(default_factory=list)
    kept: dict[int, str] = field(default_factory=dict)
    makers: dict[int, str] = field(default_factory=dict)
    by_weight: dict[str, Atoms] = field(default_factory=dict)
    _parent: list[int] = field(default_factory=list)

    def new(self, count: int, maker: str) -> Atoms:
        start = len(self._parent)
        self._parent += range(start, start + count)
        self.makers.update(dict.fromkeys(range(start, start + count), maker))
        return tuple(range(start, start + count))

    def root(self, atom: int) -> int:
        while self._parent[atom] != atom:
            self._parent[atom] = atom = self._parent[self._parent[atom]]
        return atom

    def join(self, one: Sequence[int], other: Sequence[int]) -> None:
        for a, b in zip(one, other, strict=True):
            self._parent[self.root(b)] = self.root(a)

    def keep(self, atoms: Sequence[int], why: str) -> None:
        for atom in atoms:
            self.kept.setdefault(atom, why)

    def follow(self, node: Any, axis: int, atoms: Atoms) -> None:
        """A stored tensor follows these atoms; one that is computed, or of another size, makes them stay."""
        if getattr(node, "op", "") != "get_attr":
            self.keep(atoms, f"{node} is computed")
            return
        follower = Follower(target=str(node.target), axis=axis, atoms=atoms)
        if follower not in self.followers:
            self.followers.append(follower)

    def value(self, node: Any) -> Any:
        """A stored tensor."""
        owner, _, name = str(node.target).rpartition(".")
        return getattr(self.module.get_submodule(owner), name)

    def groups(self) -> dict[int, list[int]]:
        """Root -> all atoms that go together and may go."""
        atoms_of: dict[int, list[int]] = {}
        for atom in range(len(self._parent)):
            atoms_of.setdefault(self.root(atom), []).append(atom)
        stay = {self.root(atom) for atom in self.kept}
        return {root: atoms for root, atoms in atoms_of.items() if root not in stay}

    def reasons(self) -> dict[str, str]:
        """Layer -> why its channels stay, for the layers that have such."""
        stay = {self.root(atom): why for atom, why in self.kept.items()}
        reason_of: dict[str, str] = {}
        for atom, maker in self.makers.items():
            if self.root(atom) in stay:
                reason_of.setdefault(maker, stay[self.root(atom)])
        return reason_of


def find_channels(module: GraphModule) -> Channels:
    """The atoms of a network's graph. It visits each operator once, so it ends."""
    channels = Channels(module=module)
    for node in module.graph.nodes:
        if node.op == "placeholder":
            shape = _shape(node)
            if len(shape) > 1:
                atoms = channels.new(shape[1], "")
                channels.atoms[node] = atoms
                channels.keep(atoms, "it is an input of the network")
        elif node.op == "call_function":
            _apply(channels, node)
        elif node.op == "output":
            for source in node.all_input_nodes:
                channels.keep(channels.atoms.get(source, ()), "it is an output of the network")
    return channels


def _apply(channels: Channels, node: Node) -> None:
    rule = RULES.get(str(node.target))
    if rule is not None and rule(channels, node):
        return
    for source in node.all_input_nodes:
        channels.keep(
            channels.atoms.get(source, ()),
            f"the operator {node.target} ({node.name}) reads it, and channels are not followed through it",
        )
    shape = _shape(node)
    if len(shape) > 1 and any(source in channels.atoms for source in node.all_input_nodes):
        atoms = channels.new(shape[1], "")
        channels.atoms[node] = atoms
        channels.keep(atoms, f"the operator {node.target} ({node.name}) gives it")


def _shape(node: Node) -> tuple[int, ...]:
    value: Any = node.meta.get("val")
    return tuple(int(size) for size in value.shape) if hasattr(value, "shape") else ()
