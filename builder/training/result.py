"""What a training did: the content of train.json."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from builder.project.training import TrainSection

# The form of the file's first version: a reader refuses another one.
SCHEMA = 1


class TrainReport(BaseModel):
    """train.json.

    `losses`: means of a hundredth of the steps each. `looks`: the loss on crops that no step saw, every `look_every` steps. `terms`: the
    weighted terms of the loss on such crops at the end. `pictures`: photographs that were trained on. `steps` are fewer than the
    settings' where `patience` ended the training. `processes` of `threads` each trained.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: int = SCHEMA
    name: str
    settings: TrainSection
    parameters: int
    pictures: int
    processes: int
    threads: int
    steps: int
    seconds: float
    losses: tuple[float, ...]
    looks: tuple[float, ...]
    terms: dict[str, float]
