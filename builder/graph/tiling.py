"""Large pictures from tiles: overlapping tiles, each right inside its overlap, blended over a narrow band."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from builder.bundle import TensorSpec, Tiling
from builder.graph.receptive_field import Reach, reach_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch.export import ExportedProgram

    Array = NDArray[np.float32]

BAND = 8  # source pixels over which neighbouring tiles are blended
SEAM = 1 / 255  # of the output's range: what an 8-bit picture can show
_LARGER = 3  # halves: the trial is made on a picture of one and a half times the side


def tiling_facts(
    program: ExportedProgram, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], picture: Array | None
) -> Tiling:
    """Whether tiles are allowed, by the graph and by a trial against the untiled network on a larger picture.

    `picture` is an evaluation sample of the only input.
    """
    if (
        len(inputs) != 1
        or len(outputs) != 1
        or inputs[0].kind != "image"
        or outputs[0].kind != "image"
        or picture is None
    ):
        return _not("only networks from one picture to one are made of tiles")
    found = reach_of(program, program.graph_signature.user_inputs[:1])
    if isinstance(found, str):
        return _not(found)
    side = min(inputs[0].shape[2:])
    if 2 * found.overlap + max(BAND, found.multiple) >= side:
        return _not(f"an output pixel looks {found.overlap} pixels to each side, too far for tiles of {side}")
    error = _trial(program, picture, found, outputs[0])
    if error is None:
        return _not("sizes are fixed in its graph, so that tiles cannot be compared with the whole")
    if not error <= SEAM:
        return _not(f"tiles differ from the whole by {error:.2g} of the output's range, more than 1/255")
    return Tiling(allowed=True, overlap=found.overlap, multiple=found.multiple, scale=float(found.scale))


def run_tiled(
    run: Callable[[Array], Array], picture: Array, tile: tuple[int, int], facts: Tiling, *, shift: int = 0
) -> Array:
    """The output for a picture [1, C, H, W] from tiles of size `tile`. Sides must be multiples of `facts.multiple`.

    `shift` (a multiple too) moves the grid: two grids must agree, whatever the network gives.
    """
    overlap, multiple, scale = facts.overlap or 0, facts.multiple or 1, facts.scale or 1.0
    high, wide = picture.shape[2:]
    rows, columns = (
        _starts(size, side, overlap, multiple, shift) for size, side in zip((high, wide), tile, strict=True)
    )
    total: Array | None = None
    weights = np.zeros((1, 1, round(high * scale), round(wide * scale)), np.float32)
    for top in rows:
        for left in columns:
            result = run(np.ascontiguousarray(picture[:, :, top : top + tile[0], left : left + tile[1]]))
            weight = np.outer(
                _ramp(tile[0], overlap, scale, top > 0, top + tile[0] < high),
                _ramp(tile[1], overlap, scale, left > 0, left + tile[1] < wide),
            )
            if total is None:
                total = np.zeros((1, result.shape[1], *weights.shape[2:]), np.float32)
            place = np.s_[:, :, round(top * scale) : round(top * scale) + result.shape[2], round(left * scale) : round(left * scale) + result.shape[3]]  # fmt: skip
            total[place] += result * weight
            weights[place] += weight
    assert total is not None  # there is always a first tile
    return total / weights


def enlarged(picture: Array, multiple: int) -> Array:
    """The picture continued by its mirror image to one and a half times its sides, cut to whole multiples."""
    sides = [size * _LARGER // 2 // multiple * multiple for size in picture.shape[2:]]
    widths = [(0, 0), (0, 0), *((0, side - size) for side, size in zip(sides, picture.shape[2:], strict=True))]
    return np.pad(picture, widths, mode="reflect")


def _starts(size: int, side: int, overlap: int, multiple: int, shift: int) -> list[int]:
    """Where tiles begin: each is right up to `overlap` pixels from its inner edges, and the last ends with the picture."""
    step = max((side - 2 * overlap - BAND) // multiple * multiple, multiple)
    last = (size - side) // multiple * multiple
    first = [0] if shift == 0 else [0, min(shift, last)]
    return sorted({*first, *range(shift, last, step), last})


def _ramp(side: int, overlap: int, scale: float, before: bool, after: bool) -> Array:
    """Weight of each row of a tile's output: nothing in the overlap beside another tile, then rising over the band."""
    distance = (np.arange(round(side * scale), dtype=np.float32) + 0.5) / scale
    weight = np.ones_like(distance)
    if before:
        weight = np.minimum(weight, np.clip((distance - overlap) / BAND, 1e-6, 1))
    if after:
        weight = np.minimum(weight, np.clip((side - distance - overlap) / BAND, 1e-6, 1))
    return weight.astype(np.float32)


def _trial(program: ExportedProgram, picture: Array, reach: Reach, output: TensorSpec) -> float | None:
    """Largest difference of tiles from the whole, relative to the output's range; None where other sizes do not run."""
    import torch

    module = program.module(check_guards=False)
    module._forward_pre_hooks.clear()  # they insist on the size that was exported
    large = enlarged(picture, reach.multiple)
    facts = Tiling(allowed=True, overlap=reach.overlap, multiple=reach.multiple, scale=float(reach.scale))

    def run(part: Array) -> Array:
        with torch.no_grad():
            result = module(torch.from_numpy(part))
        values: Array = (result[0] if isinstance(result, tuple | list) else result).numpy()
        return values

    try:
        whole = run(large)
    except RuntimeError:  # a shape written into the graph
        return None
    if whole.shape[2:] != tuple(round(size * facts.scale) for size in large.shape[2:]):  # type: ignore[operator]
        return None
    tiled = run_tiled(run, large, (picture.shape[2], picture.shape[3]), facts)
    span = output.range[1] - output.range[0] if output.range else float(whole.max() - whole.min()) or 1.0
    return float(np.abs(tiled - whole).max()) / span


def _not(reason: str) -> Tiling:
    return Tiling(allowed=False, reason=reason)
