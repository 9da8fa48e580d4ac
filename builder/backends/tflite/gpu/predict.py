"""What the GPU accelerator will probably take of a file that is not executed: by what it took of the files that were.

`executed_ops.toml` is written by `scripts/gpu_ops.py` from the accelerator's own words on the corpus in all schemes.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from builder.backends.tflite.flatbuffer import load_model
from builder.backends.tflite.gpu.words import describe_coverage
from builder.backends.tflite.graph import Op, read_graph
from builder.bundle import Coverage

TABLE = Path(__file__).with_name("executed_ops.toml")


def predict_gpu_coverage(path: Path) -> Coverage:
    """Operators by kind and version; one part of the graph goes to the GPU."""
    return describe_coverage(read_graph(load_model(path)), _why, "predicted")


def _why(op: Op) -> str | None:
    taken, left = _table()
    key = f"{op.name} {op.version}"
    return None if key in taken else left.get(key, "no file with it was executed")


@cache
def _table() -> tuple[frozenset[str], dict[str, str]]:
    """`OPERATOR version` of what was taken of every file, and why others were left."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return frozenset(table["taken"]), dict(table["left"])
