"""The source network in operators that every backend has: rewrites that are made once, before any backend sees the program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.legalize import REWRITES
from builder.legalize.legalizer import legalize

if TYPE_CHECKING:
    from torch.export import ExportedProgram

AT_SOURCE = (
    "autocast",
    "aliases",
    "comparisons",
    "running_values",
    "special_functions",
    "checks",
    "memory_layout",
    "mutations",
    "indexed_writes",
    "complex_numbers",
    "constant_folding",
    "repetitions",
    "scalars",
    "unpooling",
    "sorting",
    "pooling",
    "convolutions",
    "transposed_forms",
    "recurrences",
    "products",
    "unfolding",
    "circular_padding",
    "constant_padding",
    "volume_sampling",
    "constant_folding",  # once more: weights that were turned round
)


AFTER_THE_GATE = ("half_precision",)  # an import is compared with its file in the file's own precision


def in_float32(program: ExportedProgram) -> ExportedProgram:
    """The program without fp16 and bfloat16 inside."""
    return legalize(program, AFTER_THE_GATE, REWRITES)[0]


def make_plain(program: ExportedProgram) -> ExportedProgram:
    """The program with these rewrites made, each proven on noise; a program that needs none is returned as it is."""
    return legalize(program, AT_SOURCE, REWRITES)[0]
