"""What a phone shows of its heat and clocks: the texts of a personality, filled from what its sensors feel.

A phone without physics feels the same for ever; one with physics is looked at before each command.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from tests.emulated_phone.physics import AMBIENT_C, CLOCKS_MHZ, PhysicalPhone

SEVERE_C, DEGREES = 45.0, 30.0  # of the skin: its threshold, and what lies between the headroom 0.0 and 1.0
BATTERY_SHARE = 0.756  # of the warmth of the body: the battery lies away from the die


@dataclass(frozen=True, kw_only=True)
class Sensors(Mapping[str, str]):
    """Temperatures, the share of the highest clock that the CPUs run at, and the thermal status; the defaults are a phone at rest.

    As a mapping the words of the personalities' texts: `skin`, `die` and `battery` in degrees, `_whole`, `_tenths` and `_milli` for
    drivers that count otherwise; `khz_N` for a CPU whose highest clock is N kHz; `status`; `headroom`.
    """

    skin_c: float = 29.5
    die_c: float = 41.2
    battery_c: float = 28.4
    clock: float = 1.0
    status: int = 0

    def __getitem__(self, word: str) -> str:
        name, _, form = word.partition("_")
        if name == "khz":
            return str(round(int(form) * self.clock))
        if word == "status":
            return str(self.status)
        if word == "headroom":
            return f"{max(0.0, 1 - (SEVERE_C - self.skin_c) / DEGREES):.6f}"
        celsius = {"skin": self.skin_c, "die": self.die_c, "battery": self.battery_c}[name]
        return {
            "": f"{celsius:.1f}",
            "whole": f"{celsius:.0f}",
            "tenths": f"{celsius * 10:.0f}",
            "milli": f"{celsius * 1000:.0f}",
        }[form]

    def __iter__(self) -> Iterator[str]:
        return iter(("skin", "die", "battery", "status", "headroom"))

    def __len__(self) -> int:
        return len(tuple(iter(self)))


def felt(physics: PhysicalPhone | None) -> Sensors:
    """Each step that the governor takes away is a status higher, up to SEVERE."""
    if physics is None:
        return Sensors()
    return Sensors(
        skin_c=physics.skin_c,
        die_c=physics.die_c,
        battery_c=AMBIENT_C + BATTERY_SHARE * (physics.body_c - AMBIENT_C),
        clock=physics.clock_mhz / CLOCKS_MHZ[0],
        status=physics.step,
    )


class Instruments:
    """The texts at their places; `show` brings those up to date that depend on the sensors."""

    def __init__(self, texts: Mapping[Path, str], physics: PhysicalPhone | None) -> None:
        self._physics, self._lock = physics, threading.Lock()
        self._moving = {path: text for path, text in texts.items() if "$" in text} if physics is not None else {}
        self._shown: dict[Path, str] = {}
        sensors = felt(physics)
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(Template(text).substitute(sensors), encoding="utf-8")

    def show(self) -> None:
        sensors = felt(self._physics)
        with self._lock:
            for path, text in self._moving.items():
                now = Template(text).substitute(sensors)
                if self._shown.get(path) != now:  # a file that is read must not be empty meanwhile
                    path.write_text(now, encoding="utf-8")
                    self._shown[path] = now
