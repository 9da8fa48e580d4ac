"""What a variant gives for a few evaluation samples, kept for the page of pictures: the first ones, and the worst."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.graph.tensors import Tensors

# The page shows the worst beside them, and fits on a screen.
FIRST = 2
# Of one sample: a page of larger ones opens nowhere.
LARGEST_BYTES = 16_000_000


class Shown:
    """Writes `NNNN.npz` into its directory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._first: dict[int, Tensors] = {}
        self._worst: tuple[float, int, Tensors] | None = None

    def add(self, number: int, outputs: Tensors, psnr_db: float) -> None:
        """The outputs of one sample, and their agreement with the source."""
        if sum(value.nbytes for value in outputs.values()) > LARGEST_BYTES:
            return
        if number < FIRST:
            self._first[number] = outputs
        if self._worst is None or psnr_db < self._worst[0]:
            self._worst = (psnr_db, number, outputs)

    def keep(self) -> tuple[int, ...]:
        """Write them; their numbers."""
        import numpy as np

        chosen = dict(self._first)
        if self._worst is not None:
            chosen[self._worst[1]] = self._worst[2]
        self._folder.mkdir()
        for number, outputs in chosen.items():
            np.savez(self._folder / f"{number:04d}.npz", **outputs)  # type: ignore[arg-type]
        return tuple(sorted(chosen))
