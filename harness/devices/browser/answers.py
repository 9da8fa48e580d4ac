"""What a page says, as anything from outside: every field of a known type and size, and nothing else."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(max_length=500)]
Milliseconds = Annotated[float, Field(ge=0, le=3.6e6)]
# More than any protocol asks for: a page that sends more is none of ours.
MOST_SAMPLES = 1_000_000


class Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)


class Hello(Said):
    """A page introduces its browser. What it cannot tell is None."""

    agent: Text
    model: Text | None
    architecture: Text | None
    gpu: Text | None
    screen: Text

    @property
    def name(self) -> str:
        """The same for this browser on this device, whatever its version."""
        telling = "\n".join(map(str, (self.model, self.architecture, self.gpu, self.screen)))
        return hashlib.sha256(telling.encode()).hexdigest()[:12]


class Answer(Said):
    """What the worker of a page measured. Durations in milliseconds; the outputs come beside it."""

    accelerator: Literal["wasm", "webgpu"]
    threads: int = Field(ge=1, le=1024)
    runtime_version: Text
    runtime_start: Milliseconds
    load: Milliseconds
    first: Milliseconds
    latencies: Annotated[list[Milliseconds], Field(max_length=MOST_SAMPLES)]
    timer: Milliseconds
    heap_bytes: Annotated[int, Field(ge=0, lt=2**53)] | None
    isolated: bool
    gpu: Text | None
    hidden: bool


class Failure(Said):
    """Why a page could not measure a variant."""

    reason: Annotated[str, Field(max_length=2000)]
