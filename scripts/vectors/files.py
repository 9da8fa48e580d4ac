"""The vector files: one JSON object each, with `about`, a sentence for the reader, and `cases`."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "formats" / "vectors"

Case = dict[str, Any]


def packed(array: np.ndarray[Any, Any]) -> str:
    """An array's little-endian bytes, as base64."""
    return base64.b64encode(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()).decode()


def unpacked(text: str, kind: str) -> np.ndarray[Any, Any]:
    return np.frombuffer(base64.b64decode(text), kind)


def texts() -> dict[str, str]:
    """The text of every file by its name."""
    from scripts.vectors import (
        browsers,
        carrying,
        choice,
        labels,
        phones,
        pictures,
        probes,
        sparse,
        tiling,
        verdicts,
        yuv,
    )

    files: dict[str, tuple[str, Callable[[], list[Case]]]] = {
        "tiling.json": (tiling.ABOUT, tiling.cases),
        "pictures.json": (pictures.ABOUT, pictures.cases),
        "transparency.json": (pictures.TRANSPARENCY, pictures.transparent),
        "sparse.json": (sparse.ABOUT, sparse.cases),
        "carrying.json": (carrying.ABOUT, carrying.cases),
        "yuv.json": (yuv.ABOUT, yuv.cases),
        "verdicts.json": (verdicts.ABOUT, verdicts.cases),
        "probes.json": (probes.ABOUT, probes.cases),
        "phones.json": (phones.ABOUT, phones.cases),
        "choice.json": (choice.ABOUT, choice.cases),
        "browsers.json": (browsers.ABOUT, browsers.cases),
        "labels.json": (labels.ABOUT, labels.cases),
    }
    return {name: _text(about, make()) for name, (about, make) in files.items()}


def _text(about: str, cases: list[Case]) -> str:
    return json.dumps({"about": about, "cases": cases}, indent=1, ensure_ascii=False) + "\n"
