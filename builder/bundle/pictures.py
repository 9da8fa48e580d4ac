"""Picture files of every kind as upright, opaque RGB of 8 bits: one stated rule for each kind, or a refusal that names it.

Upright: the EXIF orientation is applied. Transparent parts are composed on white (docs/sdk-rules.md has the formula).
Grey of 16 bits: white is the largest value that the file's depth holds. Floats: white is 1. CMYK, and RGB with a colour
profile: converted to sRGB by the profile; CMYK without one by inverting. Animations: refused, for which frame is meant?
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from builder.errors import BundleError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

_SIXTEEN = ("I;16", "I;16L", "I;16B", "I;16N")
_ALPHA = ("RGBA", "LA", "PA", "RGBa")
_PLAIN = ("1", "L", "P", "RGB", "RGBX", "YCbCr", "HSV", "CMYK", *_ALPHA)
# Tags of TIFF.
_BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0
# Floats that rounding moved past white or black.
_SLACK = 1e-3


def read_rgb(path: Path | io.BytesIO, *, about: int | None = None, name: str | None = None) -> Image.Image:
    """The picture in mode RGB. `about`: a JPEG may be decoded at this side or more, for speed. `name` is for messages, where `path` is none.

    Raises BundleError for what is no picture, or is one whose black, white or frame nobody states.
    """
    from PIL import Image, ImageOps

    shown = name or str(path)
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as image:  # of tags that it skips
            if getattr(image, "is_animated", False) and image.format != "MPO":  # MPO: a photograph and its depth
                raise BundleError(
                    f"{shown} holds {getattr(image, 'n_frames', 2)} frames; save the one that you mean as a picture of its own."
                )
            if about is not None:
                image.draft("RGB" if image.mode != "CMYK" else "CMYK", (about, about))
            image.load()
            # The turned copy has lost what the file says of its depth.
            facts = Facts(form=image.format or "", tags=getattr(image, "tag_v2", {}))
            return _opaque(_in_srgb(ImageOps.exif_transpose(image), facts, shown))
    except BundleError:
        raise
    except Exception as error:  # a damaged file fails in many ways inside Pillow
        raise BundleError(
            f"{shown} is not a picture that can be read ({str(error) or type(error).__name__}); remove or replace it."
        ) from error


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a file says beside its pixels: its format, and for a TIFF its tags."""

    form: str
    tags: Mapping[int, Any]


def _in_srgb(image: Image.Image, facts: Facts, shown: str) -> Image.Image:
    """Mode L, RGB, or RGBA where anything of it is transparent."""
    if image.mode in _SIXTEEN or (image.mode == "I" and facts.form in ("PNG", "PPM")):
        return _grey(_from_whole_numbers(image, facts.tags), image)
    if image.mode == "F":
        return _grey(_from_floats(image, shown), image)
    if image.mode not in _PLAIN:
        kind = {"I": "grey of 32 bits, whose white is not stated", "LAB": "CIELAB"}.get(image.mode, image.mode)
        raise BundleError(f"{shown} is a picture of a kind that is not read: {kind}; save it as RGB of 8 bits.")
    clear = image.mode in _ALPHA or image.has_transparency_data
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "RGBA", "CMYK"):
        image = _by_profile(image, profile)
    return _in_mode(image, "RGBA" if clear else "RGB")


def _from_whole_numbers(image: Image.Image, tags: Mapping[int, Any]) -> NDArray[np.float64]:
    """0..1 from grey of up to 16 bits a pixel."""
    bits = tags.get(_BITS, (16,))
    depth = int(bits[0] if isinstance(bits, tuple) else bits)
    unit: NDArray[np.float64] = np.asarray(image).astype(np.float64) / (2 ** min(depth, 16) - 1)
    return 1 - unit if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else unit


def _from_floats(image: Image.Image, shown: str) -> NDArray[np.float64]:
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all() or values.min() < -_SLACK or values.max() > 1 + _SLACK:
        raise BundleError(
            f"{shown} holds floats from {values.min():g} to {values.max():g}, and white is 1; scale them to 0..1, or save RGB of 8 bits."
        )
    return values


def _grey(unit: NDArray[np.float64], image: Image.Image) -> Image.Image:
    from PIL import Image

    grey = Image.fromarray(np.floor(np.clip(unit, 0, 1) * 255 + 0.5).astype(np.uint8))
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return grey
    alpha = np.where(np.asarray(image) == key, 0, 255).astype(np.uint8)
    grey.putalpha(Image.fromarray(alpha))
    return grey


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """In sRGB. A damaged profile, or one of other channels than the picture's, is as none, as it is to browsers."""
    from PIL import ImageCms

    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    colours = image.convert("RGB") if alpha is not None else image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(colours, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    if converted is None:
        return image
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    """Pillow would copy a picture that has the mode already."""
    return image if image.mode == mode else image.convert(mode)


def _opaque(image: Image.Image) -> Image.Image:
    from PIL import Image

    if image.mode not in ("RGBA", "LA"):
        return _in_mode(image, "RGB")
    return Image.fromarray(on_white(np.asarray(image.convert("RGBA"), np.uint8)))


def on_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGBA pixels (..., 4) that are not premultiplied -> RGB pixels on white: `(c a + 255 (255 - a)) / 255` rounded, as both SDKs have it."""
    alpha = pixels[..., 3:].astype(np.int32)
    return ((pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
