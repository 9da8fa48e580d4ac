"""What the trained networks do to pictures that they never saw."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.examples.models import CHECKPOINTS, EVALUATION, EXAMPLES, RANGES, trained

PAINTED = {"tiny_style": ("SWIRLING_STROKES", 7), "anime_style": ("BLOSSOM_STROKES", 11)}


@pytest.fixture(scope="module")
def held_out() -> Tensor:
    """The evaluation pictures, `[n, 3, 256, 256]` in [0, 1]."""
    from training.command import read_picture

    return torch.cat([read_picture(path) for path in sorted(EVALUATION.iterdir())])


def stylize(example: str, pictures: Tensor) -> Tensor:
    low, high = RANGES[example]
    with torch.no_grad():
        stylized: Tensor = trained(example)(pictures * (high - low) + low)
    return (stylized - low) / (high - low)


@pytest.mark.parametrize("example", CHECKPOINTS)
def test_output_is_nearer_to_the_style(example: str, held_out: Tensor) -> None:
    """In fine Gram matrices the held-out pictures come nearer to the style by a third or more together; so do their colours."""
    from training.command import read_picture
    from training.features import Features, load_network
    from training.losses import gram, palette_loss, style_loss

    style = read_picture(EXAMPLES / example / "style.png")
    features = Features(load_network(), ("stem", "block1"))
    after = stylize(example, held_out)
    with torch.no_grad():
        target = {name: gram(maps) for name, maps in features(style).items()}
        textures = [
            sum(float(style_loss(features(p[None]), target)) for p in pictures) for pictures in (held_out, after)
        ]
        colours = [sum(float(palette_loss(p[None], style)) for p in pictures) for pictures in (held_out, after)]
    assert textures[1] < 0.67 * textures[0]
    assert colours[1] < 0.67 * colours[0]


@pytest.mark.parametrize("example", CHECKPOINTS)
def test_content_is_kept(example: str, held_out: Tensor) -> None:
    """Brightness in 16 x 16 pixel windows still follows the input's, but the picture is no mere copy."""
    after = stylize(example, held_out)
    for old, new in zip(held_out, after, strict=True):
        tones = [torch.nn.functional.avg_pool2d(t.mean(0)[None, None], 16).flatten() for t in (old, new)]
        assert float(torch.corrcoef(torch.stack(tones))[0, 1]) > 0.5
        assert float((new - old).abs().mean()) > 0.05


@pytest.mark.parametrize("example", PAINTED)
def test_style_picture_is_painted_from_its_seed(example: str) -> None:
    """style.png is what the painting script draws; one level of rounding is allowed for another Pillow."""
    from training import painting

    brush, seed = PAINTED[example]
    with Image.open(EXAMPLES / example / "style.png") as image:
        kept = np.asarray(image, dtype=np.int16)
    drawn = np.asarray(painting.paint(getattr(painting, brush), size=384, seed=seed), dtype=np.int16)
    assert np.abs(kept - drawn).max() <= 1
