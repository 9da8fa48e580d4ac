"""Processes that train one network together: torchrun starts them, each takes its part of every batch, gradients are averaged."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from builder.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Team:
    """`rank` of `size` processes. Alone it is one of one, and nothing is sent."""

    rank: int = 0
    size: int = 1

    def wrap(self, network: Any) -> Any:
        """The network whose gradients are the mean over all processes."""
        if self.size == 1:
            return network
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(network)

    def share(self, batch: Sequence[Tensor]) -> list[Tensor]:
        """This process's pictures of a batch."""
        return [tensor[self.rank :: self.size] for tensor in batch]

    def mean(self, value: float) -> float:
        """Over all processes, the same in each."""
        if self.size == 1:
            return value
        import torch

        total = torch.tensor(value, dtype=torch.float64)
        torch.distributed.all_reduce(total)
        return float(total) / self.size

    def wait(self, network: Any, *, last: bool) -> Any:
        """Around the computation of one part of a batch: gradients travel with its last one."""
        return nullcontext() if self.size == 1 or last else network.no_sync()


ALONE = Team()


def read_team() -> Team:
    """Who this process is, by the variables that torchrun sets."""
    return Team(rank=int(os.environ.get("RANK", "0")), size=int(os.environ.get("WORLD_SIZE", "1")))


@contextmanager
def join_team(batch: int) -> Iterator[Team]:
    """Meet the other processes for the time of the block. Raises ConfigError for a batch that they cannot share."""
    team = read_team()
    if team.size == 1:
        yield team
        return
    if batch % team.size:
        raise ConfigError(
            f"'batch' is {batch}, which {team.size} processes cannot share; correct it in [train] of builder.toml."
        )
    import torch

    torch.distributed.init_process_group("gloo")
    try:
        yield team
    finally:
        torch.distributed.destroy_process_group()
