"""What the page of a report shows, as the template takes it: texts and pictures, nothing left to compute."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis.trends import Change
from harness.records.pictures import decode_png
from harness.records.run import Run
from harness.report.model import Chapter

if TYPE_CHECKING:
    from builder.bundle import Variant


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A name, a value, and, where there is no value, the reason."""

    name: str
    value: str
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class ConditionRow:
    name: str
    start: Fact
    end: Fact


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture on the page: `id` of its one embedded copy."""

    id: str
    width: int
    height: int
    caption: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The pictures of one image output of one run."""

    name: str
    before: Shown | None
    wanted: Shown
    output: Shown
    difference: Shown


@dataclass(frozen=True, kw_only=True)
class Card:
    """One run of a variant on one device. `under` says of a run over minutes how long it was, `caption` how the plot is read."""

    anchor: str
    run: Run
    device: str
    under: str
    grade: str
    verdict: str
    headline: str
    statistics: tuple[Fact, ...]
    facts: tuple[Fact, ...]
    plot: str | None
    caption: str
    conditions: tuple[ConditionRow, ...]
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A variant on a device in a table; `anchor` is None where the run is not shown in detail. `share` is its latency as a part of the
    slowest good one's on the device, `clock` that of the fastest processors during the pass, `beside` what other programs used of all."""

    variant: str
    anchor: str | None
    size: str
    quality: str
    result: str
    share: float | None
    interval: str
    tail: str
    memory: str
    energy: str
    clock: tuple[str, str]
    beside: str
    golden: str
    grade: str
    verdict: str
    why: str


@dataclass(frozen=True, kw_only=True)
class DeviceTable:
    """All variants of one device. `metric` is `latency` or `instructions`; `counters` says whether it tells its processors' counters."""

    anchor: str
    device: str
    about: str
    simulated: str | None
    metric: str
    counts: dict[str, int]
    fastest: str
    rows: tuple[Row, ...]
    counters: bool
    plot: str | None
    over_rounds: bool
    history: str | None
    changes: tuple[Change, ...]
    sweep: str | None


@dataclass(frozen=True, kw_only=True)
class Rank:
    """A variant under lasting load: throughput and place in the first and in the last minute."""

    variant: str
    anchor: str | None
    first: str
    first_place: int
    last: str
    last_place: int
    ratio: str
    throttled: str
    hottest: str
    energy: Fact
    grade: str


@dataclass(frozen=True, kw_only=True)
class Endurance:
    """The ranking of the runs over minutes of one device."""

    device: str
    simulated: str | None
    minutes: str
    changed: bool
    ranks: tuple[Rank, ...]


@dataclass(frozen=True, kw_only=True)
class Section:
    """A variant with its runs, which may be none; `precision` sums up the layer table, `layers` is the markup of their times."""

    id: str
    anchor: str
    variant: Variant | None
    facts: tuple[Fact, ...]
    precision: str
    fallbacks: int
    cards: tuple[Card, ...]
    measured: int
    layers: str


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A variant on a device: its time, how many times the reference's that is, and its grade (`none`: not measured)."""

    time: str
    factor: str
    grade: str
    fastest: bool


@dataclass(frozen=True, kw_only=True)
class MatrixRow:
    """A device, with a cell for each variant."""

    device: str
    anchor: str
    simulated: str | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Devices by variants; factors are against `reference` on the same device."""

    reference: str
    variants: tuple[str, ...]
    rows: tuple[MatrixRow, ...]


@dataclass(frozen=True, kw_only=True)
class Page:
    """A chapter of the report, ready for the template."""

    chapter: Chapter
    title: str
    input_text: str
    when: str
    counts: dict[str, int]
    matrix: Matrix | None
    devices: tuple[DeviceTable, ...]
    endurance: tuple[Endurance, ...]
    sections: tuple[Section, ...]
    unmeasured: tuple[Section, ...]


class Gallery:
    """Embeds every different picture once, however often the page shows it."""

    def __init__(self) -> None:
        self.uris: dict[str, tuple[str, int, int]] = {}

    def show(self, png: bytes, caption: str) -> Shown:
        name = "p" + hashlib.sha256(png).hexdigest()[:16]
        if name not in self.uris:
            height, width = decode_png(png).shape[:2]
            self.uris[name] = (f"data:image/png;base64,{base64.b64encode(png).decode()}", width, height)
        _, width, height = self.uris[name]
        return Shown(id=name, width=width, height=height, caption=caption)
