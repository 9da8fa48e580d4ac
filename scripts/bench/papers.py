"""Whole networks from papers on three backends in fp32, fp16 and int8: which cells are right, and what the others say.

Some fifteen minutes on two free cores, in one warm process; `python scripts/bench/everyday.py` judges single projects.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

from bench.everyday import Cell, judge, silencing
from bench.table import ROOT, Row

sys.path.insert(0, str(ROOT))

LEAST_PART = 0.97


def measure() -> list[Row]:
    """A row for each network, and all cells together."""
    from tests.papers.projects import PAPERS, write_project

    warnings.simplefilter("ignore")
    rows, cells = [], []
    for name in PAPERS:
        with tempfile.TemporaryDirectory(prefix="edgebundle-bench-") as folder, silencing():
            write_project(name, Path(folder) / name)
            (Path(folder) / "work").mkdir()
            found = judge(Path(folder) / name, Path(folder) / "work")
        cells += found
        rows.append(
            Row(
                what=name,
                figure="right on all backends, or refused by name",
                measured="; ".join(map(say, found)),
                reached=all(cell.verdict in ("right", "unproven", "refused") for cell in found),
            )
        )
        print(f"{name}: {rows[-1].measured}", file=sys.stderr, flush=True)
    right = sum(cell.verdict == "right" for cell in cells)
    bad = sum(cell.verdict in ("wrong", "traceback") for cell in cells)
    rows.append(
        Row(
            what=f"{len(PAPERS)} networks x 3 backends x 3 precisions",
            figure=f">= {LEAST_PART:.0%} right, none wrong, no traceback",
            measured=f"{right} of {len(cells)} ({right / len(cells):.1%}), {bad} wrong or with a traceback",
            reached=right / len(cells) >= LEAST_PART and not bad,
        )
    )
    return rows


def say(cell: Cell) -> str:
    return f"{cell.variant} {cell.text if cell.verdict == 'right' else f'{cell.verdict.upper()}: {cell.text}'}"
