"""What runs the files of a backend outside of an app: what the backend says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.backends import spec_of

if TYPE_CHECKING:
    from builder.backends.spec import Engine, Program


def engine_of(backend: str) -> Engine | str:
    """The engine that executes its files, or why there is none (half a sentence)."""
    spec = spec_of(backend)
    if spec is None:
        return f"this edgebundle does not have the backend {backend!r}"
    return spec.engine or spec.no_engine


def program_of(backend: str) -> tuple[Engine, Program] | str:
    """The engine and its program for a device's shell, or why there is none (half a sentence)."""
    engine = engine_of(backend)
    if isinstance(engine, str):
        return engine
    return (engine, engine.program) if engine.program is not None else f"{engine.name} has no program for a shell"
