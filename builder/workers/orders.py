"""What a server is asked and what it answers: a kind and a job, the worker's process, its end; and which kinds of servers there are."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

FILES, TORCH = "files", "torch"
# Every other kind is the name of a backend, and comes out of TORCH.
PARENTS = {TORCH: FILES}
# The longest name of a kind fits in; a head of fixed length is read at once.
KIND_BYTES = 32


def find_parent(kind: str) -> str:
    """The kind of server that this one is forked out of."""
    return PARENTS.get(kind, TORCH)


class Order(BaseModel):
    """One job: the directory of its files, and the surroundings of whoever asks. Without a folder a server is only warmed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path | None = None
    log: Path | None = None
    temporary: Path | None = None
    cwd: Path | None = None
    umask: int = 0o022
    environment: dict[str, str] = {}


class Started(BaseModel):
    """The worker's process; `refused` says why there is none."""

    pid: int = 0
    refused: str = ""


class Ended(BaseModel):
    """The worker's exit status, negative for a signal."""

    status: int
