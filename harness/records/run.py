"""What one run is: the record (contract, `schema: 2`), one JSON object a line in the exchange format.

A value that could not be read is null with a reason, never 0.
"""

from __future__ import annotations

import codecs
import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema, model_validator

from harness.errors import StoreError
from harness.records.tolerated import Tolerated
from harness.records.verdict import Verdict, parse_verdict
from harness.records.way import Cores, Way

log = logging.getLogger(__name__)

# History of the record's schema (readers refuse a newer number):
#   1  first published form: the verdict is a sentence
#   2  the verdict is its grade, code and details; `device` may name its board and hardware. Records of schema 1 are read as before;
#      a page's are of mode `web` and name their `browser`
SCHEMA = 2


Nanoseconds = Annotated[int, Field(ge=0, lt=2**63)]
Count = Annotated[int, Field(ge=0, lt=2**31)]
# what Windows programs write where they are told nothing else
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# RFC 3339, with the offset from UTC that it asks for
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def _moment(text: str) -> str:
    try:
        if not MOMENT.fullmatch(text):
            raise ValueError
        parse_moment(text)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text[:40]!r} is no moment of RFC 3339, such as 2026-01-31T09:30:00.000+00:00") from error
    return text


def parse_moment(text: str) -> datetime:
    """A record's moment, in UTC, so that moments of several time zones have an order."""
    return datetime.fromisoformat(text).astimezone(UTC)


Moment = Annotated[str, AfterValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]


class Frozen(BaseModel):
    """A part of the record; an unknown field is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)


class Reading(Frozen):
    """A number that was read from a device, or null with the reason why not."""

    value: float | None = None
    unit: str
    reason: str | None = None

    @model_validator(mode="after")
    def _value_or_reason(self) -> Reading:
        if (self.value is None) == (self.reason is None):
            raise ValueError("a reading has either a value or a reason why there is none")
        return self


class TextReading(Frozen):
    """A text that was read from a device, or null with the reason why not."""

    value: str | None = None
    reason: str | None = None

    @model_validator(mode="after")
    def _value_or_reason(self) -> TextReading:
        if (self.value is None) == (self.reason is None):
            raise ValueError("a reading has either a value or a reason why there is none")
        return self


class DeviceInfo(Frozen):
    """What was measured on. `kind` is a key of `harness.devices.DEVICES`, `id` a serial or a fixed name.

    `board` and `hardware` are Android's, None in records from before them and of other systems.
    """

    kind: str
    id: str
    model: TextReading
    soc: TextReading
    os: TextReading
    build: TextReading
    abi: TextReading
    board: TextReading | None = None
    hardware: TextReading | None = None


class Conditions(Frozen):
    """State of the device at one moment. Temperatures in degrees Celsius, clocks in MHz by CPU, battery in percent.

    `temperature_c` is the skin's, else the battery's, as `temperature_of` says; `die_c` is that of the hottest processor, where it is known.
    `clocks_mhz` is what each CPU runs at, `clock_limits_mhz` the highest that it may take now: throttling lowers it.
    `battery_v` and `battery_a` are what the fuel gauge reports, the sign of the current as the vendor gives it. `thermal_headroom` is 1.0
    where severe throttling begins. `screen` and `airplane_mode` are `on` or `off`. `background_load` is how much of all processors was in
    use while nothing was measured, in percent. `load_average` is how many programs ran or wanted to over the last minute.
    `pins` is what the harness holds still on the device, or why the device refused to. `probes` is what further probes read, by their names.
    """

    temperature_c: Reading
    temperature_of: TextReading | None = None
    die_c: Reading | None = None
    thermal_status: Reading
    battery_percent: Reading
    charging: TextReading
    clocks_mhz: tuple[Reading, ...] = ()
    clock_limits_mhz: tuple[Reading, ...] = ()
    battery_v: Reading | None = None
    battery_a: Reading | None = None
    thermal_headroom: Reading | None = None
    screen: TextReading | None = None
    airplane_mode: TextReading | None = None
    background_load: Reading | None = None
    load_average: Reading | None = None
    pins: tuple[TextReading, ...] = ()
    probes: dict[str, Reading | TextReading] = {}


class TimeInState(Frozen):
    """How long the CPUs of one clock domain were set to each clock during the timed pass, idle time included, or why that is not known.

    `policy` is the kernel's name of the domain, `cpus` are its CPUs; `seconds` go with `mhz`, which rises.
    """

    policy: str
    cpus: str
    mhz: tuple[float, ...] = ()
    seconds: tuple[float, ...] = ()
    reason: str | None = None

    @model_validator(mode="after")
    def _times_or_reason(self) -> TimeInState:
        if len(self.mhz) != len(self.seconds) or bool(self.mhz) == (self.reason is not None):
            raise ValueError("a clock domain has either a time for each clock or a reason why there is none")
        return self


class ProcessorUse(Frozen):
    """What the processors did from the start of the timed pass (loading and warm-up included) to its end, by the kernel's counters.

    In processor seconds: `passed_s` is the duration times the CPUs, `busy_s` what all programs used, `own_s` the benchmark alone.
    """

    time_in_state: tuple[TimeInState, ...] = ()
    passed_s: Reading
    busy_s: Reading
    own_s: Reading


class Sample(Frozen):
    """One probe value over time: `t_s` seconds after the start of the run."""

    t_s: float
    probe: str
    value: float
    unit: str


class OpDevice(Frozen):
    """Where a runtime that plans by op (Core ML) says that it executes one: `cpu`, `gpu` or `neural engine`."""

    op: str
    device: str


class BrowserInfo(Frozen):
    """The browser that a page was measured in.

    `gpu` is what it reports of its WebGPU adapter. `isolated` says whether its page had shared memory, without which there are no threads.
    `timer_ns` is the smallest step of its clock: no latency is known better.
    """

    name: str = Field(max_length=100)
    version: str = Field(max_length=100)
    gpu: TextReading
    isolated: bool
    timer_ns: Reading


class GoldenResult(Frozen):
    """Comparison of the device's output with a golden of the bundle."""

    id: str
    passed: bool
    psnr_db: float
    max_abs_error: float
    min_psnr_db: float


class ProtocolInfo(Frozen):
    """The protocol that was followed, in numbers.

    With `duration_s` inferences followed one another for that long. `sha256` is that of all that it says: two protocols of one name may
    differ. `rounds` is how many runs of each variant the session wanted, `seed` that of the order in which they took turns.
    """

    name: str
    warmup: Count
    runs: Count
    duration_s: float | None = Field(default=None, gt=0)
    sha256: str | None = None
    rounds: int | None = Field(default=None, ge=1, lt=2**31)
    seed: int | None = None
    tolerated: Tolerated | None = None

    @property
    def sustained(self) -> bool:
        """How latency changes with heat is what such runs measure."""
        return self.duration_s is not None


class Run(Frozen):
    """One measurement of one variant on one device with all its conditions. Durations in nanoseconds.

    `metric` names what the run is judged by: `latency` on hardware, `instructions` under QEMU, where wall time means
    nothing and `latency_ns` stays empty. `simulated` is the label that every output must carry for such devices.
    `session` names the session that measured it and `round` its turn there: a session measures each variant once a round, so
    runs of one round are neighbours in time. `cores` is the cluster of CPUs that its threads were held on. `baseline`: it is of the older build of two that a session measured in turns. `warm_up` is how many inferences were made before those that are counted. `input_sha256` is the hash of what was put in. `compile_ns` is what a runtime that
    compiles a model for its device (Core ML) takes before loading it, `op_devices` where it plans each op.
    `processor_use` is null for a device that does not report its processors' counters. `browser` is set where the mode is `web`.
    """

    schema_: Literal[2] = Field(default=2, alias="schema")
    id: str
    started_at: Moment
    session: str | None = None
    round: Count | None = None
    baseline: bool = False
    model_name: str
    bundle_sha256: str
    variant: str
    variant_sha256: str
    variant_bytes: Annotated[int, Field(ge=0, lt=2**63)]
    backend: str
    device: DeviceInfo
    mode: Literal["app", "shell", "python", "web"]
    browser: BrowserInfo | None = None
    runtime: str
    runtime_version: str
    delegate_requested: str
    delegate_executed: TextReading
    threads: Annotated[int, Field(ge=1, lt=2**31)]
    cores: Cores | None = None
    protocol: ProtocolInfo
    input_sha256: str | None = None
    conditions_start: Conditions
    conditions_end: Conditions
    metric: Literal["latency", "instructions"]
    simulated: str | None = None
    compile_ns: Reading | None = None
    load_ns: Reading
    first_ns: Reading
    warm_up: Count | None = None
    latency_ns: tuple[Nanoseconds, ...] = ()
    instructions: Reading
    peak_memory_bytes: Reading
    op_devices: tuple[OpDevice, ...] = ()
    samples: tuple[Sample, ...] = ()
    processor_use: ProcessorUse | None = None
    golden: GoldenResult | None = None
    golden_reason: str | None = None
    verdict: Verdict

    @property
    def way(self) -> Way:
        """On how many threads, and on which cores."""
        return Way(self.threads, self.cores)

    @model_validator(mode="after")
    def _browser_of_a_page(self) -> Run:
        if (self.mode == "web") != (self.browser is not None):
            raise ValueError("a run of mode 'web' names its browser, and no other does")
        return self

    @model_validator(mode="before")
    @classmethod
    def _of_schema_1(cls, raw: Any) -> Any:
        if not isinstance(raw, dict) or not isinstance(raw.get("verdict"), str):
            return raw
        fields = {**raw, "verdict": parse_verdict(raw["verdict"])}
        return fields | ({"schema": SCHEMA} if fields.get("schema") == 1 else {})

    @model_validator(mode="after")
    def _nothing_below_zero(self) -> Run:
        told = {
            "compile_ns": self.compile_ns,
            "load_ns": self.load_ns,
            "first_ns": self.first_ns,
            "instructions": self.instructions,
            "peak_memory_bytes": self.peak_memory_bytes,
        }
        for name, reading in told.items():
            if reading is not None and reading.value is not None and reading.value < 0:
                raise ValueError(f"{name} is {reading.value:g}, which is less than nothing")
        return self

    @property
    def moment(self) -> datetime:
        """When it started, in UTC."""
        return parse_moment(self.started_at)

    def to_json(self) -> str:
        """One line of the exchange format."""
        return json.dumps(self.model_dump(mode="json", by_alias=True), ensure_ascii=False, allow_nan=False)


def parse_run(line: str, *, where: str) -> Run:
    """Run from one line of JSON. Raises StoreError naming `where` and the field that is wrong."""
    try:
        return Run.model_validate_json(line)
    except ValidationError:
        return _explain(line, where)


def _explain(line: str, where: str) -> Run:
    """What is wrong with a line, told as far as it can be; JSON that only Python reads is read here too."""
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{where} is not a JSON object ({error}); remove that line.") from error
    if not isinstance(raw, dict):
        raise StoreError(
            f"{where} holds {type(raw).__name__} {str(raw)[:20]!r} and not a JSON object; remove that line."
        )
    schema = raw.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise StoreError(f"{where} has schema {schema} but this edgebundle reads up to {SCHEMA}; upgrade edgebundle.")
    try:
        json.dumps(raw, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise StoreError(f"{where} holds what is no character ({error.reason}); remove that line.") from error
    try:
        return Run.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        why = first["msg"].removeprefix("Value error, ")
        raise StoreError(f"{where} is not a valid run record: {': '.join(filter(None, (field, why)))}.") from error


def read_jsonl(path: Path) -> Iterator[Run]:
    """Runs of a JSON Lines file, in order; blank lines are ignored, and what a killed writer left of a line is told in a warning. Raises StoreError."""
    try:
        refuse_utf_16(path)
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as stream:
            for number, line in enumerate(stream, 1):
                if is_torn(line):
                    log.warning(
                        "%s line %d ends in the middle of a record, which is left out: its writer was killed",
                        path,
                        number,
                    )
                elif line.strip():
                    yield parse_run(line, where=f"{path} line {number}")
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error


def refuse_utf_16(path: Path) -> None:
    """Raises StoreError for a file that a Windows program wrote in its own characters, and OSError for one that cannot be read."""
    with path.open("rb") as stream:
        if stream.read(2) in UTF_16:
            raise StoreError(f"{path} is written in UTF-16, and records are UTF-8; save it as UTF-8.")


def is_torn(line: str) -> bool:
    """The beginning of a record whose append never returned: it opens as ours do, and the JSON ends in the middle."""
    if not line.startswith('{"schema":') or line.rstrip().endswith("}"):
        return False
    try:
        json.loads(line)
    except ValueError:
        return True
    return False
