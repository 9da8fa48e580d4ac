"""Writes anime_style.safetensors (fp32, 8.6 MB, ignored by git) from the fp16 weights that the repository keeps.

`python examples/anime_style/prepare.py`: widening fp16 to fp32 is exact, so the result is always the same file.
"""

from __future__ import annotations

import sys
from pathlib import Path

from safetensors.torch import load_file

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from model import create  # noqa: E402
from training.checkpoint import save_weights  # noqa: E402

KEPT = HERE / "anime_style_fp16.safetensors"
RESULT = HERE / "anime_style.safetensors"

if __name__ == "__main__":
    network = create()
    network.load_state_dict(load_file(KEPT))
    save_weights(RESULT, network)
    print(f"{RESULT.name}: {RESULT.stat().st_size:,} bytes")
