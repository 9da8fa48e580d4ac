"""On how many threads, and held on which cores, a variant is run: a sweep measures several ways in one session."""

from __future__ import annotations

from typing import Literal, NamedTuple

Cores = Literal["little", "middle", "big"]
CORES: tuple[Cores, ...] = ("little", "middle", "big")


class Way(NamedTuple):
    """`cores` is the cluster of CPUs; None: the system chose."""

    threads: int
    cores: Cores | None = None

    @property
    def words(self) -> str:
        """`4 threads, big cores`."""
        on = "" if self.cores is None else f", {self.cores} cores"
        return f"{self.threads} thread{'s' if self.threads > 1 else ''}{on}"

    @property
    def rank(self) -> tuple[int, int]:
        """By which ways are ordered: free ones first, then from little to big, each from few threads to many."""
        return -1 if self.cores is None else CORES.index(self.cores), self.threads
