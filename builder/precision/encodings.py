"""AIMET's `.encodings`: the ranges of activations that its tools found or learned, as ranges of a plan.

Its public specification ("Encoding Format Specification") has three forms of an entry: with `min` and `max` (up to 0.6, by
tensor, or by module with `input` and `output`), with lists `scale` and `offset` and `bw` (1.0), and with `y_scale`,
`y_zero_point` and `output_dtype` (2.0). Only 8 bits by tensor are taken; weights keep the product's own scales.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from builder.errors import ConfigError
from builder.precision.stated import RangeRule, Side

# Bytes of a file that is no list of ranges.
_TOO_LARGE = 64 << 20
_SUFFIX = re.compile(r"(_output_\d+|:\d+)$")
_OPERATION = re.compile(r"/[A-Z][A-Za-z0-9]*(_\d+)?$")


def read_encodings(path: Path) -> tuple[RangeRule, ...]:
    """Raises ConfigError for a file that is not one, or has no activation of 8 bits."""
    try:
        if path.stat().st_size > _TOO_LARGE:
            raise ConfigError(
                f"{path} has {path.stat().st_size} bytes, more than any file of encodings; correct 'encodings'."
            )
        content = json.loads(path.read_text(encoding="utf-8"))
        rules = tuple(_rules(content))
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist; correct 'encodings' in the plan.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ConfigError(
            f"{path} is no file of AIMET's encodings ({type(error).__name__}: {error}); correct 'encodings'."
        ) from error
    if not rules:
        raise ConfigError(
            f"{path} has no activation of 8 bits with one scale; state ranges as [[range]], or export it with such."
        )
    return rules


def _rules(content: dict[str, Any]) -> Iterator[RangeRule]:
    entries = content.get("activation_encodings", content.get("encodings"))
    if isinstance(entries, dict):
        for name, entry in entries.items():
            if isinstance(entry, list):
                yield from _one(name, "output", entry[0] if len(entry) == 1 else {})
            else:  # by module
                for side in ("input", "output"):
                    of_side = entry.get(side) or {}
                    if "0" in of_side:
                        yield from _one(name, side, of_side["0"])
    else:
        for entry in entries or ():
            yield from _one(str(entry["name"]), "output", entry)


def _one(name: str, side: Any, entry: dict[str, Any]) -> Iterator[RangeRule]:
    edges = _edges(entry)
    if edges is not None:
        low, high = min(edges[0], 0.0), max(edges[1], 0.0)
        of: Side = side
        yield RangeRule(layer=_layer(name), of=of, low=low, high=high, imported=True)


def _edges(entry: dict[str, Any]) -> tuple[float, float] | None:
    if "y_scale" in entry:
        kind, scale = str(entry.get("output_dtype", "uint8")), entry["y_scale"]
        if kind not in ("int8", "uint8") or isinstance(scale, list):
            return None
        zero = int(entry.get("y_zero_point") or 0)
        lowest = -128 if kind == "int8" else 0
        return (lowest - zero) * float(scale), (lowest + 255 - zero) * float(scale)
    if str(entry.get("dtype", "int")).lower() != "int" or int(entry.get("bitwidth", entry.get("bw", 0))) != 8:
        return None
    if "min" in entry and "max" in entry:
        return float(entry["min"]), float(entry["max"])
    scale, offset = entry["scale"], entry["offset"]
    if isinstance(scale, list):
        if len(scale) != 1:
            return None
        scale, offset = scale[0], offset[0]
    return float(scale) * int(offset), float(scale) * (int(offset) + 255)


def _layer(name: str) -> str:
    """`/blocks.0/dw/Conv_output_0` of an exporter is `blocks.0.dw`; a module's name is a layer's already."""
    short = _SUFFIX.sub("", name)
    if short.startswith("/"):
        short = _OPERATION.sub("", short)
    return short.strip("/").replace("/", ".")
