"""The backends: one folder each, none imports another.

A new backend is a folder here and a line below. The folder's `spec.py` says all that other rooms know of it; its functions are those of
`base.Backend`. Importing this package loads no converter and no model of pydantic.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from builder.backends import coreml, executorch, tflite
from builder.errors import BundleError

if TYPE_CHECKING:
    from builder.backends.base import Backend
    from builder.backends.spec import BackendSpec

BACKENDS: dict[str, Backend] = {
    "tflite": tflite,
    "coreml": coreml,
    "executorch": executorch,
}


def list_backends(suffixes: Collection[str]) -> list[str]:
    """The names of those whose artifacts end so."""
    return [name for name, backend in BACKENDS.items() if backend.SPEC.suffix in suffixes]


def find_spec(name: str) -> BackendSpec | None:
    """What the backend of a bundle's variant says of itself; None for one that only another edgebundle knows."""
    return BACKENDS[name].SPEC if name in BACKENDS else None


def find_backend(name: str, *, variant: str) -> Backend:
    """The backend of a bundle's variant. Raises BundleError for one that only another edgebundle knows."""
    if name not in BACKENDS:
        raise BundleError(
            f"variant {variant!r} is for the backend {name!r}, which this edgebundle does not have (it has {', '.join(BACKENDS)}); "
            "rebuild the bundle with 'builder convert'."
        )
    return BACKENDS[name]
