"""A file is run once before anything is said of it, on inputs that are numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from builder.backends.tflite.loading import require_running
from tests.small_models import make_small_models


def test_the_first_run_is_on_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs that nobody sets hold what lay in memory: a NaN there refused networks that read by computed places, now and then."""
    seen: list[Any] = []

    class Watched(Interpreter):  # type: ignore[misc]  # without types
        def invoke(self) -> None:
            seen.extend(self.get_tensor(tensor["index"]) for tensor in self.get_input_details())
            super().invoke()

    monkeypatch.setattr("ai_edge_litert.interpreter.Interpreter", Watched)
    require_running(make_small_models().tflite.read_bytes(), "the converter")
    (noise,) = seen
    assert noise.min() >= 0
    assert noise.max() <= 1
    assert np.unique(noise).size > noise.size / 2
