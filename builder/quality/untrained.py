"""Weights that were never trained: a checkpoint of zeros makes a network that gives back its input, or one colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.errors import SourceError

if TYPE_CHECKING:
    from builder.graph.model import Model

# Layers that a warning names.
NAMED = 3


def look_for_zeros(model: Model) -> tuple[str, ...]:
    """A warning where some layers have nothing but zeros for weights. Raises SourceError where all of them do."""
    layers = model.layers.layers
    zeros = [
        layer.name for layer in layers if layer.weight in model.program.state_dict and not model.weight(layer).any()
    ]
    if not zeros:
        return ()
    if len(zeros) == len(layers):
        raise SourceError(
            "all weights of the model are zero: its checkpoint was saved before it was trained, or none of its values were read; "
            "save it again after the training, and look at it with `builder inspect`."
        )
    named = ", ".join(repr(name) for name in zeros[:NAMED]) + (", ..." if len(zeros) > NAMED else "")
    return (
        f"{len(zeros)} of {len(layers)} layers have nothing but zeros for weights and give their bias alone: {named}",
    )
