"""A file that the runtime refuses is never handed on: the fewest layers that it takes stay fp32, and are named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from builder.backends import executorch
from builder.backends.executorch.loading import find_refusal, keep_least
from builder.errors import ConversionError
from builder.graph.model import Model
from builder.legalize import REWRITES
from builder.legalize.legalizer import legalize
from builder.precision.plan import ResolvedPlan
from tests.builder.models import expected, make_picture_model, plan_of, rewrites_for, samples, seeded

pytestmark = pytest.mark.filterwarnings("ignore")  # the converters' own


class Unet(nn.Module):
    """Pooling, a transposed convolution and a skip connection around both: what no int8 file of stock lowering loads."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.down = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.up, self.tail = nn.ConvTranspose2d(8, 8, 2, 2), nn.Conv2d(24, 3, 3, padding=1)
        self.second = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        x = torch.relu(self.head(image))
        deep = self.up(F.mish(self.down(F.max_pool2d(x, 2, 2))))
        return self.tail(torch.cat([x, deep, torch.relu(self.second(x))], 1))


def lower_in_int8(model: Model, path: Path) -> dict[str, str]:
    """The layers that were kept in fp32; the file agrees with the network."""
    names = model.layers.names()
    seen = executorch.observe(model, list(samples(model)))
    lowered = executorch.lower(model, plan_of(dict.fromkeys(names, "static_wi8_ai8")), "xnnpack", lambda: seen, path)
    sample = next(samples(model))
    got = executorch.runner(path, lowered.inputs, lowered.outputs, 1)(sample)["stylized"]
    assert np.abs(got - expected(model, sample)["stylized"]).max() < 0.02
    return lowered.kept


def test_int8_over_pooling_concatenation_and_transposed_convolution_loads_and_agrees(tmp_path: Path) -> None:
    """All five layers in integers, once the activation between them is one that XNNPACK has."""
    model = make_picture_model(seeded(Unet))
    program, _ = legalize(model.program, rewrites_for("executorch"), REWRITES)
    path = tmp_path / "a.pte"
    assert lower_in_int8(replace(model, program=program), path) == {}
    assert set(executorch.read_back(path, model).values()) == {"static_wi8_ai8"}
    assert str(find_refusal(b"no file", model)).startswith("does not load")


def test_a_layer_whose_integers_the_runtime_refuses_stays_in_fp32(tmp_path: Path) -> None:
    """Without that rewrite the file of all integers loads and does not run: one layer in fp32 makes it run, and is named."""
    kept = lower_in_int8(make_picture_model(seeded(Unet)), tmp_path / "a.pte")
    assert len(kept) == 1
    assert "the file does not run" in next(iter(kept.values()))


def test_the_fewest_layers_stay_in_fp32() -> None:
    """Found by halves, each with what the runtime said; where floats are refused too, or most are, it is an error."""
    plan = plan_of(dict.fromkeys("abcdefgh", "static_wi8_ai8"))
    tried = []

    def refusing(*names: str):  # type: ignore[no-untyped-def]
        def attempt(asked: ResolvedPlan) -> str | None:
            tried.append(asked)
            return "does not load: 0x1" if any(asked.scheme(name).has_integers for name in names) else None

        return attempt

    found, kept = keep_least(plan, "does not load: 0x1", refusing("c", "g"))
    assert kept == dict.fromkeys(("c", "g"), "with it in static_wi8_ai8 the file does not load: 0x1")
    assert [name for name in "abcdefgh" if found.scheme(name).name == "fp32"] == ["c", "g"]
    assert len(tried) <= 10
    with pytest.raises(ConversionError, match="with all layers in fp32 too"):
        keep_least(plan, "does not load", lambda asked: "does not load")
    with pytest.raises(ConversionError, match="'a', 'b', 'c' in fp32 as well"):
        keep_least(plan, "does not load", refusing(*"abcdef"))
