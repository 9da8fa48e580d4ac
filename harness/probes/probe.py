"""What a probe is: one thing that a device tells of its state, how it is asked, how the answer is read, and what it is called."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.records.run import Conditions, Reading, Sample, TextReading

PART = "edgebundle-part"


@dataclass(frozen=True, kw_only=True)
class Probe:
    """`name` is that of its samples, `title` what reports call it, `unit` None for a text.

    `shell` is a command line that ends by itself, for every kind of device that has a shell; `read` takes what it prints. A probe that
    needs more than one answer has no `read`: its kind of device reads it. `field` is the field of Conditions that holds it; a probe
    without one is in `Conditions.probes`, by its name.
    """

    name: str
    title: str
    meaning: str
    unit: str | None
    shell: str | None = None
    read: Callable[[str], Reading | TextReading] | None = None
    field: str | None = None

    def of(self, state: Conditions) -> Reading | TextReading | tuple[Reading, ...] | None:
        """What a state says of it; None where its device does not read it."""
        if self.field is None:
            return state.probes.get(self.name)
        value: Reading | TextReading | tuple[Reading, ...] | None = getattr(state, self.field)
        return value or None

    def sample(self, state: Conditions, t_s: float) -> Sample | None:
        """A state as a sample over time: a number, of several their mean; None where it is unknown, or a text."""
        value = self.of(state)
        if self.unit is None or value is None or isinstance(value, TextReading):
            return None
        readings = value if isinstance(value, tuple) else (value,)
        values = [reading.value for reading in readings if reading.value is not None]
        return Sample(t_s=t_s, probe=self.name, value=sum(values) / len(values), unit=self.unit) if values else None


def write_shell_line(probes: tuple[Probe, ...]) -> str:
    """One command line that asks all of these probes, each answer behind a line of its own."""
    return f"; echo; echo {PART}; ".join(probe.shell for probe in probes if probe.shell is not None)


def split_answers(probes: tuple[Probe, ...], printed: str) -> list[tuple[Probe, str]]:
    """What each probe of `write_shell_line` printed; nothing for all of them when the answer is not whole."""
    asked = [probe for probe in probes if probe.shell is not None]
    parts = re.split(rf"^{PART}\n", printed, flags=re.MULTILINE)
    return list(zip(asked, parts if len(parts) == len(asked) else [""] * len(asked), strict=True))


def with_answers(state: Conditions, told: Mapping[str, Reading | TextReading], probes: tuple[Probe, ...]) -> Conditions:
    """The state with these readings, by the names of their probes."""
    own = {probe.name: probe.field for probe in probes if probe.field is not None}
    fields: dict[str, object] = {own[name]: reading for name, reading in told.items() if name in own}
    others = {name: reading for name, reading in told.items() if name not in own}
    return state.model_copy(update={**fields, "probes": {**state.probes, **others}})
