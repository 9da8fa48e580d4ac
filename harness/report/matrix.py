"""Variants by devices at one glance: how long each takes on each, and how many times the reference variant that is."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.grouping import label_device
from harness.report import text
from harness.report.model import Entry
from harness.report.view import Cell, Matrix, MatrixRow


def make_matrix(entries: Sequence[Entry], anchors: dict[str, str]) -> Matrix | None:
    """Devices that tell latencies, each a row; None where there is one device or one variant. `anchors` are the devices' places on the page.

    The reference is the variant that is good on most devices, of several the first in the bundle's order. What is not ok has no factor.
    """
    timed = [entry for entry in entries if entry.run.metric == "latency" and not entry.run.protocol.sustained]
    variants = list(dict.fromkeys(entry.name for entry in timed))
    by_device: dict[str, dict[str, Entry]] = {}
    for entry in timed:
        by_device.setdefault(label_device(entry.run), {})[entry.name] = entry
    if len(by_device) < 2 or len(variants) < 2:
        return None
    counts = {name: sum(_level(row.get(name)) is not None for row in by_device.values()) for name in variants}
    reference = max(variants, key=lambda name: counts[name])
    return Matrix(
        reference=reference,
        variants=tuple(variants),
        rows=tuple(
            MatrixRow(
                device=device,
                anchor=anchors.get(device, ""),
                simulated=next(iter(row.values())).run.simulated,
                cells=_cells(row, variants, reference),
            )
            for device, row in by_device.items()
        ),
    )


def _cells(row: dict[str, Entry], variants: Sequence[str], reference: str) -> tuple[Cell, ...]:
    base = _level(row.get(reference))
    levels = {name: level for name in variants if (level := _level(row.get(name))) is not None}
    fastest = min(levels, key=lambda name: levels[name], default=None)
    return tuple(_cell(row.get(name), base, fastest=name == fastest and len(levels) > 1) for name in variants)


def _cell(entry: Entry | None, base: float | None, *, fastest: bool) -> Cell:
    if entry is None:
        return Cell(time=text.DASH, factor="", grade="none", fastest=False)
    level = _level(entry)
    if level is None:
        return Cell(time=entry.verdict.grade, factor="", grade=entry.verdict.grade, fastest=False)
    factor = f"{text.TIMES}{level / base:.2f}" if base else ""
    return Cell(time=text.format_milliseconds(level), factor=factor, grade="ok", fastest=fastest)


def _level(entry: Entry | None) -> float | None:
    """Of a good measurement, in ns."""
    if entry is None or entry.verdict.grade != "ok" or entry.level is None:
        return None
    return entry.level.value
