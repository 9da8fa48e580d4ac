"""What a device is to the session: something that can be described, looked at, and asked to measure one variant."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self, runtime_checkable

from builder.bundle import Variant
from harness.protocol import Pins
from harness.records.profile import Operator
from harness.records.run import (
    BrowserInfo,
    Conditions,
    DeviceInfo,
    GoldenResult,
    OpDevice,
    ProcessorUse,
    Reading,
    Sample,
    TextReading,
)
from harness.records.way import Cores

if TYPE_CHECKING:
    from harness.records.tensors import Tensors


@dataclass(frozen=True, kw_only=True)
class Request:
    """One measurement: run `artifact` on `inputs` (logical layout, by name) `warmup + runs` times on `threads` threads."""

    artifact: Path
    variant: Variant
    inputs: Tensors
    threads: int
    warmup: int
    runs: int
    timeout_s: float
    cores: Cores | None = None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a device gives back. `outputs` are those of the last run, in logical layout, by name; durations in ns.

    `delegate_executed` uses the manifest's names (`xnnpack`, `gpu`, ...), `cpu` where no delegate took part.
    """

    mode: Literal["app", "shell", "python", "web"]
    runtime: str
    runtime_version: str
    delegate_executed: TextReading
    load_ns: Reading
    first_ns: Reading
    latency_ns: tuple[int, ...]
    instructions: Reading
    peak_memory_bytes: Reading
    outputs: Tensors
    samples: tuple[Sample, ...] = field(default=())
    warm_up: int | None = None  # of a device that ends its warm-up itself: inferences before those of `latency_ns`
    compile_ns: Reading | None = None
    op_devices: tuple[OpDevice, ...] = ()
    processor_use: ProcessorUse | None = None
    golden: GoldenResult | None = None  # of a device that checks by itself and gives no outputs: the Android app
    browser: BrowserInfo | None = None
    threads: int | None = None  # where it may be fewer than asked for: a page without shared memory has one
    hidden: bool = False  # it was out of sight for a while, and so slowed down


@dataclass(frozen=True, kw_only=True)
class Profiled:
    """What a runtime's own profiler says, operators in order of execution."""

    runtime: str
    runtime_version: str
    operators: tuple[Operator, ...]


class Device(Protocol):
    """An opened device; a context manager that leaves the device as it found it. Raises DeviceError."""

    metric: Literal["latency", "instructions"]
    simulated: str | None  # the label every output must carry, or None for real hardware

    @property
    def info(self) -> DeviceInfo:
        """What it is, as each of its records says."""
        ...

    def find_unsupported(self, variant: Variant) -> str | None:
        """Why this device cannot run a variant (half a sentence: `Core ML needs macOS or iOS`), or None when it can."""
        ...

    def conditions(self) -> Conditions:
        """Its state now. What it does not report is null with the reason; raises DeviceLost where it does not answer."""
        ...

    def measure(self, request: Request) -> Measured:
        """One pass over a variant: loaded, warmed up, timed. Raises DeviceError, DeviceLost, MissingToolError."""
        ...

    def __enter__(self) -> Self:
        """Keep it for this session alone."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put back what was changed on it."""
        ...


@runtime_checkable
class SelfPaced(Protocol):
    """A device that follows the protocol by itself, so that one request is the whole measurement: a recording."""

    self_paced: Literal[True]


@runtime_checkable
class Enduring(Protocol):
    """A device that keeps a load up by itself, so that lasting load is one request, without pauses between chunks: the app."""

    def endure(self, request: Request, seconds: float) -> Measured:
        """At least `request.runs` inferences, and `seconds` of them."""
        ...


@runtime_checkable
class Profiling(Protocol):
    """A device whose runtime tells how long each operator takes."""

    def profile(self, request: Request) -> Profiled:
        """Of `request.runs` inferences. Raises DeviceError."""
        ...


@runtime_checkable
class Pinnable(Protocol):
    """A device whose clocks and screen can be held still while it is measured."""

    def pin(self, pins: Pins) -> AbstractContextManager[None]:
        """Set what `pins` names, and set it back on any end. Raises DeviceError."""
        ...


@runtime_checkable
class Holding(Protocol):
    """A device that knows clusters of CPUs; `holds_cores`: it can keep a benchmark on one."""

    holds_cores: bool


@runtime_checkable
class Wakeable(Protocol):
    """A device whose screen can be switched on."""

    def wake(self) -> None:
        """Ask for it; what a device refuses shows in its conditions. Raises DeviceLost."""
        ...


@dataclass(frozen=True, kw_only=True)
class Found:
    """A line of `harness devices`: `state` is `ready` or the reason why it cannot be used and the cure.

    `alone`: its kind has this one device, so that `-d KIND` names it.
    """

    kind: str
    id: str
    description: str
    state: str
    alone: bool = False

    @property
    def name(self) -> str:
        """What `-d` takes."""
        return self.kind if self.alone else f"{self.kind}:{self.id}"


class DeviceKind(Protocol):
    """A module of `harness.devices`: how devices of one kind are found and opened. All that is said of a kind stands in its folder.

    `LOCAL`: it computes on this computer's own processor; such devices are measured one after the other.
    """

    @property
    def KIND(self) -> str:
        """The word before the colon of `-d`."""
        ...

    @property
    def LOCAL(self) -> bool:
        """Whether it computes on this computer's own processor."""
        ...

    def find(self) -> list[Found]:
        """The devices of this kind, ready or not: what is missing is the state of an entry."""
        ...

    def open_device(self, device_id: str | None) -> Device:
        """One device, by its id, or the only one there is. Raises UsageError, DeviceError, MissingToolError."""
        ...
