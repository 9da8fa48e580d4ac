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


def pack(array: np.ndarray[Any, Any]) -> str:
    """An array's little-endian bytes, as base64."""
    return base64.b64encode(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()).decode()


def unpack(text: str, kind: str) -> np.ndarray[Any, Any]:
    return np.frombuffer(base64.b64decode(text), kind)


def make_texts() -> dict[str, str]:
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
        "tiling.json": (tiling.ABOUT, tiling.make_cases),
        "pictures.json": (pictures.ABOUT, pictures.make_cases),
        "transparency.json": (pictures.TRANSPARENCY, pictures.make_transparent),
        "sparse.json": (sparse.ABOUT, sparse.make_cases),
        "carrying.json": (carrying.ABOUT, carrying.make_cases),
        "yuv.json": (yuv.ABOUT, yuv.make_cases),
        "verdicts.json": (verdicts.ABOUT, verdicts.make_cases),
        "probes.json": (probes.ABOUT, probes.make_cases),
        "phones.json": (phones.ABOUT, phones.make_cases),
        "choice.json": (choice.ABOUT, choice.make_cases),
        "browsers.json": (browsers.ABOUT, browsers.make_cases),
        "labels.json": (labels.ABOUT, labels.make_cases),
    }
    return {name: _text(about, make()) for name, (about, make) in files.items()}


def _text(about: str, cases: list[Case]) -> str:
    return json.dumps({"about": about, "cases": cases}, indent=1, ensure_ascii=False) + "\n"
