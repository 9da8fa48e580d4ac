"""What layer tables, rewrites and backends alike ask of an exported program and of what it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.export import ExportedProgram


def find_keys_of_stored(program: ExportedProgram) -> dict[str, str]:
    """The state-dict key of every parameter and buffer, by the name of its placeholder in the graph."""
    signature = program.graph_signature
    return {**signature.inputs_to_parameters, **signature.inputs_to_buffers}


def in_list(result: Any) -> list[Any]:
    """What a module or an operator gives, one tensor or several, as a list."""
    return list(result) if isinstance(result, tuple | list) else [result]
