"""The server's own PNG writer: the pixels that went in come out of every reader."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from builder.bundle import Binding, TensorSpec
from builder.bundle.tensors import (
    decode_pixels,
    encode_pixels,
    from_artifact,
    make_pixels,
    make_tensor,
    to_artifact,
)
from builder.targets.server.app.png import encode_png


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.integers(1, 256))
def test_a_picture_is_read_back_as_it_was(width: int, height: int, seed: int, levels: int) -> None:
    """By Pillow, which checks the sums of all chunks."""
    pixels = np.random.default_rng(seed).integers(0, levels, (height, width, 3), np.uint8)
    with Image.open(io.BytesIO(encode_png(pixels))) as image:
        image.verify()
    with Image.open(io.BytesIO(encode_png(pixels))) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        assert np.array_equal(np.asarray(image), pixels)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("color_order", ["RGB", "BGR"])
def test_the_short_way_to_an_artifact_gives_the_same_bytes(layout: str, color_order: str) -> None:
    """As the way over the source model's layout, which all other parts of the product take."""
    spec = TensorSpec(name="image", kind="image", shape=(1, 3, 5, 7), dtype="float32",
                      color_order=color_order, range=(-1.0, 1.0), resize="stretch")  # fmt: skip
    shape = (1, 5, 7, 3) if layout == "NHWC" else (1, 3, 5, 7)
    binding = Binding(name="image", index=0, layout=layout, shape=shape, dtype="float32")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    made = encode_pixels(pixels, spec, binding)
    assert made.tobytes() == to_artifact(make_tensor(pixels, spec), binding).tobytes()
    moved = made + np.float32(0.01)
    assert np.array_equal(decode_pixels(moved, spec, binding), make_pixels(from_artifact(moved, binding), spec))
