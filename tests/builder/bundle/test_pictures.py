"""Every kind of picture that Pillow opens is read rightly, or refused by name."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, TiffImagePlugin

from builder.bundle import GoldenTensor, TensorSpec
from builder.bundle.pictures import read_rgb
from builder.bundle.tensors import measure_worst_psnr_db, read_picture, write_picture
from builder.errors import BundleError
from builder.project.held_out import make_thumbnail

RAMP = np.linspace(0, 255, 16).round().astype(np.uint8)[None].repeat(16, 0)  # black on the left, white on the right
COLOURS = np.stack([RAMP, RAMP.T, RAMP[:, ::-1]], axis=2)


def of_rgb(path: Path) -> NDArray[Any]:
    return np.asarray(read_rgb(path)).astype(int)


def near(path: Path, wanted: NDArray[Any], within: int = 1) -> None:
    """The file shows `wanted`, grey as `[h, w]`."""
    wanted = wanted.astype(int)
    found = of_rgb(path)
    assert np.abs(found - (wanted if wanted.ndim == 3 else wanted[..., None])).max() <= within


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm", "jp2"])
def test_grey_of_16_bits_is_not_white(tmp_path: Path, suffix: str) -> None:
    """White is 65535: what Pillow's own conversion clips at 255 keeps its shades."""
    path = tmp_path / f"grey.{suffix}"
    Image.fromarray(RAMP.astype(np.uint16) * 257).save(path)
    near(path, RAMP)


def test_a_tiff_of_12_bits_or_with_white_at_zero_says_so_in_its_tags(tmp_path: Path) -> None:
    """The photometric interpretation of grey of 16 bits is followed."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[262] = 0
    image = Image.fromarray((65535 - RAMP.astype(np.int64) * 257).astype(np.uint16))
    image.save(tmp_path / "zero.tif")
    content = bytearray((tmp_path / "zero.tif").read_bytes())
    place = content.index(bytes([0x06, 0x01, 0x03, 0x00, 1, 0, 0, 0]))  # the tag's entry: SHORT, one value
    content[place + 8] = 0
    (tmp_path / "zero.tif").write_bytes(content)
    near(tmp_path / "zero.tif", RAMP)


def test_floats_are_read_where_white_is_one_and_refused_where_nobody_says(tmp_path: Path) -> None:
    """0..1 keeps its shades, 0..255 names its values, NaN is no picture."""
    Image.fromarray(RAMP.astype(np.float32) / 255).save(tmp_path / "unit.tif")
    near(tmp_path / "unit.tif", RAMP)
    Image.fromarray(RAMP.astype(np.float32)).save(tmp_path / "wide.tif")
    with pytest.raises(BundleError, match=r"wide\.tif holds floats from 0 to 255, and white is 1"):
        read_rgb(tmp_path / "wide.tif")
    Image.fromarray(np.full((16, 16), np.nan, np.float32)).save(tmp_path / "nan.tif")
    with pytest.raises(BundleError, match=r"nan\.tif holds floats"):
        read_rgb(tmp_path / "nan.tif")


def test_whole_numbers_of_32_bits_are_refused_by_name(tmp_path: Path) -> None:
    """Nobody states their white."""
    Image.fromarray(RAMP.astype(np.int32)).save(tmp_path / "long.tif")
    with pytest.raises(BundleError, match="grey of 32 bits"):
        read_rgb(tmp_path / "long.tif")


@pytest.mark.parametrize(
    ("mode", "suffix"), [("1", "png"), ("L", "png"), ("P", "png"), ("P", "gif"), ("LA", "png"), ("RGBA", "webp"),
                         ("RGBA", "tif"), ("CMYK", "tif"), ("YCbCr", "tif"), ("RGBX", "tif")],
)  # fmt: skip
def test_a_picture_of_each_mode_shows_its_colours(tmp_path: Path, mode: str, suffix: str) -> None:
    """A bilevel, grey, palette, opaque or CMYK picture of four fields keeps their colours."""
    fields = np.zeros((16, 16, 3), np.uint8)
    fields[:8, 8:] = 255
    if mode not in ("1", "L", "LA"):
        fields[8:, :8], fields[8:, 8:] = (255, 0, 0), (0, 0, 255)
    picture = Image.fromarray(fields).convert("RGBA" if mode == "LA" else "RGB").convert(mode)
    picture.save(tmp_path / f"x.{suffix}", lossless=suffix == "webp")
    near(tmp_path / f"x.{suffix}", fields, within=2)


@pytest.mark.parametrize("kind", ["RGBA", "LA", "P", "colour key", "grey key of 16 bits"])
def test_transparent_parts_are_composed_on_white(tmp_path: Path, kind: str) -> None:
    """(c * a + 255 * (255 - a)) / 255, rounded, as both SDKs do it; what hides behind transparency is not seen."""
    path = tmp_path / "x.png"
    alpha = RAMP.T
    if kind in ("RGBA", "LA"):
        picture = Image.fromarray(COLOURS if kind == "RGBA" else RAMP)
        picture.putalpha(Image.fromarray(alpha))
        picture.save(path)
        colours = COLOURS.astype(float) if kind == "RGBA" else RAMP.astype(float)[..., None]
        a = alpha.astype(float)[..., None]
        near(path, np.floor((colours * a + 255 * (255 - a)) / 255 + 0.5).repeat(3 if kind == "LA" else 1, 2), within=0)
        return
    if kind == "grey key of 16 bits":
        Image.fromarray(RAMP.astype(np.uint16) * 257).save(path, transparency=0)
    elif kind == "P":
        palette = Image.fromarray((RAMP // 17).astype(np.uint8), "P")
        palette.putpalette([level * 17 for level in range(16) for _ in range(3)])
        palette.save(path, transparency=0)
    else:
        Image.fromarray(RAMP[..., None].repeat(3, 2)).save(path, transparency=(0, 0, 0))
    near(path, np.where(RAMP == 0, 255, RAMP))


def test_colours_come_in_srgb(tmp_path: Path) -> None:
    """A CMYK or RGB picture with a profile of its own is converted by it; a damaged profile is as none."""
    linear = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    xyz = Image.fromarray(COLOURS)
    xyz.save(tmp_path / "wrong.png", icc_profile=linear.tobytes())  # of other channels than the picture's
    near(tmp_path / "wrong.png", COLOURS)
    xyz.save(tmp_path / "damaged.png", icc_profile=b"no profile")
    near(tmp_path / "damaged.png", COLOURS)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    xyz.save(tmp_path / "same.png", icc_profile=srgb)
    near(tmp_path / "same.png", COLOURS)
    # The red and the blue of a profile are read from its rXYZ and bXYZ tags; with them exchanged the picture shows blue for red.
    swapped = bytearray(srgb)
    red, blue = srgb.index(b"rXYZ"), srgb.index(b"bXYZ")
    swapped[red : red + 4], swapped[blue : blue + 4] = b"bXYZ", b"rXYZ"
    xyz.save(tmp_path / "swapped.png", icc_profile=bytes(swapped))
    near(tmp_path / "swapped.png", COLOURS[:, :, ::-1], within=3)


def test_pictures_are_turned_upright_before_they_are_fitted(tmp_path: Path) -> None:
    """A wide photograph whose orientation says portrait is cropped as the portrait that it is."""
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[:, :20] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "x.jpg", exif=exif, quality=95)
    assert read_rgb(tmp_path / "x.jpg").size == (20, 60)
    spec = TensorSpec(name="i", kind="image", shape=(1, 3, 60, 20), color_order="RGB", range=(0, 1), resize="stretch")
    found = read_picture(tmp_path / "x.jpg", spec)
    assert found[:18].min() > 240
    assert found[22:].max() < 15


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_an_animation_is_refused_by_the_number_of_its_frames(tmp_path: Path, suffix: str) -> None:
    """Which of the frames is meant only the user knows."""
    frames = [Image.fromarray(COLOURS), Image.fromarray(COLOURS[::-1].copy())]
    frames[0].save(tmp_path / f"x.{suffix}", save_all=True, append_images=frames[1:])
    with pytest.raises(BundleError, match=rf"x\.{suffix} holds 2 frames"):
        read_rgb(tmp_path / f"x.{suffix}")


def test_the_held_out_check_sees_what_the_network_sees(tmp_path: Path) -> None:
    """Grey of 16 bits and its copy of 8 bits are one picture to it."""
    Image.fromarray(RAMP.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(RAMP).save(tmp_path / "plain.png")
    assert np.abs(make_thumbnail(tmp_path / "deep.png") - make_thumbnail(tmp_path / "plain.png")).max() <= 1


def test_a_cut_or_damaged_picture_is_one_sentence(tmp_path: Path) -> None:
    """Any cut, and any byte changed, of a PNG, JPEG or TIFF is read or refused; nothing else is raised."""
    generator = np.random.default_rng(0)
    for form in ("PNG", "JPEG", "TIFF", "WEBP", "GIF"):
        stream = io.BytesIO()
        Image.fromarray(COLOURS).save(stream, form)
        content = stream.getvalue()
        for _ in range(40):
            damaged = bytearray(content)
            for place in generator.integers(0, len(content), 3):
                damaged[place] = int(generator.integers(0, 256))
            (tmp_path / "x").write_bytes(damaged[: int(generator.integers(1, len(damaged) + 1))])
            with contextlib.suppress(BundleError):
                read_rgb(tmp_path / "x")


def test_what_a_package_does_not_carry_is_not_compared(tmp_path: Path) -> None:
    """The worst of the stored tensors counts; none stored is None, and fewer than the outputs is an error rather than a pass."""
    spec = TensorSpec(name="stylized", kind="image", shape=(1, 3, 2, 2), color_order="RGB", range=(0.0, 1.0))
    write_picture(tmp_path / "0.png", np.full((2, 2, 3), 255, np.uint8))
    stored = GoldenTensor(name="stylized", file="0.png", encoding="png")
    outputs = {"stylized": np.zeros((1, 3, 2, 2), np.float32)}
    assert measure_worst_psnr_db(tmp_path, (stored,), (spec,), outputs) == 0
    assert measure_worst_psnr_db(tmp_path, (), (spec,), outputs) is None
    with pytest.raises(ValueError, match="is longer"):
        measure_worst_psnr_db(tmp_path, (stored,), (spec, spec), outputs)
