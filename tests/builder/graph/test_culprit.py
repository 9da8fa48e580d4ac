"""The search for the culprit on a real converter: planted at three places, named by operator and line, nobody else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from builder.backends import BACKENDS
from builder.errors import ConversionError
from builder.graph import culprit
from builder.graph.culprit import name_culprit
from builder.graph.model import Model
from builder.precision.layers import list_layers
from tests.builder.models import plan_of

pytestmark = pytest.mark.filterwarnings("ignore")  # the converter's own


class Planted(nn.Module):
    """Six convolutions and what stands between them; behind one of them a function that Core ML has not."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self.place = place
        self.layers = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1) for _ in range(6))

    def forward(self, x: Tensor) -> Tensor:
        for number, layer in enumerate(self.layers):
            y = torch.sigmoid(layer(x)) * x
            x = torch.special.bessel_j0(y) if number == self.place else torch.relu(y + x)
        return x.mean((2, 3))


@pytest.mark.parametrize("place", [0, 2, 5])
@pytest.mark.parametrize("hinted", [True, False])
def test_the_planted_operator_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int, hinted: bool
) -> None:
    """By the converter's own words where it names the operator, else by what it refuses alone."""
    monkeypatch.setattr(culprit, "TIME_S", 3600.0)  # a busy machine is no fault
    program = torch.export.export(Planted(place).eval(), (torch.rand(1, 4, 8, 8),))
    tried = []

    def lower(model: Model) -> None:
        tried.append(model)
        plan = plan_of(dict.fromkeys(list_layers(model.program).names(), "fp32"))
        BACKENDS["coreml"].lower(model, plan, "all", dict, tmp_path / f"{len(tried)}.mlpackage")

    told = ""
    if hinted:
        with pytest.raises(ConversionError) as refused:
            lower(_whole(program))
        told = str(refused.value)
        tried.clear()
    said = name_culprit(program, lower, told, floats=True)
    assert said is not None
    pattern = r"the operator 'special_bessel_j0' \(test_culprit.py line \d+\) is what it refuses: without it the rest converts"
    assert re.fullmatch(pattern, said), said
    assert len(tried) <= (3 if hinted else 7)


@pytest.mark.parametrize("told", ["", "there is no kthvalue here"])
def test_an_operator_with_several_results_is_named_itself(told: str) -> None:
    """Not what takes one of its results; and an operator beside it that is refused by itself alone is not named."""

    class Ranked(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.reshape(4, 64).kthvalue(3, 1).values * 2 + x.mean()

    program = torch.export.export(Ranked().eval(), (torch.rand(1, 4, 8, 8),))

    def lower(model: Model) -> None:
        calls = [str(node.target) for node in model.program.graph.nodes if node.op == "call_function"]
        if any("kthvalue" in call for call in calls) or calls == ["aten.reshape.default"]:
            raise ConversionError("refused")

    said = name_culprit(program, lower, told, floats=True)
    assert said is not None
    assert said.startswith("the operator 'kthvalue' ("), said


def _whole(program: torch.export.ExportedProgram) -> Model:
    from builder.graph.parts import cut_part

    model = cut_part(program, 1000)
    assert model is not None
    return model


def test_of_two_that_are_refused_together_both_are_named() -> None:
    """Each converts by itself, so neither is to blame alone."""

    class Pair(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            wide = torch.tanh(x.expand(-1, 4, -1, -1))
            return torch.sigmoid(wide * 2).sum(1)

    program = torch.export.export(Pair().eval(), (torch.rand(1, 1, 8, 8),))

    def lower(model: Model) -> None:
        for source in [node for node in model.program.graph.nodes if "aten.sigmoid" in str(node.target)]:
            above = source
            while above.all_input_nodes:
                above = above.all_input_nodes[0]
                if "expand" in str(above.target):
                    raise ConversionError("refused")

    said = name_culprit(program, lower, floats=True)
    assert said is not None
    pattern = r"the operators 'expand' \(.+\) and 'sigmoid' \(.+\) are what it refuses together: without the latter the rest converts"
    assert re.fullmatch(pattern, said), said


def test_what_only_reads_a_refused_result_is_innocent() -> None:
    """A slice of everything is no network by itself; with its result given the refused one is gone as well."""

    class Read(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * torch.linalg.svdvals(x)[..., :8].sum()

    program = torch.export.export(Read().eval(), (torch.rand(1, 4, 8, 8),))

    def lower(model: Model) -> None:
        calls = [str(node.target) for node in model.program.graph.nodes if node.op == "call_function"]
        if any("svdvals" in call for call in calls) or calls == ["aten.slice.Tensor"]:
            raise ConversionError("refused")

    said = name_culprit(program, lower, floats=True)
    assert said is not None
    assert "'linalg_svdvals'" in said
    assert "slice" not in said
