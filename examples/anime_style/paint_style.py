"""Paints the style picture: `python examples/anime_style/paint_style.py` writes style.png, always the same pixels."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from training.painting import BLOSSOM_STROKES, paint  # noqa: E402

if __name__ == "__main__":
    paint(BLOSSOM_STROKES, size=384, seed=11).save(HERE / "style.png")
