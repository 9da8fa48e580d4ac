"""The line of the benchmark runner: what is no measurement is refused in one sentence, whichever pass it came from."""

from __future__ import annotations

import json

import pytest

from harness.devices.runner.result import parse_result
from harness.errors import DeviceError

LINE = {
    "schema": 1,
    "runtime": "litert",
    "machine": "aarch64",
    "kernel": "6.1",
    "cpus": [0, 1],
    "threads": 2,
    "warmup": 1,
    "load_ns": 1_000_000,
    "init_ns": 500_000,
    "first_ns": 9_000_000,
    "rss_start_kb": 1000,
    "peak_rss_kb": -1,
    "fully_delegated": True,
    "delegates": ["XnnpackBackend"],
    "inputs": [],
    "outputs": [],
    "latency_ns": [5_000_000, 5_100_000],
}


def test_a_whole_line_is_read() -> None:
    """Among other lines; memory that could not be read is told by the runner as -1."""
    result = parse_result(f"noise\n{json.dumps(LINE, separators=(',', ':'))}\nmore noise\n", where="P1")
    assert (result.latency_ns, result.peak_rss_kb) == ((5_000_000, 5_100_000), -1)


@pytest.mark.parametrize(
    ("name", "value"),
    [("latency_ns", [5_000_000, -5]), ("latency_ns", [0]), ("latency_ns", [2**63]), ("first_ns", -1), ("load_ns", 0)],
)
def test_times_that_cannot_be_are_refused(name: str, value: object) -> None:
    """A negative or no duration is a damaged result of the device, never a record and never the end of the session."""
    line = json.dumps(LINE | {name: value}, separators=(",", ":"))
    with pytest.raises(DeviceError, match=f"P1 printed a result that is damaged: {name}"):
        parse_result(line, where="P1")
