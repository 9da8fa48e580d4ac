"""Large pictures from tiles: the algorithm of docs/formats/tiling.md, and whether a network allows it.

Kotlin (`core/Tiler.kt`) and Swift (`Tiler.swift`) realise the same algorithm; `docs/formats/vectors/tiling.json` holds all three
to the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from builder.bundle import TensorSpec, Tiling
from builder.bundle.tensors import make_pixels, make_tensor
from builder.errors import InputError
from builder.graph.receptive_field import Reach, reach_of
from builder.precision.program import in_list

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch.export import ExportedProgram

    Array = NDArray[np.float32]
    Pixels = NDArray[np.uint8]
    Render = Callable[[Pixels], Pixels]

# Source pixels over which a tile takes over from the one before. A hard cut shows a step of one level in a flat sky, and networks
# that quantize by the tile differ by some levels everywhere; eight pixels cost 3 % more tiles at 256 pixels.
BAND = 8
# A tile must move on by at least this part of its side. Below it a picture takes over 16 times the work of its pixels.
LEAST_STEP = 4
# Of the output's range: the smallest step of a picture of 8 bits.
SEAM = 1 / 255
# The whole weight of a mixture.
_ONE = 256


@dataclass(frozen=True, kw_only=True)
class Tiler:
    """How pictures are cut into tiles of `height` x `width` source pixels, and how their outputs are put together.

    The outermost `margin` source pixels of a tile are not used beside another tile; over the next `band` it takes over. Tiles start at
    multiples of `multiple`. `scale` is the output's size over the input's.
    """

    height: int
    width: int
    scale: int
    margin: int
    band: int
    multiple: int

    @classmethod
    def of(cls, height: int, width: int, scale: int, facts: Tiling | None) -> Self:
        """Tiles for a network's input by the facts of its bundle. Raises InputError where it cannot work in tiles."""
        if facts is not None and not facts.allowed:
            raise InputError(f"this network cannot work in tiles ({facts.reason}).")
        side = min(height, width)
        margin = None if facts is None else facts.overlap
        if facts is None or margin is None:  # bundles from before the facts
            return cls(height=height, width=width, scale=scale, margin=0, band=side // LEAST_STEP // 2, multiple=1)
        made = cls(height=height, width=width, scale=scale, margin=margin, band=BAND, multiple=facts.multiple or 1)
        if LEAST_STEP * made.step(side) < side:
            raise InputError(f"this network needs {margin} pixels around each tile, too many for tiles of {side}.")
        return made

    def step(self, side: int) -> int:
        """From the start of one tile to the next, along a side of a tile; not positive where tiles leave no room."""
        return (side - 2 * self.margin - self.band) // self.multiple * self.multiple

    def starts(self, size: int, side: int) -> list[int]:
        """Where tiles start along a picture's side; the last one ends at the picture's edge or just behind it."""
        if size <= side:
            return [0]
        step = self.step(side)
        last = -((side - size) // self.multiple) * self.multiple
        return [*range(0, last, step), last]

    def run(self, pixels: Pixels, render: Render) -> tuple[Pixels, int]:
        """The output [H, W, 3] for a picture, and the largest difference of two tiles where they are mixed, in levels of 255.

        `render` turns the pixels of one tile into its output's.
        """
        height, width = pixels.shape[:2]
        whole = np.zeros((height * self.scale, width * self.scale, 3), np.uint8)
        seam = 0
        for top in self.starts(height, self.height):
            row = np.zeros((self.height * self.scale, width * self.scale, 3), np.uint8)
            for left in self.starts(width, self.width):
                tile = render(self._cut(pixels, top, left)).transpose(1, 0, 2)
                seam = max(seam, self._take_over(row.transpose(1, 0, 2), tile, left * self.scale))
            seam = max(seam, self._take_over(whole, row, top * self.scale))
        return whole, seam

    def _cut(self, pixels: Pixels, top: int, left: int) -> Pixels:
        """A tile's pixels; beyond the picture its edge pixels go on."""
        rows = np.minimum(np.arange(top, top + self.height), pixels.shape[0] - 1)
        columns = np.minimum(np.arange(left, left + self.width), pixels.shape[1] - 1)
        return np.ascontiguousarray(pixels[rows[:, None], columns])

    def _take_over(self, target: Pixels, fresh: Pixels, at: int) -> int:
        """Put `fresh` into `target` from `at` on along the first axis, mixed with what is there; gives the seam."""
        fresh = fresh[: target.shape[0] - at]
        if at == 0:
            target[: len(fresh)] = fresh
            return 0
        weight = self._weights(len(fresh))[:, None, None]
        there = target[at : at + len(fresh)].astype(np.int32)
        mixed = (there * (_ONE - weight) + fresh * weight + _ONE // 2) // _ONE
        target[at : at + len(fresh)] = mixed
        between = ((weight > 0) & (weight < _ONE))[:, 0, 0]
        return int(np.abs(there - fresh)[between].max(initial=0))

    def _weights(self, count: int) -> NDArray[np.int32]:
        """Weight of each output pixel of a tile behind another: 0 in the margin, rising over the band, then whole."""
        into = np.arange(count, dtype=np.int32) - self.margin * self.scale
        band = self.band * self.scale
        rising = (2 * into + 1) * _ONE // (2 * band) if band else np.full_like(into, _ONE)
        return np.where(into < 0, 0, np.where(into >= band, _ONE, rising)).astype(np.int32)


def find_tiling(
    program: ExportedProgram, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], picture: Array | None
) -> Tiling:
    """Whether tiles are allowed, by the graph and by a trial against the untiled network on a larger picture.

    `picture` is an evaluation sample of the only input.
    """
    if len(inputs) != 1 or len(outputs) != 1 or not _pictures(*inputs, *outputs) or picture is None:
        return _not("only networks from one picture to one are made of tiles")
    reach = reach_of(program, program.graph_signature.user_inputs[:1])
    if isinstance(reach, str):
        return _not(reach)
    if reach.scale < 1 or reach.scale.denominator != 1:
        return _not(f"its output has {float(reach.scale):g} times the size of its input, and tiles take whole numbers")
    facts = Tiling(allowed=True, overlap=reach.overlap, multiple=reach.multiple, scale=float(reach.scale))
    side = min(inputs[0].shape[2:])
    try:
        Tiler.of(side, side, int(reach.scale), facts)
    except InputError:
        return _not(f"an output pixel looks {reach.overlap} pixels to each side, too far for tiles of {side}")
    seen = _trial(program, make_pixels(picture, inputs[0]), reach, facts, (inputs[0], outputs[0]))
    if seen is None:
        return _not("sizes are fixed in its graph, so that tiles cannot be compared with the whole")
    if seen > 1:
        return _not(f"tiles differ from the whole by {seen / 255:.2g} of the output's range, more than 1/255")
    return facts


def enlarge(pixels: Pixels, multiple: int) -> Pixels:
    """The picture continued by its mirror image to about one and a half times its sides, by whole multiples."""
    widths = [(0, side // 2 // multiple * multiple) for side in pixels.shape[:2]]
    return np.pad(pixels, (*widths, (0, 0)), mode="reflect")


def _pictures(*specs: TensorSpec) -> bool:
    return all(spec.kind == "image" and len(spec.shape) == 4 and spec.shape[:2] == (1, 3) for spec in specs)


def _trial(
    program: ExportedProgram, pixels: Pixels, reach: Reach, facts: Tiling, specs: tuple[TensorSpec, TensorSpec]
) -> int | None:
    """Largest difference of tiles from the whole, in levels of 255; None where other sizes do not run."""
    import torch

    module = program.module(check_guards=False)
    module._forward_pre_hooks.clear()  # they insist on the size that was exported
    large, scale = enlarge(pixels, reach.multiple), int(reach.scale)

    def render(part: Pixels) -> Pixels:
        spec = specs[0].model_copy(update={"shape": (1, 3, *part.shape[:2])})
        with torch.no_grad():
            result = module(torch.from_numpy(make_tensor(part, spec)))
        values: Array = in_list(result)[0].numpy()
        return make_pixels(values, specs[1])

    try:
        whole = render(large)
    except RuntimeError:  # a shape written into the graph
        return None
    if whole.shape[:2] != (large.shape[0] * scale, large.shape[1] * scale):
        return None
    tiled, _ = Tiler.of(pixels.shape[0], pixels.shape[1], scale, facts).run(large, render)
    return int(np.abs(tiled.astype(np.int32) - whole).max())


def _not(reason: str) -> Tiling:
    return Tiling(allowed=False, reason=reason)
