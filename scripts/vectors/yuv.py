"""Camera frames in YUV_420_888: strides, rotations, crops, sizes."""

from __future__ import annotations

from typing import Any

import numpy as np

from scripts.vectors.files import Case, pack

ABOUT = (
    "Frames of cameras and files (YUV 4:2:0, as `colours` says it: BT.601 or BT.709, full or limited range): planes `y`, `u`, `v` (bytes, base64) with their strides, turned clockwise by `rotation`; the part `crop` "
    "[left, top, width, height] of the upright frame as `size` [height, width] RGB bytes. Each pixel takes the mean luma of the up to 2 x 2 nearest "
    "pixels and the colour of the first."
)
# Black, and what luma and the two colours give to red, green and blue: ITU-R BT.601 and BT.709 in 16-bit fixed point.
COLOURS = {
    "FULL_601": (0, 65536, 91881, 22553, 46802, 116130),
    "LIMITED_601": (16, 76309, 104597, 25675, 53279, 132201),
    "FULL_709": (0, 65536, 103206, 12276, 30679, 121609),
    "LIMITED_709": (16, 76309, 117489, 13975, 34925, 138438),
}
# frame h x w, row padding, pixel stride of the colour planes, rotation, crop (left, top, width, height), out h x w, colours
Frame = tuple[tuple[int, int], int, int, int, tuple[int, int, int, int], tuple[int, int], str]
FRAMES: tuple[Frame, ...] = (
    ((8, 12), 0, 1, 0, (0, 0, 12, 8), (8, 12), "FULL_601"),
    ((8, 12), 4, 2, 90, (0, 0, 8, 12), (6, 4), "FULL_601"),
    ((9, 13), 3, 2, 180, (2, 1, 10, 7), (5, 5), "LIMITED_601"),
    ((9, 13), 0, 1, 270, (0, 2, 9, 9), (12, 12), "LIMITED_709"),
    ((8, 8), 1, 2, 0, (0, 0, 8, 8), (8, 8), "FULL_709"),
    ((2, 2), 0, 2, 0, (0, 0, 2, 2), (1, 1), "FULL_601"),
)


def make_cases() -> list[Case]:
    random = np.random.default_rng(22)
    return [_case(frame, random) for frame in FRAMES]


def _case(frame: Frame, random: np.random.Generator) -> Case:
    (height, width), padding, stride, rotation, crop, size, colours = frame
    half = ((height + 1) // 2, (width + 1) // 2)
    y = random.integers(0, 256, (height, width + padding), dtype=np.uint8)
    u, v = (random.integers(0, 256, (half[0], stride * half[1] + padding), dtype=np.uint8) for _ in "uv")
    planes = [y[:, :width], *(plane[:, : stride * half[1] : stride] for plane in (u, v))]
    rgb = convert_yuv(planes, rotation, crop, size, colours)
    return {
        "frame": [height, width],
        "rotation": rotation,
        "colours": colours,
        "crop": list(crop),
        "size": list(size),
        "y": {"bytes": pack(y), "row_stride": y.shape[1], "pixel_stride": 1},
        "u": {"bytes": pack(u), "row_stride": u.shape[1], "pixel_stride": stride},
        "v": {"bytes": pack(v), "row_stride": v.shape[1], "pixel_stride": stride},
        "result": pack(rgb),
    }


def convert_yuv(
    planes: list[np.ndarray[Any, Any]],
    rotation: int,
    crop: tuple[int, int, int, int],
    size: tuple[int, int],
    colours: str = "FULL_601",
) -> np.ndarray[Any, Any]:
    """RGB bytes [H, W, 3] of a part of an upright frame, from its planes y, u and v."""
    y, u, v = planes
    height, width = y.shape
    left, top, wide, high = crop
    up_y = top + (2 * np.arange(size[0]) + 1) * high // (2 * size[0])
    up_x = left + (2 * np.arange(size[1]) + 1) * wide // (2 * size[1])
    up_y, up_x = np.meshgrid(up_y, up_x, indexing="ij")
    rows, columns = {
        0: (up_y, up_x),
        90: (height - 1 - up_x, up_y),
        180: (height - 1 - up_y, width - 1 - up_x),
        270: (up_x, width - 1 - up_y),
    }[rotation]
    below, right = np.minimum(rows + 1, height - 1), np.minimum(columns + 1, width - 1)
    corners = [y[r, c].astype(np.int64) for r in (rows, below) for c in (columns, right)]
    luma = (sum(corners) + 2) >> 2
    blue, red = (plane[rows // 2, columns // 2].astype(np.int64) - 128 for plane in (u, v))
    black, of_luma, red_of_red, green_of_blue, green_of_red, blue_of_blue = COLOURS[colours]
    light = of_luma * (luma - black) + (1 << 15)
    channels = (
        (light + red_of_red * red) >> 16,
        (light - green_of_blue * blue - green_of_red * red) >> 16,
        (light + blue_of_blue * blue) >> 16,
    )
    return np.clip(np.stack(channels, -1), 0, 255).astype(np.uint8)
