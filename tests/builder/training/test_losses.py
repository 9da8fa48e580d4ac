"""Losses: each term is zero for the teacher's own output and teaches, a loss of the user's own is called, and a bad one is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from builder.bundle import TensorSpec
from builder.errors import ConfigError, ConversionError, SourceError
from builder.project.compression import CompressSection
from builder.quality.style import gram
from builder.sources.own_code import find_own_callable
from builder.training.loop import train
from builder.training.objective import Objective, OwnLoss, Weights
from tests.builder.training.test_training import SETTINGS, SPEC, forever, lesson, network

pytestmark = pytest.mark.filterwarnings("ignore")

SCORES = TensorSpec(name="scores", kind="vector", shape=(1, 5))
NONE = {"output": 0.0}


@pytest.mark.parametrize("term", ["output", "kl", "content", "gram"])
def test_a_term_between_pictures_is_least_for_the_teachers_own(term: str) -> None:
    """And gradients pull another picture towards it."""
    torch.manual_seed(0)
    objective = Objective((SPEC,), Weights(**{**NONE, term: 1.0}))
    want = torch.rand(1, 3, 32, 32)
    other = torch.rand(1, 3, 32, 32, requires_grad=True)
    same, apart = objective([want], [want], want), objective([other], [want], want)
    assert float(same) == pytest.approx(0, abs=1e-6)
    assert float(apart) > 1e-4
    apart.backward()  # type: ignore[no-untyped-call]
    assert other.grad is not None
    moved = other.detach() - 0.01 * other.grad / other.grad.abs().max()
    assert float(objective([moved], [want], want)) < float(apart)


def test_terms_between_classes_are_those_of_torch() -> None:
    """Divergence at a temperature, and cross-entropy with the teacher's class; both against their definitions."""
    got, want = torch.randn(4, 5), torch.randn(4, 5)
    kl = float(Objective((SCORES,), Weights(**NONE, kl=1.0, temperature=3.0))([got], [want], got))
    p, q = torch.softmax(want / 3, 1), torch.softmax(got / 3, 1)
    assert kl == pytest.approx(float((p * (p / q).log()).sum(1).mean() * 9), rel=1e-4)
    ce = float(Objective((SCORES,), Weights(**NONE, ce=1.0))([got], [want], got))
    assert ce == pytest.approx(float(-torch.log_softmax(got, 1)[torch.arange(4), want.argmax(1)].mean()), rel=1e-5)


def test_colours_in_another_order_and_range_are_the_same_picture() -> None:
    """Features see RGB in 0..1, whatever the network gives."""
    torch.manual_seed(0)
    one, other = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    weights = Weights(**NONE, content=1.0, gram=0.5)
    plain = Objective((SPEC,), weights)([one], [other], one)
    turned = SPEC.model_copy(update={"range": (-1.0, 1.0), "color_order": "BGR"})
    again = Objective((turned,), weights)([(one * 2 - 1).flip(1)], [(other * 2 - 1).flip(1)], one)
    assert float(plain) == pytest.approx(float(again), rel=1e-4)
    assert gram(torch.ones(1, 2, 3, 3)).flatten().tolist() == [1, 1, 1, 1]


def test_a_term_that_the_network_has_no_output_for_is_refused() -> None:
    """Instead of training on nothing without a word."""
    for weights, outputs in ((Weights(content=1.0), SCORES), (Weights(ce=1.0), SPEC), (Weights(variation=1.0), SCORES)):
        with pytest.raises(ConfigError, match=r"the network gives none.*\[compress\]"):
            Objective((outputs,), weights)


def test_a_loss_of_ones_own_is_called_and_a_bad_one_is_named_with_its_line(tmp_path: Path) -> None:
    """With the smaller network's output, the trained one's and the batch; what is wrong names the step or the line."""
    (tmp_path / "helper.py").write_text("SCALE = 2.0\n")
    (tmp_path / "mine.py").write_text(
        "from helper import SCALE\n"
        "def good(got, want, batch): return SCALE * ((got - want) ** 2).mean() + 0 * batch.mean()\n"
        "def raises(got, want, batch):\n    return got @ batch.reshape(7)\n"
        "def whole(got, want, batch): return got - want\n"
        "def number(got, want, batch): return 1.0\n"
        "def constant(got, want, batch): return want.mean()\n"
        "def nan(got, want, batch): return (got * float('nan')).mean()\n"
    )

    def taught(name: str) -> None:
        own = OwnLoss(
            find_own_callable(tmp_path, f"mine:{name}", what="the loss", key="loss"), f"mine:{name}", tmp_path
        )
        train(lesson(network(0), objective=own), SETTINGS, tmp_path / name, lambda text: None, forever())

    taught("good")
    for name, message in (
        ("raises", r"mine:raises' raised RuntimeError.*\(mine.py line 4\)"),
        ("whole", r"returned a tensor of shape \[2, 3, 16, 16\]; return a tensor of one number"),
        ("number", "returned float"),
        ("constant", "'distill' has a loss at step 1 that no weight changes"),
        ("nan", "'distill' gave the loss nan at step 1.*loss of your own"),
    ):
        with pytest.raises(ConversionError, match=message):
            taught(name)
    with pytest.raises(SourceError, match="no callable 'god'; did you mean 'good'"):
        taught("god")
    with pytest.raises(SourceError, match=r"the loss .*other.py does not exist; correct 'loss'"):
        find_own_callable(tmp_path, "other:good", what="the loss", key="loss")


def test_what_is_no_loss_is_refused_when_builder_toml_is_read() -> None:
    """A word, and weights that teach nothing."""
    for loss, message in (("teacher", "module:callable"), ({"output": 0.0, "variation": 1.0}, "a loss needs")):
        with pytest.raises(ValidationError, match=message):
            CompressSection.model_validate({"stages": ["qat"], "loss": loss})
    assert CompressSection.model_validate({"stages": ["qat"], "loss": "mine:good"}).loss == "mine:good"
