"""A kept model answers as the model that it was kept of, and loads its program only when somebody asks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from builder.graph.kept import KeptModel, keep
from tests.builder.models import Mixed, make_picture_model, seeded


@pytest.mark.filterwarnings("ignore")  # deprecations inside torch.export
def test_a_kept_model_has_the_weights_biases_and_calls_of_its_program(tmp_path: Path) -> None:
    """Each value bit by bit; the program itself once, and not before."""
    model = make_picture_model(seeded(Mixed))
    keep(model, tmp_path)
    loaded = []

    def load() -> object:
        loaded.append(1)
        return model.program

    kept = KeptModel(tmp_path, inputs=model.inputs, outputs=model.outputs, layers=model.layers, load=load)  # type: ignore[arg-type]
    assert kept.calls() == model.calls()
    for layer in model.layers.layers:
        np.testing.assert_array_equal(kept.weight(layer), model.weight(layer))
        np.testing.assert_array_equal(kept.bias(layer), model.bias(layer))
    assert not loaded
    assert kept.program is model.program
    assert kept.program is model.program
    assert loaded == [1]
