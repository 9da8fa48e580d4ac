"""The gate on a delegate's share of the work, and networks that no file can hold: sentences with layer, line and cure."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from builder.backends.coverage import explain_left, require_coverage
from builder.bundle import Coverage
from builder.errors import ConversionError, SourceError, VerificationError
from builder.graph.culprit import name_culprit
from builder.graph.model import Model
from builder.graph.origins import Origin
from builder.graph.refusals import refuse_what_no_file_holds
from builder.legalize.for_variant import collect_cures

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own, from within export


def coverage(**changes: object) -> Coverage:
    base = {"delegate": "xnnpack", "source": "file", "delegated_ops": 8, "total_ops": 10, "subgraphs": 2}
    return Coverage.model_validate({**base, "delegated_macs": 90, "total_macs": 100, **changes})


def test_a_share_below_the_required_one_is_refused_with_what_is_left() -> None:
    """Exit 5; a prediction says that it is one."""
    left = ("aten::convolution.out @3 in bank (model.py line 7): a cure",)
    with pytest.raises(
        VerificationError,
        match=r"xnnpack takes 90.0% .* is 98.0%; left: aten::convolution.out @3 in bank \(model.py line 7\)",
    ):
        require_coverage(coverage(left=left), 0.98)
    with pytest.raises(VerificationError, match="is predicted to take"):
        require_coverage(coverage(source="predicted"), 0.98)
    with pytest.raises(VerificationError, match="not known"):
        require_coverage(coverage(total_macs=None), 0.5)
    require_coverage(coverage(), 0.9)
    require_coverage(coverage(total_macs=None), None)


class Net(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.head, self.function = nn.Conv2d(3, 4, 1), function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.head(x))


def exported(function: Callable[[Tensor], Tensor]) -> torch.export.ExportedProgram:
    return torch.export.export(Net(function).eval(), (torch.rand(1, 3, 8, 8),))


def test_what_is_left_is_named_by_layer_line_and_cure() -> None:
    """From the converter's own origins where it has them, by the layer before it otherwise."""
    program = exported(lambda x: F.interpolate(x, scale_factor=2.0))
    origins = (Origin(op="upsample_nearest2d", layer="up", line="model.py line 4"),)
    by_origin = explain_left(coverage(left=("aten::upsample_nearest2d.vec_out @5",)), origins, program, collect_cures())
    assert by_origin.left == (
        "aten::upsample_nearest2d.vec_out @5 in up (model.py line 4): resize by a whole factor, or bilinear",
    )
    by_layer = explain_left(coverage(left=("RESIZE_NEAREST_NEIGHBOR resize after head",)), (), program, collect_cures())
    assert by_layer.left[0].startswith("RESIZE_NEAREST_NEIGHBOR resize after head (test_coverage.py line ")
    by_input = explain_left(
        coverage(left=("LESS less of input x", "LESS less of input y")), (), program, collect_cures()
    )
    assert by_input.left[0].startswith("LESS less of input x (test_coverage.py line ")
    assert by_input.left[1] == "LESS less of input y"


@torch.library.custom_op("tests::magic", mutates_args=())
def magic(x: Tensor) -> Tensor:
    return x * 2


@magic.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (magic, r"the custom operator 'tests::magic' \(test_coverage.py line \d+\)"),
        (
            lambda x: torch.cond(x.sum() > 0, lambda y: y + 1, lambda y: y - 1, (x,)),
            r"control flow on data \(cond\).*torch.where",
        ),
        (
            lambda x: F.dropout(x, 0.5, training=True),
            r"dropout in training mode \(test_coverage.py line \d+\); where forward asks for it, .* write training=self.training",
        ),
        (lambda x: x + torch.rand_like(x), "random numbers"),
        (lambda x: torch.fft.fft2(x).abs(), "complex numbers"),
        (lambda x: F.batch_norm(x, torch.zeros(4), torch.ones(4), training=True), "batch norm in training mode"),
    ],
)
def test_what_no_file_holds_is_refused_at_the_source(function: Callable[[Tensor], Tensor], sentence: str) -> None:
    """Before any converter starts, with the line of the user's own source."""
    with pytest.raises(SourceError, match=sentence):
        refuse_what_no_file_holds(exported(function))


def test_a_plain_network_is_not_refused() -> None:
    """Instance norm and dropout in evaluation mode are fine."""
    refuse_what_no_file_holds(exported(lambda x: F.dropout(F.instance_norm(x), training=False)))


def refusing(*names: str) -> Callable[[Model], None]:
    """A converter that refuses a network with one of these operators."""

    def lower(model: Model) -> None:
        if any(name in str(node.target) for node in model.program.graph.nodes for name in names):
            raise ConversionError("no")

    return lower


class Planted(nn.Module):
    """Eight convolutions, behind one of which stands an operator that is refused."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self.place = place
        self.layers = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1) for _ in range(8))

    def forward(self, x: Tensor) -> Tensor:
        for number, layer in enumerate(self.layers):
            y = torch.relu(layer(x))
            x = x + (torch.cumsum(y, 2) if number == self.place else y)
        return x


@pytest.mark.parametrize("place", [0, 3, 7])
def test_the_operator_that_does_not_convert_is_named(place: int) -> None:
    """By halves, wherever it stands; the line is that of the user's own source."""
    found = name_culprit(torch.export.export(Planted(place).eval(), (torch.rand(1, 4, 8, 8),)), refusing("cumsum"))
    assert found is not None
    assert re.fullmatch(
        r"the operator 'cumsum' \(test_coverage.py line \d+\) is what it refuses: without it the rest converts", found
    )


def test_only_an_operator_without_which_the_network_converts_is_named() -> None:
    """Two together are named together; where no operator is to blame, the sentence says what was tried."""
    both = exported(lambda x: torch.cumsum(torch.relu(x), 2) * torch.sin(x))
    assert "'cumsum'" in str(name_culprit(both, refusing("cumsum", "sin")))
    assert "'sin'" in str(name_culprit(both, refusing("cumsum", "sin")))
    assert "the scheme of a layer is to blame" in str(name_culprit(exported(torch.relu), refusing("cumsum")))
    everything = exported(lambda x: torch.relu(x).sin().cos().exp().sigmoid())
    assert "none of them is named as the cause" in str(name_culprit(everything, refusing("aten")))
