"""Measurement protocols: the three that `harness run --protocol` offers, and one's own from a TOML file."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from builder.suggest import did_you_mean
from harness.errors import UsageError
from harness.records.tolerated import Tolerated
from harness.records.way import Cores


class Section(BaseModel):
    """A part of protocol.toml; an unknown key is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Wanted(Section):
    """What must hold before a variant is measured. A limit on something that the device does not report is not waited for.

    `cool_down_c` is by how much the device may be warmer than at the start of the session: cool-down by temperature, not by
    the clock. `screen` is the state that the screen must have; a phone that should have it on is woken. `max_load` is the percent of
    all processors that other programs may use. After `wait_s` without the conditions the variant is not measured, and the session
    says why.
    """

    max_temperature_c: float | None = None
    """The highest temperature of the device, in degrees Celsius."""
    cool_down_c: float | None = Field(default=None, gt=0)
    """By how many degrees the device may be warmer than at the start of the session."""
    max_thermal_status: int | None = Field(default=None, ge=0, le=6)
    """The highest thermal status that Android may show; 0 is none, 6 is shutdown."""
    min_battery_percent: float | None = Field(default=None, ge=0, le=100)
    """The lowest charge of the battery."""
    not_charging: bool = False
    """Whether the device must not charge."""
    screen: Literal["on", "off"] | None = None
    """The state that the screen must have."""
    airplane_mode: bool | None = None
    """The state that airplane mode must have."""
    max_load: float | None = Field(default=None, gt=0, le=100)
    """The percent of all processors that other programs may use."""
    wait_s: float = Field(default=900, gt=0)
    """Seconds to wait for the conditions. After that, the variant is not measured and the session says why."""


class Pins(Section):
    """What is set on a phone while it is measured, and set back on any end."""

    fixed_performance: bool = False
    """Android's fixed performance mode, where the phone has it."""
    stay_awake: bool = False
    """Keep the screen on while a cable is connected."""
    airplane_mode: bool = False
    """Turn radios off."""

    @property
    def any(self) -> bool:
        """Whether anything is to be set."""
        return self.fixed_performance or self.stay_awake or self.airplane_mode


class Protocol(Section):
    """How the variants of a bundle are measured, `threads` threads each, on Android in shell mode kept on the `cores` of one cluster.

    At least `warmup` inferences are not counted; after them as many more as it takes until the latency is stationary. Then
    at least `runs` are counted, up to `max_runs` while the 95 % interval of the median reaches further than `interval` from
    it. `rounds` times each variant has its turn, in a balanced order drawn by `seed`, or anew for each session without one. With
    `decide` (a fraction, or `"5 %"`) there are more rounds, up to `max_rounds`, while they cannot show a change by so much. With `duration_s`
    inferences follow one another for that long instead: this measures throughput under heat.
    With `memory_pass` memory is read in a pass of its own, whose output is the golden check before timing. Without it both are
    those of the timed pass.
    """

    name: str = Field(min_length=1)
    """The name that records carry; the file's name when you leave it out."""
    warmup: int = Field(ge=1)
    """Inferences that are not counted, at the least. More follow until the latency is steady."""
    runs: int = Field(ge=1)
    """Inferences that are counted, at the least."""
    max_runs: int = Field(default=0, ge=0)
    """Inferences that are counted, at the most; 0 means `runs`."""
    interval: float = Field(default=0.02, gt=0, lt=1)
    """Counting goes on while the 95 % interval of the median reaches further from it than this part."""
    threads: int = Field(default=2, ge=1, le=64)
    """Threads of the runtime."""
    cores: Cores | None = None
    """The cluster of CPUs that the threads are held on, in shell mode."""
    rounds: int = Field(default=1, ge=1, le=1000)
    """How many times each variant has its turn."""
    max_rounds: int = Field(default=0, ge=0, le=1000)
    """Rounds at the most, while `decide` is not reached; 0 means `rounds`."""
    decide: float | None = Field(default=None, gt=0, lt=1)
    """Go on until a change of this part can be seen, for example `"5 %"`."""
    seed: int | None = None
    """The seed of the orders of variants; without it each session draws its own."""
    duration_s: float | None = Field(default=None, ge=1)
    """Run for that many seconds instead of a number of inferences: throughput under heat."""
    memory_pass: bool = True
    """Read memory and check the golden in a pass of its own, before timing."""
    timeout_s: float = Field(default=1200, gt=0)
    """Seconds that one measurement may take."""
    conditions: Wanted = Wanted()
    """What must hold before a variant is measured."""
    pins: Pins = Pins()
    """What is set on a phone while it is measured, and set back at any end."""
    tolerated: Tolerated = Tolerated()
    """What share of a session's runs may be bad before the session is."""

    @field_validator("decide", mode="before")
    @classmethod
    def _percent(cls, value: object) -> object:
        """`"5 %"` as 0.05; anything else is for the type to refuse."""
        number = value.strip().removesuffix("%") if isinstance(value, str) and value.strip().endswith("%") else None
        try:
            return value if number is None else float(number) / 100
        except ValueError:
            return value

    @model_validator(mode="after")
    def _limits_agree(self) -> Self:
        if self.max_runs and self.max_runs < self.runs:
            raise ValueError(f"'max_runs' ({self.max_runs}) is less than 'runs' ({self.runs})")
        if self.decide is not None and self.max_rounds <= self.rounds:
            raise ValueError(f"'decide' needs 'max_rounds' above 'rounds' ({self.rounds})")
        if self.conditions.screen == "off" and self.pins.stay_awake:
            raise ValueError("'conditions.screen' waits for what 'pins.stay_awake' prevents: one of the two must go")
        if self.conditions.airplane_mode is False and self.pins.airplane_mode:
            raise ValueError(
                "'conditions.airplane_mode' waits for what 'pins.airplane_mode' prevents: one of the two must go"
            )
        return self

    @property
    def sha256(self) -> str:
        """Of all that it says, so that an edited protocol is another one."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def most_runs(self) -> int:
        """The most inferences that are counted."""
        return max(self.max_runs, self.runs)

    def counting(self) -> Protocol:
        """The same for devices that count instructions: counts repeat exactly on one thread, so one inference is enough."""
        return Protocol(
            name=self.name,
            warmup=1,
            runs=1,
            threads=1,
            rounds=self.rounds,
            timeout_s=self.timeout_s,
            tolerated=self.tolerated,
        )


PROTOCOLS: dict[str, Protocol] = {
    "quick": Protocol(name="quick", warmup=5, runs=30, memory_pass=False, timeout_s=300),
    "standard": Protocol(
        name="standard",
        warmup=20,
        runs=200,
        max_runs=1000,
        rounds=5,
        max_rounds=15,
        decide=0.05,
        conditions=Wanted(
            max_temperature_c=38, cool_down_c=2, max_thermal_status=0, min_battery_percent=25, screen="on", max_load=20
        ),
        pins=Pins(fixed_performance=True, stay_awake=True),
    ),
    "sustained": Protocol(
        name="sustained",
        warmup=5,
        runs=30,
        duration_s=600,
        timeout_s=1800,
        conditions=Wanted(max_temperature_c=33, max_thermal_status=0, min_battery_percent=40, screen="on", max_load=20),
        pins=Pins(stay_awake=True),
    ),
}


def find_protocol(name: str) -> Protocol:
    """One of PROTOCOLS, or the one in a TOML file. Raises UsageError, with the nearest known name, the key or the line."""
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    if name.endswith(".toml"):
        return _read_protocol(Path(name))
    raise UsageError(f"there is no protocol {name!r}{did_you_mean(name, [*PROTOCOLS, 'FILE.toml'])}")


def _read_protocol(path: Path) -> Protocol:
    if not path.exists():
        raise UsageError(f"{path} does not exist; name a protocol ({', '.join(PROTOCOLS)}) or a .toml file.")
    if not path.is_file():
        raise UsageError(f"{path} is no file; name a protocol ({', '.join(PROTOCOLS)}) or a .toml file.")
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not written in UTF-8 ({error.reason}); save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}.") from error
    base = raw.pop("extends", None)
    if base is not None:
        if base not in PROTOCOLS:
            raise UsageError(f"{path}: extends: {base!r} is none of {', '.join(PROTOCOLS)}.")
        raw = _over(PROTOCOLS[base].model_dump(exclude={"name"}), raw)
    try:
        return Protocol.model_validate({"name": path.stem, **raw})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{path}: {_say(first['type'], first['msg'], where)}") from error


def _over(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """What a file says over what it extends, section by section."""
    merged = dict(base)
    for key, value in own.items():
        below = merged.get(key)
        merged[key] = _over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _say(kind: str, message: str, where: str) -> str:
    if kind == "extra_forbidden":
        known = [*Protocol.model_fields, *Wanted.model_fields, *Pins.model_fields, *Tolerated.model_fields]
        return f"unknown key {where!r}{did_you_mean(where.rpartition('.')[2], known)}"
    if kind == "missing":
        return f"{where!r} is missing."
    return f"{where}: {message.removeprefix('Value error, ')}.".removeprefix(": ")
