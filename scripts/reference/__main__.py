"""Write docs/reference: run it after a change of a model, a parser or a public docstring (`make reference`)."""

from __future__ import annotations

import os
from pathlib import Path

os.environ["COLUMNS"] = "100"  # argparse wraps by it

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"

if __name__ == "__main__":
    from scripts.reference.pages import make_pages

    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in make_pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
