"""The examples' pictures: held out where they should be, each with its origin."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from PIL import Image

from tests.examples.models import EXAMPLES

SIZES = {"tiny_style": 256, "efficientnet_lite0": 224}


def pictures(example: str, part: str) -> list[Path]:
    return sorted((EXAMPLES / example / "images" / part).iterdir())


def digest_pixels(path: Path) -> str:
    with Image.open(path) as image:
        return hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()


@pytest.mark.parametrize("example", SIZES)
def test_no_picture_is_in_both_sets(example: str) -> None:
    """Calibration and evaluation share no picture, compared by pixels, and are large enough."""
    calibration = {digest_pixels(path) for path in pictures(example, "calibration")}
    evaluation = {digest_pixels(path) for path in pictures(example, "evaluation")}
    assert len(calibration) >= 8
    assert len(evaluation) >= 5
    assert not calibration & evaluation


@pytest.mark.parametrize("example", SIZES)
def test_pictures_have_the_networks_size(example: str) -> None:
    """Every picture is RGB and needs no resizing."""
    for path in (*pictures(example, "calibration"), *pictures(example, "evaluation")):
        with Image.open(path) as image:
            assert (image.size, image.mode) == ((SIZES[example],) * 2, "RGB"), path.name


@pytest.mark.parametrize("example", SIZES)
def test_origin_names_every_picture(example: str) -> None:
    """ORIGIN.md has one row with source and licence for each picture, and no row without a picture."""
    folder = EXAMPLES / example / "images"
    rows = re.findall(
        r"^\| (\w+/[\w.]+) \| (\w+: [\w.]+) \| (.+) \|$", (folder / "ORIGIN.md").read_text(encoding="utf-8"), re.M
    )
    files = {str(p.relative_to(folder)) for part in ("calibration", "evaluation") for p in pictures(example, part)}
    assert {file for file, _, _ in rows} == files
    assert all(source and licence for _, source, licence in rows)


def test_held_out_pictures_are_not_trained_on() -> None:
    """No source picture is both a training and a held-out picture, by pixels."""
    from training.pictures import HELD_OUT, TRAINING

    training = {hashlib.sha256(picture.pixels().tobytes()).hexdigest() for picture in TRAINING}
    held_out = {hashlib.sha256(picture.pixels().tobytes()).hexdigest() for picture in HELD_OUT}
    assert len(training) == len(TRAINING)
    assert not training & held_out


def test_image_sets_are_reproducible(tmp_path: Path) -> None:
    """The script that wrote the committed pictures writes them again."""
    from training.image_sets import write_image_sets

    write_image_sets(tmp_path, size=256)
    kept = EXAMPLES / "tiny_style" / "images"
    assert (tmp_path / "ORIGIN.md").read_bytes() == (kept / "ORIGIN.md").read_bytes()
    for part in ("calibration", "evaluation"):
        for path in pictures("tiny_style", part):
            assert digest_pixels(tmp_path / part / path.name) == digest_pixels(path), path.name
