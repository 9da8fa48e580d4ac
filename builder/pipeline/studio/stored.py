"""Bytes of weights by layer, as a bundle's own files hold them."""

from __future__ import annotations

from collections.abc import Sequence

from builder.backends import BACKENDS
from builder.backends.base import StoredLayer
from builder.bundle import Bundle, Variant
from builder.errors import EdgebundleError


class Unread(Exception):
    """Why there are no bytes by layer; a sentence."""


def read_layer_bytes(bundle: Bundle, variant: Variant) -> dict[str, int]:
    """Raises Unread for a file that cannot be read here, or whose operations are not told to be of layers."""
    names = [row.layer for row in variant.layers]
    try:
        stored = BACKENDS[variant.backend].read_stored_layers(bundle.path(variant.file))
    except KeyError as error:
        raise Unread(f"no backend {variant.backend} is here to read the file") from error
    except (EdgebundleError, ImportError) as error:
        raise Unread(str(error).rstrip(".")) from error
    return _by_name(stored, names) or _by_order(stored, names)


def _by_name(stored: Sequence[StoredLayer], names: Sequence[str]) -> dict[str, int] | None:
    """Where the file has the names of the layers, as the builder writes them where a format can hold any."""
    sizes = {op.name: op.weight_bytes for op in stored}
    if len(sizes) < len(stored) or not set(names) <= sizes.keys():
        return None
    return {name: sizes[name] for name in names}


def _by_order(stored: Sequence[StoredLayer], names: Sequence[str]) -> dict[str, int]:
    if len(stored) != len(names):
        raise Unread(
            f"its file has {len(stored)} operations with weights for {len(names)} layers, and does not name them"
        )
    return {name: op.weight_bytes for name, op in zip(names, stored, strict=True)}
