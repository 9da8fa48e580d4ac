"""SavedModels and Keras 2 files."""

from __future__ import annotations

from pathlib import Path

from builder.config import Config
from builder.sources.loaded import Loaded


def load(path: Path, config: Config) -> Loaded:
    raise NotImplementedError
