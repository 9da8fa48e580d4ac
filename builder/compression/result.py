"""What a compression did, stage by stage: the content of compress.json."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from builder.bundle import Quality
from builder.project.compression import CompressSection, StageName

# The form of the file's first version: a reader refuses another one.
SCHEMA = 1


class Record(BaseModel):
    """A part of the report; an unknown field is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Point(Record):
    """A network on the way: its size, and how near it is to the trained one, computed by torch on the worst evaluation sample."""

    parameters: int
    macs: int
    psnr_db: float
    psnr_db_mean: float


class Cut(Record):
    """Output channels of a layer before and after."""

    layer: str
    before: int
    after: int


class StageReport(Record):
    """One stage.

    `losses`: means of a hundredth of the steps each. `stayed`: layers that a stage left as they are, and why. `replaced`: layers that
    became a depthwise and a pointwise convolution, and the part of their results' variance that these missed before training.
    """

    stage: StageName
    before: Point
    after: Point
    seconds: float
    steps: int = 0
    losses: tuple[float, ...] = ()
    cut: tuple[Cut, ...] = ()
    share: float | None = None
    stayed: dict[str, str] = {}
    replaced: dict[str, float] = {}


class FilePoint(Record):
    """The exported file of a stage: its scheme, bytes, and its quality against the trained network."""

    stage: str
    backend: str
    scheme: str
    bytes: int
    quality: Quality


class CompressReport(Record):
    """compress.json. `teacher` is the trained network, `met` whether the budget holds, `drawn` whether drawn pictures were trained on."""

    schema_: int = SCHEMA
    name: str
    settings: CompressSection
    teacher: Point
    pictures: int
    drawn: bool
    threads: int
    stages: tuple[StageReport, ...]
    files: tuple[FilePoint, ...]
    met: bool
    unmet: str | None = None
