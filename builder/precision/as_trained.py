"""Whether a file holds what a checkpoint was trained for, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from builder.precision.layers import Layer
from builder.precision.quantizers import Integers, find_difference
from builder.precision.scheme import AS_TRAINED, Scheme

Held = Callable[[str], Sequence[Integers | None]]
"""What the calls of a layer in a file compute with, in order of execution; None for a call that is not of 8-bit integers."""


def mark_as_trained(
    schemes: Mapping[str, str], wanted: Mapping[str, tuple[Integers, ...]], held: Held
) -> dict[str, str]:
    """The realised schemes, with `as_trained` for each layer whose integers are the checkpoint's.

    `schemes` are what the file's operators do, `wanted` is empty for a network of floats. A layer that differs gets a
    description that is no scheme's name.
    """
    if not wanted:
        return dict(schemes)
    return {layer: _one(scheme, wanted.get(layer), layer, held) for layer, scheme in schemes.items()}


def _one(scheme: str, calls: tuple[Integers, ...] | None, layer: str, held: Held) -> str:
    if calls is None:  # the checkpoint has floats there
        return scheme
    stored = held(layer)
    if len(stored) != len(calls):
        return f"{len(stored)} calls instead of {len(calls)}"
    for call, mine in zip(calls, stored, strict=True):
        wrong = f"{scheme}, not the checkpoint's integers" if mine is None else find_difference(call, mine)
        if wrong is not None:
            return wrong
    return AS_TRAINED


def without_integers(layer: Layer, scheme: Scheme) -> str | None:
    """Why a layer cannot be as trained, on any backend, or None."""
    if scheme.mode != "trained" or layer.trained:
        return None
    return f"the checkpoint has no integers for {layer.name!r}; use fp32 there."
