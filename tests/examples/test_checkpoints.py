"""The examples' weights fit their networks."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.examples.models import CHECKPOINTS, EXAMPLES, RANGES, create, trained

PREPARED = {
    "efficientnet_lite0": EXAMPLES / "efficientnet_lite0" / "efficientnet_lite0.safetensors",
    "anime_style": EXAMPLES / "anime_style" / "anime_style.safetensors",
}


@cache
def prepared(example: str) -> Path:
    """The prepared checkpoint, written once a test run."""
    prepare(example)
    return PREPARED[example]


def prepare(example: str) -> None:
    script = EXAMPLES / example / "prepare.py"
    subprocess.run([sys.executable, str(script)], check=True, timeout=120, capture_output=True)


@pytest.mark.parametrize("example", CHECKPOINTS)
def test_kept_weights_load_strictly(example: str) -> None:
    """Every tensor of the kept file belongs to the network and the other way round, with the same shape and finite values."""
    weights = load_file(CHECKPOINTS[example])
    create(example).load_state_dict(weights, strict=True)
    assert all(bool(tensor.isfinite().all()) for tensor in weights.values())


@pytest.mark.parametrize("example", CHECKPOINTS)
def test_output_is_a_picture(example: str) -> None:
    """A trained style network keeps the shape and stays in its range."""
    low, high = RANGES[example]
    with torch.no_grad():
        y = trained(example)(
            torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0)) * (high - low) + low
        )
    assert y.shape == (1, 3, 256, 256)
    assert low <= float(y.min())
    assert float(y.max()) <= high


@pytest.mark.parametrize("example", PREPARED)
def test_prepared_weights_are_fp32_and_load_strictly(example: str) -> None:
    """prepare.py writes a checkpoint that has exactly the network's keys, shapes and dtypes."""
    weights = load_file(prepared(example))
    state = create(example).state_dict()
    assert {name: (t.shape, t.dtype) for name, t in weights.items()} == {
        n: (t.shape, t.dtype) for n, t in state.items()
    }


def test_prepare_is_deterministic() -> None:
    """Running prepare.py again leaves the same bytes."""
    before = prepared("anime_style").read_bytes()
    prepare("anime_style")
    assert PREPARED["anime_style"].read_bytes() == before


def test_classifier_recognises_a_cat_and_a_tripod() -> None:
    """With the documented normalisation the pretrained classifier names what held-out pictures show."""
    prepared("efficientnet_lite0")
    script = EXAMPLES / "efficientnet_lite0" / "classify.py"
    done = subprocess.run([sys.executable, str(script)], check=True, timeout=120, capture_output=True, text=True)
    best = {
        line.split(":")[0]: line.split(": ")[1].rsplit(" ", 1)[0].split(",")[0] for line in done.stdout.splitlines()
    }
    assert best["chelsea.jpg"].startswith("Egyptian cat")
    assert best["camera.jpg"].startswith("tripod")


def test_kept_files_are_small() -> None:
    """Files that git tracks stay below 3 MB, but for the one documented exception."""
    tracked = subprocess.run(
        ["git", "ls-files", "."], cwd=EXAMPLES, check=True, timeout=60, capture_output=True, text=True
    )
    large = [name for name in tracked.stdout.splitlines() if Path(EXAMPLES, name).stat().st_size > 3_000_000]
    assert set(large) <= {"anime_style/anime_style_fp16.safetensors"}
