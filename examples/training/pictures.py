"""The pictures that ship inside scikit-image and scikit-learn, split once into training and held-out ones.

Only pictures whose package states a licence or a public-domain release are used. No picture is downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Package = Literal["skimage", "sklearn"]
ByteArray = NDArray[np.uint8]

_FOLDERS: dict[Package, str] = {"skimage": "data", "sklearn": "datasets/images"}


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One file of an installed package. `licence` is what that package's documentation says about it."""

    package: Package
    file: str
    licence: str

    @property
    def name(self) -> str:
        return Path(self.file).stem

    def path(self) -> Path:
        spec = find_spec(self.package)
        if spec is None or spec.origin is None:
            raise FileNotFoundError(f"{self.file} ships with the package {self.package}, which is not installed.")
        return Path(spec.origin).parent / _FOLDERS[self.package] / self.file

    def pixels(self) -> ByteArray:
        """RGB, `[height, width, 3]`; gray pictures are repeated over the three channels."""
        from PIL import Image

        with Image.open(self.path()) as image:
            return np.asarray(image.convert("RGB"))


TRAINING = (
    Picture(package="sklearn", file="china.jpg", licence="CC BY 2.0, danielbuechele"),
    Picture(package="skimage", file="coffee.png", licence="CC0, Rachel Michetti"),
    Picture(package="skimage", file="retina.jpg", licence="CC0, Mikael Häggström"),
    Picture(package="skimage", file="ihc.png", licence="no known copyright restrictions, CMMI"),
    Picture(package="skimage", file="hubble_deep_field.jpg", licence="public domain, NASA"),
    Picture(package="skimage", file="brick.png", licence="CC0, CC0Textures Bricks25"),
    Picture(package="skimage", file="grass.png", licence="CC0, linolafett"),
    Picture(package="skimage", file="gravel.png", licence="CC0, CC0Textures Gravel04"),
    Picture(package="skimage", file="coins.png", licence="no known copyright restrictions, Brooklyn Museum"),
    Picture(package="skimage", file="clock_motion.png", licence="public domain, Stefan van der Walt"),
)
"""Pictures that networks are trained on and that int8 ranges are calibrated with."""

HELD_OUT = (
    Picture(package="skimage", file="chelsea.png", licence="CC0, Stefan van der Walt"),
    Picture(package="skimage", file="astronaut.png", licence="public domain, NASA"),
    Picture(package="sklearn", file="flower.jpg", licence="CC BY 2.0, vultilion"),
    Picture(package="skimage", file="rocket.jpg", licence="public domain, SpaceX"),
    Picture(package="skimage", file="camera.png", licence="CC0, Lav Varshney"),
)
"""Pictures that no training and no calibration ever sees."""
