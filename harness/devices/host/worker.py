"""The child process of the `host` device: loads one artifact, runs it, times it, and writes what it saw.

Started as `python -m harness.devices.host.worker FOLDER`; `FOLDER/request.json` says what to do, the inputs are `in0.npy`,
`in1.npy`, ... in the artifact's own order. Leaves `out0.npy`, ... and `result.json`. A process of its own, because a crash
of a runtime must become an error message, and because its memory is then the runtime's and the model's alone.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from builder.backends import BACKENDS

if TYPE_CHECKING:
    from builder.backends.engine import Arrays, HostEngine, Loaded
    from builder.backends.spec import Engine


@dataclass(frozen=True, kw_only=True)
class WorkerRequest:
    """`request.json`."""

    backend: str
    artifact: str
    threads: int
    inputs: int
    warmup: int
    runs: int


@dataclass(frozen=True, kw_only=True)
class WorkerResult:
    """`result.json`; durations in ns, memory in bytes."""

    runtime: str
    runtime_version: str
    delegate: str
    load_ns: int
    first_ns: int
    latency_ns: list[int]
    memory_before_bytes: int
    memory_peak_bytes: int
    outputs: int


def measure(loaded: Loaded, warmup: int, runs: int) -> tuple[int, list[int]]:
    """First latency, then `runs` warm ones; the first run is one of the `warmup`. Only `invoke` is inside a timed sample."""
    clock, invoke = time.perf_counter_ns, loaded.invoke
    gc.collect()
    gc.disable()  # a collection inside a sample would be measured
    start = clock()
    invoke()
    first_ns = clock() - start
    for _ in range(warmup - 1):
        invoke()
    latency_ns = [0] * runs
    for index in range(runs):
        start = clock()
        invoke()
        latency_ns[index] = clock() - start
    gc.enable()
    return first_ns, latency_ns


def read_peak_resident_bytes() -> int:
    """High-water mark of this process. On Linux not `ru_maxrss`, which a child inherits from the process that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def read_request(folder: Path) -> tuple[WorkerRequest, Engine, HostEngine, Arrays]:
    """What is asked for, what runs it, its functions, and the inputs."""
    request = WorkerRequest(**json.loads((folder / "request.json").read_text(encoding="utf-8")))
    engine = BACKENDS[request.backend].SPEC.engine
    assert engine is not None  # the host refuses the others
    inputs = [np.load(folder / f"in{index}.npy", allow_pickle=False) for index in range(request.inputs)]
    return request, engine, cast("HostEngine", importlib.import_module(engine.module)), inputs


def main(folder: Path) -> None:
    request, engine, functions, inputs = read_request(folder)
    loaded = functions.load(request.artifact, request.threads, inputs)
    first_ns, latency_ns = measure(loaded, request.warmup, request.runs)
    outputs = loaded.outputs()
    for index, value in enumerate(outputs):
        np.save(folder / f"out{index}.npy", value, allow_pickle=False)
    result = WorkerResult(
        runtime=engine.name,
        runtime_version=version(engine.package),
        delegate=loaded.delegate,
        load_ns=loaded.load_ns,
        first_ns=first_ns,
        latency_ns=latency_ns,
        memory_before_bytes=loaded.memory_before_bytes,
        memory_peak_bytes=read_peak_resident_bytes(),
        outputs=len(outputs),
    )
    (folder / "result.json").write_text(json.dumps(asdict(result)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
