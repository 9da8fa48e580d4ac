"""Calibration and evaluation sets: what is missing, doubled or unreadable is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from builder.bundle import TensorSpec
from builder.errors import DataError
from builder.graph.samples import read_sample
from builder.project.config import load_config
from builder.project.data import DataFile, DataSets, find_data
from builder.project.held_out import check_held_out
from tests.builder.projects import make_project

IMAGE = TensorSpec(
    name="image", kind="image", shape=(1, 3, 32, 32), color_order="RGB", range=(0.0, 1.0), resize="center_crop"
)
PHOTOGRAPHS = Path(__file__).resolve().parents[3] / "examples" / "tiny_style" / "images"
STYLE = TensorSpec(name="style", kind="vector", shape=(1, 4))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def test_one_picture_in_both_sets_is_refused_by_content(project: Path) -> None:
    """The same bytes under another name are found."""
    shutil.copy(project / "evaluation" / "0.png", project / "calibration" / "other-name.png")
    with pytest.raises(DataError, match=r"other-name\.png is also the evaluation file 0\.png"):
        find_data(load_config(project), project)


@pytest.mark.parametrize(("name", "scale"), [("again.jpg", 1.0), ("smaller.png", 0.5), ("other.bmp", 1.0)])
def test_one_picture_in_both_sets_is_refused_when_it_was_saved_again(project: Path, name: str, scale: float) -> None:
    """Another format, quality or size does not hide that a picture of the evaluation set is used for calibration."""
    from PIL import Image

    with Image.open(PHOTOGRAPHS / "evaluation" / "chelsea.jpg") as photograph:
        photograph.save(project / "evaluation" / "cat.png")
        smaller = photograph.resize((int(photograph.width * scale), int(photograph.height * scale)))
        smaller.save(project / "calibration" / name)
    data = find_data(load_config(project), project)
    with pytest.raises(DataError, match=rf"{name} shows the same as the evaluation file cat\.png"):
        check_held_out(data, progress=lambda read, of: None)


def test_different_photographs_are_not_taken_for_one_another() -> None:
    """The sets of the examples, which hold textures of like colour, pass, and every file is counted."""
    counts: list[tuple[int, int]] = []
    config = load_config(PHOTOGRAPHS.parent)
    data = find_data(config, PHOTOGRAPHS.parent)
    check_held_out(data, progress=lambda read, of: counts.append((read, of)))
    total = len(data.calibration) + len(data.evaluation)
    assert counts == [(n, total) for n in range(1, total + 1)]


def test_equal_arrays_in_both_sets_are_refused(tmp_path: Path) -> None:
    """An .npz saved again, compressed, is still the same sample; one that differs in a value is not."""
    one, two = np.arange(8, dtype=np.float32), np.arange(8, dtype=np.float32)
    two[3] = 9
    np.savez(tmp_path / "held.npz", image=one)
    np.savez_compressed(tmp_path / "same.npz", image=one)
    np.savez(tmp_path / "other.npz", image=two)
    held, same, other = (DataFile(path=tmp_path / f"{n}.npz", sha256=n) for n in ("held", "same", "other"))
    check_held_out(DataSets(calibration=(other,), evaluation=(held,)), progress=lambda read, of: None)
    with pytest.raises(DataError, match=r"same\.npz shows the same as the evaluation file held\.npz"):
        check_held_out(DataSets(calibration=(other, same), evaluation=(held,)), progress=lambda read, of: None)


@pytest.mark.parametrize("which", ["calibration", "evaluation"])
def test_an_empty_set_is_refused(project: Path, which: str) -> None:
    """A pattern that matches nothing names itself and the directory."""
    shutil.rmtree(project / which)
    with pytest.raises(DataError, match=f"no {which} files"):
        find_data(load_config(project), project)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"not a picture at all", b"\x89PNG\r\n\x1a\n" + b"\x00" * 30])
def test_a_file_that_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    """Damaged and foreign files are one sentence."""
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"x\.png"):
        read_sample(path, (IMAGE,))


def test_a_picture_of_another_size_is_fitted_and_in_range(tmp_path: Path) -> None:
    """A wide picture is cropped around its centre and scaled to the declared range."""
    from PIL import Image

    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, 20:60] = 255
    Image.fromarray(pixels, "RGB").save(tmp_path / "wide.png")
    sample = read_sample(tmp_path / "wide.png", (IMAGE,))["image"]
    assert sample.shape == (1, 3, 32, 32)
    assert float(sample[:, :, :, 2:-2].min()) == 1.0


def test_a_picture_is_turned_upright(tmp_path: Path) -> None:
    """The EXIF orientation of phone pictures is applied."""
    from PIL import Image

    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:16] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees clockwise when shown
    Image.fromarray(pixels, "RGB").save(tmp_path / "turned.png", exif=exif)
    sample = read_sample(tmp_path / "turned.png", (IMAGE,))["image"]
    assert float(sample[0, 0, :, 20:].min()) == 1.0
    assert float(sample[0, 0, :, :12].max()) == 0.0


def test_several_inputs_come_from_npz_by_name(tmp_path: Path) -> None:
    """An .npz holds one array per input; wrong names, shapes and values are named."""
    good = {"image": np.ones((1, 3, 32, 32), np.float32), "style": np.ones((1, 4), np.float32)}
    np.savez(tmp_path / "good.npz", **good)
    assert set(read_sample(tmp_path / "good.npz", (IMAGE, STYLE))) == {"image", "style"}
    for change, message in (
        ({"style": np.ones((1, 5), np.float32)}, r"'style' of shape \[1, 5\]"),
        ({"style": np.full((1, 4), np.nan, np.float32)}, "NaN or infinite values in 'style'"),
        ({"style": np.array([object()])}, "not a readable .npz"),
    ):
        np.savez(tmp_path / "bad.npz", **{**good, **change})
        with pytest.raises(DataError, match=message):
            read_sample(tmp_path / "bad.npz", (IMAGE, STYLE))
    np.savez(tmp_path / "less.npz", image=good["image"])
    with pytest.raises(DataError, match="has no array 'style'; it has image"):
        read_sample(tmp_path / "less.npz", (IMAGE, STYLE))
    with pytest.raises(DataError, match=r"is not an \.npz file"):
        read_sample(tmp_path / "picture.png", (IMAGE, STYLE))


@pytest.mark.parametrize("kind", ["pixels", "floats of 0..255", "-1..1", "0..1 where 0..255 is declared", "a vector"])
def test_numbers_in_other_units_than_declared_are_refused(tmp_path: Path, kind: str) -> None:
    """int8 ranges of such samples would be 255 times too wide."""
    values = np.random.default_rng(0).uniform(0, 1, (1, 3, 32, 32)).astype(np.float32)
    spec = IMAGE
    if kind == "0..1 where 0..255 is declared":
        spec = IMAGE.model_copy(update={"range": (0.0, 255.0)})
    elif kind == "-1..1":
        values = values * 2 - 1
    elif kind == "a vector":
        spec = TensorSpec(name="image", kind="vector", shape=(1, 3, 32, 32), range=(0.0, 0.5))
    else:
        values = (values * 255).astype(np.uint8 if kind == "pixels" else np.float32)
    np.savez(tmp_path / "x.npz", image=values)
    with pytest.raises(
        DataError, match=r"x\.npz has 'image' from .* (outside of|one level of) what builder\.toml says"
    ):
        read_sample(tmp_path / "x.npz", (spec,))


def test_numbers_in_the_declared_units_are_taken(tmp_path: Path) -> None:
    """Pixels under [0, 255], normalized values under mean and std, and a dark picture."""
    values = np.random.default_rng(0).uniform(0, 1, (1, 3, 32, 32)).astype(np.float32)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    normal = IMAGE.model_copy(update={"range": None, "mean": mean, "std": std})
    bytes_ = IMAGE.model_copy(update={"range": (0.0, 255.0)})
    for spec, array in (
        (bytes_, (values * 255).astype(np.uint8)),
        (normal, (values - np.reshape(mean, (1, 3, 1, 1))) / np.reshape(std, (1, 3, 1, 1))),
        (bytes_, np.zeros_like(values)),
        (IMAGE, values),
    ):
        np.savez(tmp_path / "x.npz", image=array)
        assert read_sample(tmp_path / "x.npz", (spec,))["image"].dtype == np.float32
