"""The `replay` device: gives back the records of a JSON Lines file, for tests and for trying out reports and checks."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from builder.bundle import Variant
from harness.devices.base import Device, Found, Measured, Request
from harness.errors import DeviceError, UsageError
from harness.records.run import Conditions, DeviceInfo, Run, read_jsonl

KIND = "replay"
LOCAL = True


def find() -> list[Found]:
    state = f"needs a file of records: write -d {KIND}:RUNS.jsonl"
    return [Found(kind=KIND, id="FILE.jsonl", description="gives back the records of a file", state=state)]


def open_device(device_id: str | None) -> Device:
    if device_id is None or not Path(device_id).is_file():
        raise UsageError(f"replay needs a JSON Lines file of records, not {device_id!r}; write -d replay:RUNS.jsonl.")
    records = list(read_jsonl(Path(device_id)))
    if not records:
        raise UsageError(f"{device_id} holds no records; write some with 'harness run -o {device_id}'.")
    return Replay(Path(device_id), records)


class Replay:
    """Each record is given back once, in the order of the file; records keep no outputs, so goldens are not checked."""

    metric: Literal["latency", "instructions"]
    self_paced: Literal[True] = True

    def __init__(self, path: Path, records: list[Run]) -> None:
        self._path = path
        self._left = records
        self._last = records[0]
        self.metric = records[0].metric
        self.simulated: str | None = f"replayed from {path.name}"

    @property
    def info(self) -> DeviceInfo:
        return self._last.device.model_copy(update={"kind": KIND, "id": self._path.name})

    def find_unsupported(self, variant: Variant) -> str | None:
        known = any(record.variant == variant.id and record.metric == self.metric for record in self._left)
        return None if known else f"{self._path.name} holds no further {self.metric} record of it"

    def conditions(self) -> Conditions:
        return self._last.conditions_start

    def measure(self, request: Request) -> Measured:
        next_record = next(
            (record for record in self._left if record.variant == request.variant.id and record.metric == self.metric),
            None,
        )
        if next_record is None:
            raise DeviceError(f"{self._path.name} holds no further record of variant {request.variant.id}.")
        self._left.remove(next_record)
        self._last = next_record
        return Measured(
            mode=next_record.mode,
            runtime=next_record.runtime,
            runtime_version=next_record.runtime_version,
            delegate_executed=next_record.delegate_executed,
            load_ns=next_record.load_ns,
            first_ns=next_record.first_ns,
            latency_ns=next_record.latency_ns,
            instructions=next_record.instructions,
            peak_memory_bytes=next_record.peak_memory_bytes,
            outputs={},
            samples=next_record.samples,
            warm_up=next_record.protocol.warmup if next_record.warm_up is None else next_record.warm_up,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None
