"""Video between key frames: optical flow, and styled pictures carried along it. The reference of both SDKs.

Whole numbers throughout, so that Kotlin and Swift give the same bytes. Optical flow by inverse search as in 'Fast Optical
Flow using Dense Inverse Search' (Kroeger et al., 2016), on luma of half the size; the rules are in docs/sdk-rules.md.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.vectors.files import Case

Ints = NDArray[np.int64]

PATCH, STRIDE = 8, 4
ONE = 64  # of a pixel of a level
LEVELS, LEAST = 4, 16  # levels of the pyramid; pixels of the shorter side of the smallest
STEPS = (3, 4, 5, 6)  # of the search, by level from the finest
CALM = 4096  # an error of a patch that needs no search: half a level of luma
DAMPING = 16
CERTAIN, STRANGE = 12, 28  # difference of luma up to which motion is believed, and from which it is not at all
FULL = STRANGE - CERTAIN  # the weight of a motion that is believed


def compute_luma(rgb: NDArray[np.uint8]) -> Ints:
    """RGB [H, W, 3] -> luma of half the size, from 2 x 2 pixels each."""
    height, width = rgb.shape[:2]
    even = np.pad(rgb.astype(np.int64), ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    four = even[0::2, 0::2] + even[0::2, 1::2] + even[1::2, 0::2] + even[1::2, 1::2]
    return np.asarray((77 * four[..., 0] + 150 * four[..., 1] + 29 * four[..., 2] + 512) >> 10)


def build_pyramid(finest: Ints) -> list[Ints]:
    """The luma and its halves; none where the picture is too small for a flow."""
    levels = [finest] if min(finest.shape) >= LEAST else []
    while levels and len(levels) < LEVELS and min(levels[-1].shape) // 2 >= LEAST:
        height, width = (size // 2 * 2 for size in levels[-1].shape)
        last = levels[-1][:height, :width]
        levels.append((last[0::2, 0::2] + last[0::2, 1::2] + last[1::2, 0::2] + last[1::2, 1::2] + 2) >> 2)
    return levels


def divide(number: Ints, by: Ints | int) -> Ints:
    """Division towards zero, as in Kotlin and Swift; `by` is above zero."""
    return np.asarray(np.sign(number) * (np.abs(number) // by))


def filter_median(grid: Ints) -> Ints:
    """Of 3 x 3 neighbours; the edge counts as its own neighbour."""
    padded = np.pad(grid, 1, mode="edge")
    height, width = grid.shape
    near = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.asarray(np.sort(np.stack(near), 0)[4])


def choose_grid_size(level: Ints) -> tuple[int, int]:
    height, width = level.shape
    return (height - PATCH) // STRIDE + 1, (width - PATCH) // STRIDE + 1


def search(now: Ints, before: Ints, starts: list[tuple[Ints, Ints]], steps: int) -> tuple[Ints, Ints]:
    """Motion of each patch of `now` to its place in `before`, from the best of the starts, in 1/64 pixel."""
    height, width = now.shape
    rows, columns = choose_grid_size(now)
    edge = np.pad(now, 1, mode="edge")
    slope_x, slope_y = edge[1:-1, 2:] - edge[1:-1, :-2], edge[2:, 1:-1] - edge[:-2, 1:-1]
    left, top = STRIDE * np.arange(columns)[None], STRIDE * np.arange(rows)[:, None]
    inner = np.arange(PATCH)
    at = (top[..., None, None] + inner[:, None], left[..., None, None] + inner)
    own, gx, gy = now[at], slope_x[at], slope_y[at]
    xx, xy, yy = ((a * b).sum((2, 3)) for a, b in ((gx, gx), (gx, gy), (gy, gy)))
    xx, yy = xx + DAMPING, yy + DAMPING
    sum_x, sum_y = gx.sum((2, 3)), gy.sum((2, 3))
    determinant = xx * yy - xy * xy
    most_x, most_y = ONE * (width - PATCH), ONE * (height - PATCH)
    before = np.pad(before, ((0, 1), (0, 1)))  # read at no weight

    def look(x: Ints, y: Ints) -> tuple[Ints, Ints, Ints]:
        r, c = (y >> 6)[..., None, None] + inner[:, None], (x >> 6)[..., None, None] + inner
        fx, fy = (x & 63)[..., None, None], (y & 63)[..., None, None]
        upper = before[r, c] * (ONE - fx) + before[r, c + 1] * fx
        lower = before[r + 1, c] * (ONE - fx) + before[r + 1, c + 1] * fx
        apart = ((upper * (ONE - fy) + lower * fy) >> 8) - (own << 4)
        total = apart.sum((2, 3))
        error = (apart * apart).sum((2, 3)) - divide(total * total, PATCH * PATCH)
        along_x = (gx * apart).sum((2, 3)) - divide(sum_x * total, PATCH * PATCH)
        along_y = (gy * apart).sum((2, 3)) - divide(sum_y * total, PATCH * PATCH)
        return error, along_x, along_y

    x = y = error = bx = by = np.zeros((rows, columns), np.int64)
    for number, (u, v) in enumerate(starts):
        here = np.clip(ONE * left + u, 0, most_x), np.clip(ONE * top + v, 0, most_y)
        found = look(*here)
        better = (found[0] < error) | (number == 0)
        x, y = np.where(better, here[0], x), np.where(better, here[1], y)
        error, bx, by = (np.where(better, new, old) for new, old in zip(found, (error, bx, by), strict=True))
    first_x, first_y, best_x, best_y = x, y, x, y
    calm = error <= CALM
    for _ in range(steps):
        x = np.where(calm, x, np.clip(x - divide(8 * (yy * bx - xy * by), determinant), 0, most_x))
        y = np.where(calm, y, np.clip(y - divide(8 * (xx * by - xy * bx), determinant), 0, most_y))
        found_error, bx, by = look(x, y)
        near = (np.abs(x - first_x) <= PATCH * ONE) & (np.abs(y - first_y) <= PATCH * ONE)
        better = (found_error < error) & near
        error = np.where(better, found_error, error)
        best_x, best_y = np.where(better, x, best_x), np.where(better, y, best_y)
    return best_x - ONE * left, best_y - ONE * top


def interpolate(grid: Ints, height: int, width: int) -> Ints:
    """The grid's values between the centres of its patches, for each pixel."""

    def axis(size: int, count: int) -> tuple[Ints, Ints, Ints]:
        place = np.clip(2 * np.arange(size) - PATCH + 1, 0, 2 * STRIDE * (count - 1))
        return place >> 3, np.minimum((place >> 3) + 1, count - 1), place & 7

    (up, down, fy), (left, right, fx) = axis(height, grid.shape[0]), axis(width, grid.shape[1])
    upper = grid[up][:, left] * (8 - fx) + grid[up][:, right] * fx
    lower = grid[down][:, left] * (8 - fx) + grid[down][:, right] * fx
    return np.asarray((upper * (8 - fy[:, None]) + lower * fy[:, None] + 32) >> 6)


@dataclass(kw_only=True)
class Key:
    """A frame that the network was given, what it made of it, and the way back to it from the present frame."""

    frame: NDArray[np.uint8]
    luma: Ints
    u: Ints
    v: Ints
    styled: NDArray[np.uint8] | None = None


class Carrier:
    """What `FrameCarrier` is in Kotlin and Swift."""

    def __init__(self, height: int, width: int) -> None:
        self.size = height, width
        self.half = (height + 1) // 2, (width + 1) // 2
        self.key: Key | None = None
        self.old: Key | None = None
        self.pending: Key | None = None
        self.since = 0
        self.last: list[Ints] = []
        self.luma = np.zeros(self.half, np.int64)
        self.grid: tuple[Ints, Ints] | None = None

    def advance(self, frame: NDArray[np.uint8]) -> None:
        """The next frame: its motion since the frame before, and the way from it to all keys."""
        self.frame, self.luma = frame, compute_luma(frame)
        now = build_pyramid(self.luma)
        if now and self.last:
            self._follow(now)
        self.last = now
        self.since += 1

    def _follow(self, now: list[Ints]) -> None:
        u = v = np.zeros((0, 0), np.int64)
        for level in reversed(range(len(now))):
            rows, columns = choose_grid_size(now[level])
            still = np.zeros((rows, columns), np.int64)
            if level == len(now) - 1:
                starts = [(still, still)]
            else:
                r, c = (
                    np.minimum(np.arange(n) // 2, most - 1) for n, most in zip((rows, columns), u.shape, strict=True)
                )
                starts = [(2 * u[r][:, c], 2 * v[r][:, c]), (still, still)]
            if level == 0 and self.grid is not None:
                starts.append(self.grid)
            u, v = search(now[level], self.last[level], starts, STEPS[level])
            u, v = filter_median(u), filter_median(v)
        self.grid = u, v
        fu, fv = interpolate(u, *self.half), interpolate(v, *self.half)
        y, x = np.indices(self.half)
        rows_at = np.clip((ONE * y + fv + 32) >> 6, 0, self.half[0] - 1)
        columns_at = np.clip((ONE * x + fu + 32) >> 6, 0, self.half[1] - 1)
        for key in (self.key, self.old, self.pending):
            if key is not None:
                key.u, key.v = fu + key.u[rows_at, columns_at], fv + key.v[rows_at, columns_at]

    def begin(self) -> None:
        """The present frame goes to the network."""
        still = np.zeros(self.half, np.int64)
        self.pending = Key(frame=self.frame, luma=self.luma, u=still, v=still)

    def finish(self, styled: NDArray[np.uint8]) -> None:
        """What the network made of the frame of `begin`."""
        assert self.pending is not None
        self.pending.styled = styled
        self.old, self.key, self.pending = self.key, self.pending, None
        self.since = 0

    def belief(self, key: Key | None) -> Ints:
        """For each block of 2 x 2 pixels how much the way to a key is believed, 0 to FULL."""
        if key is None:
            return np.zeros(self.half, np.int64)
        height, width = self.half
        y, x = np.indices(self.half)
        px, py = 16 * x + (key.u >> 2), 16 * y + (key.v >> 2)
        inside = (px >= 0) & (py >= 0) & (px <= 16 * (width - 1)) & (py <= 16 * (height - 1))
        difference = np.abs(self.luma - _sample(key.luma[..., None], px, py)[..., 0])
        return np.where(inside, np.clip(STRANGE - difference, 0, FULL), 0)

    @property
    def is_cut(self) -> bool:
        """Whether less than two fifths of the picture is known from a key: another scene."""
        if self.key is None:
            return False
        believed = np.maximum(self.belief(self.key), self.belief(self.old)) >= FULL // 2
        return bool(5 * believed.sum() < 2 * believed.size)

    def picture(self, fade: int) -> NDArray[np.uint8]:
        """The present frame styled: both keys carried to it, the newer one more with each of `fade` frames."""
        assert self.key is not None
        new, old = _enlarge_blocks(self.belief(self.key), self.size), _enlarge_blocks(self.belief(self.old), self.size)
        share = min(FULL, FULL * self.since // max(1, fade))
        if self.old is None or share == FULL:
            old = np.zeros_like(old)
        parts = new * share + old * (FULL - share)
        weight = np.where((parts > 0) & (old > 0), 256 * new * share // np.maximum(parts, 1), 256)
        carried = self._carried(self.key, self.key.styled)
        both = carried
        if self.old is not None:
            both = _mixed(self._carried(self.old, self.old.styled), carried, weight)
        change = carried - self._carried(self.key, self.key.frame)
        unknown = np.clip(self.frame.astype(np.int64) + change, 0, 255)
        return _mixed(unknown, both, 256 // FULL * np.maximum(new, old)).astype(np.uint8)

    def _carried(self, key: Key, picture: NDArray[np.uint8] | None) -> Ints:
        assert picture is not None
        height, width = self.size
        y, x = np.indices(self.size)
        u, v = _enlarge_blocks(key.u, self.size), _enlarge_blocks(key.v, self.size)
        px, py = np.clip(16 * x + (u >> 1), 0, 16 * (width - 1)), np.clip(16 * y + (v >> 1), 0, 16 * (height - 1))
        return _sample(picture.astype(np.int64), px, py)


def _sample(picture: Ints, x: Ints, y: Ints) -> Ints:
    """Between pixels, at places in 1/16 pixel; places outside are those of the edge."""
    height, width = picture.shape[:2]
    x, y = np.clip(x, 0, 16 * (width - 1)), np.clip(y, 0, 16 * (height - 1))
    left, top, fx, fy = x >> 4, y >> 4, (x & 15)[..., None], (y & 15)[..., None]
    right, below = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    upper = picture[top, left] * (16 - fx) + picture[top, right] * fx
    lower = picture[below, left] * (16 - fx) + picture[below, right] * fx
    return np.asarray((upper * (16 - fy) + lower * fy + 128) >> 8)


def _mixed(base: Ints, over: Ints, weight: Ints) -> Ints:
    share = weight[..., None]
    return np.asarray((base * (256 - share) + over * share + 128) >> 8)


def _enlarge_blocks(blocks: Ints, size: tuple[int, int]) -> Ints:
    return np.asarray(blocks.repeat(2, 0).repeat(2, 1)[: size[0], : size[1]])


ABOUT = (
    "Styled pictures carried between key frames (docs/sdk-rules.md, 'Between key frames'). A frame of `size` [height, width] is a part of an endless texture from "
    "`origin` [top, left] on, `inverted` or not, with its part `patch` [top, left, height, width, from top, from left] taken from elsewhere in the texture. Its value "
    "at (y, x) of channel c (red 0, green 1, blue 2): hash(y >> 3, x >> 3, c) and its neighbours below and to the right, mixed by y & 7 and x & 7 (sum of products >> "
    "6), times 240 >> 8, and hash(y, x, c + 3) >> 4; hash(i, j, k) is ((7919 i + 104729 j + 1299709 k) * 2654435761 mod 2^32) >> 24. Each step: `finish` (the running "
    "key ends: its styled picture is its frame with blue, 255 - red, green as red, green, blue), the frame arrives, `cut` is what is said of it, `begin` (it becomes a "
    "key), and the picture is shown at `fade`; `sha256` is that of its RGB bytes, `half` that of every second pixel of every second row; null before the first key ended."
)


def stylize(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What stands for a network."""
    return np.ascontiguousarray(np.stack([frame[..., 2], 255 - frame[..., 0], frame[..., 1]], -1))


def _hash(i: Ints, j: Ints, k: Ints) -> Ints:
    return np.asarray((((7919 * i + 104729 * j + 1299709 * k) * 2654435761) % 2**32) >> 24)


def draw_texture(top: int, left: int, height: int, width: int) -> NDArray[np.uint8]:
    """The part of an endless picture: smooth spots, and a little noise."""
    y, x, c = np.meshgrid(np.arange(top, top + height), np.arange(left, left + width), np.arange(3), indexing="ij")
    i, j, fy, fx = y >> 3, x >> 3, y & 7, x & 7
    upper = _hash(i, j, c) * (8 - fx) + _hash(i, j + 1, c) * fx
    lower = _hash(i + 1, j, c) * (8 - fx) + _hash(i + 1, j + 1, c) * fx
    smooth = (upper * (8 - fy) + lower * fy) >> 6
    return np.asarray((smooth * 240 >> 8) + (_hash(y, x, c + 3) >> 4), np.uint8)


def make_cases() -> list[Case]:
    return [_case((64, 80), 5), _case((37, 51), 3), _case((20, 24), 2)]


def _case(size: tuple[int, int], fade: int) -> Case:
    carrier = Carrier(*size)
    steps: list[dict[str, Any]] = []
    for number in range(9):
        inverted = number >= 7
        origin = [60 + number, 90 - 3 * number]
        patch = [8 + 2 * number % 5, 6 + number, size[0] // 4, size[1] // 4, 100, 20]
        frame = draw_texture_frame(size, origin, patch, inverted)
        begin, finish = number in (0, 3, 7), number in (1, 5, 8)
        if finish:
            assert carrier.pending is not None
            carrier.finish(stylize(carrier.pending.frame))
        carrier.advance(frame)
        cut = carrier.is_cut
        if begin:
            carrier.begin()
        shown = carrier.picture(fade) if carrier.key is not None else None
        steps.append(
            {
                "origin": origin,
                "patch": patch,
                "inverted": inverted,
                "finish": finish,
                "cut": cut,
                "begin": begin,
                "sha256": None if shown is None else hashlib.sha256(shown.tobytes()).hexdigest(),
                "half": None if shown is None else hashlib.sha256(_half(shown)).hexdigest(),
            }
        )
    return {"size": list(size), "fade": fade, "steps": steps}


def _half(shown: NDArray[np.uint8]) -> bytes:
    height, width = (size // 2 for size in shown.shape[:2])
    return np.ascontiguousarray(shown[0 : 2 * height : 2, 0 : 2 * width : 2]).tobytes()


def draw_texture_frame(size: tuple[int, int], origin: list[int], patch: list[int], inverted: bool) -> NDArray[np.uint8]:
    """A frame as ABOUT says it."""
    frame = draw_texture(*origin, *size)
    top, left, height, width, from_top, from_left = patch
    frame[top : top + height, left : left + width] = draw_texture(from_top, from_left, height, width)
    return 255 - frame if inverted else frame
