"""Which operators and delegates of an ExecuTorch program the packaged library executes: its own registry against the program's lists.

The library registers each kernel by its name, `aten::add.out`, and each delegate by its identifier, `XnnpackBackend`: these texts are
its registry, and a name that does not stand in the library is not registered. A program names both (executorch/schema/program.fbs).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from builder.targets.android.audit import flatbuffer

IDENTIFIER = slice(4, 8)
# Of Program.
PLANS = 1
# Of ExecutionPlan.
OPERATORS, DELEGATES = 6, 7
# Of Operator.
NAME, OVERLOAD = 0, 1
# Of BackendDelegate.
ID = 0


@dataclass(frozen=True, kw_only=True)
class Program:
    """What a program asks of its runtime: the identifier of its file format, kernels by name, delegates."""

    identifier: bytes
    operators: tuple[str, ...]
    delegates: tuple[str, ...]


def read_program(model: bytes) -> Program:
    """Raises ValueError for what is no ExecuTorch program."""
    identifier = model[IDENTIFIER]
    if not identifier.startswith(b"ET"):
        raise ValueError("its identifier is missing")
    operators: set[str] = set()
    delegates: set[str] = set()
    try:
        for plan in flatbuffer.read_tables(model, flatbuffer.read_offset(model, 0), PLANS):
            for table in flatbuffer.read_tables(model, plan, OPERATORS):
                name, overload = flatbuffer.read_text(model, table, NAME), flatbuffer.read_text(model, table, OVERLOAD)
                operators.add(f"{name}.{overload}" if overload else name)
            delegates.update(
                flatbuffer.read_text(model, table, ID) for table in flatbuffer.read_tables(model, plan, DELEGATES)
            )
    except (struct.error, OverflowError) as error:
        raise ValueError(f"it is cut short ({error})") from error
    return Program(identifier=identifier, operators=tuple(sorted(operators)), delegates=tuple(sorted(delegates)))


def find_refused(model: bytes, library: bytes) -> list[str]:
    """What of a program that library does not execute, in words. Raises ValueError for what is no ExecuTorch program."""
    program = read_program(model)
    problems = []
    if program.identifier not in library:
        problems.append(f"the file format {program.identifier.decode(errors='replace')}, which it does not read")
    problems += [
        f"the operator {name}, which it does not have"
        for name in program.operators
        if not _is_registered(name, library)
    ]
    problems += [
        f"the delegate {name}, which it does not have"
        for name in program.delegates
        if not _is_registered(name, library)
    ]
    return problems


def _is_registered(name: str, library: bytes) -> bool:
    return name.encode() + b"\0" in library
