"""What runs the files of a backend outside of an app: what the backend says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.backends import find_spec

if TYPE_CHECKING:
    from builder.backends.spec import Engine, Program


def find_engine(backend: str) -> Engine | str:
    """The engine that executes its files, or why there is none (half a sentence)."""
    spec = find_spec(backend)
    if spec is None:
        return f"this edgebundle does not have the backend {backend!r}"
    return spec.engine or spec.no_engine


def find_program(backend: str) -> tuple[Engine, Program] | str:
    """The engine and its program for a device's shell, or why there is none (half a sentence)."""
    engine = find_engine(backend)
    if isinstance(engine, str):
        return engine
    return (engine, engine.program) if engine.program is not None else f"{engine.name} has no program for a shell"
