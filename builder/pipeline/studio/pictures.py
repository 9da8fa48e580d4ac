"""PNG files of the page by key: read from the results that have them, never from a path that a page names."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image

from builder.pipeline.studio.view import Picture
from builder.quality.difference import compute_differences, encode_png


class Pictures:
    """Grows with the trials of one session; a picture that is there twice is kept once."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}
        self._made: dict[tuple[str, Path, Path | None], Picture] = {}
        self._lock = Lock()

    def get(self, key: str) -> bytes | None:
        return self._kept.get(key)

    def add(self, title: str, file: Path, reference: Path | None) -> Picture:
        """A picture file, and its difference from another one of its size. Files of results do not change."""
        if (known := self._made.get((title, file, reference))) is None:
            known = self._made[title, file, reference] = self._make(title, file, reference)
        return known

    def _make(self, title: str, file: Path, reference: Path | None) -> Picture:
        content = file.read_bytes()
        if reference is None:
            return Picture(title=title, picture=self._keep(content))
        wanted, mine = (np.asarray(Image.open(io.BytesIO(c)).convert("RGB")) for c in (reference.read_bytes(), content))
        if wanted.shape != mine.shape:
            return Picture(title=title, picture=self._keep(content))
        apart, times = compute_differences({title: mine}, wanted)
        return Picture(
            title=title, picture=self._keep(content), difference=self._keep(encode_png(apart[title])), times=times
        )

    def _keep(self, content: bytes) -> str:
        key = hashlib.sha256(content).hexdigest()[:32]
        with self._lock:
            self._kept[key] = content
        return key
