"""The child process of the `host` device: loads one artifact, runs it, times it, and writes what it saw.

Started as `python -m harness.devices.host.worker FOLDER`; `FOLDER/request.json` says what to do, the inputs are `in0.npy`,
`in1.npy`, ... in the artifact's own order. Leaves `out0.npy`, ... and `result.json`. A process of its own, because a crash
of a runtime must become an error message, and because its memory is then the runtime's and the model's alone.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = list[NDArray[np.generic]]


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


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A model that is ready to run: `invoke` runs it once and does nothing else, `outputs` are those of the last run."""

    runtime: str
    runtime_version: str
    delegate: str
    load_ns: int
    memory_before_bytes: int
    invoke: Callable[[], object]
    outputs: Callable[[], Arrays]


def load_tflite(artifact: str, threads: int, inputs: Arrays) -> Loaded:
    """Load into LiteRT, whose default op resolver applies XNNPACK where it can; the graph tells whether it did."""
    from ai_edge_litert.interpreter import Interpreter

    before = resident_bytes()
    start = time.perf_counter_ns()
    interpreter = Interpreter(model_path=artifact, num_threads=threads)
    interpreter.allocate_tensors()
    load_ns = time.perf_counter_ns() - start
    for detail, value in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], value)
    # a delegate that takes part adds nodes of its own to the graph; XNNPACK is the only one this process can load
    delegated = any(op["op_name"] == "DELEGATE" for op in interpreter._get_ops_details())
    return Loaded(
        runtime="LiteRT",
        runtime_version=version("ai-edge-litert"),
        delegate="xnnpack" if delegated else "cpu",
        load_ns=load_ns,
        memory_before_bytes=before,
        invoke=interpreter.invoke,
        outputs=lambda: [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()],
    )


def load_executorch(artifact: str, threads: int, inputs: Arrays) -> Loaded:
    """Load into ExecuTorch; its delegates are fixed when the artifact is made, so the file tells which take part."""
    import torch
    from executorch.exir._serialize._program import deserialize_pte_binary
    from executorch.exir.schema import DelegateCall
    from executorch.extension.pybindings import portable_lib
    from executorch.runtime import Runtime

    portable_lib._unsafe_reset_threadpool(threads)
    runtime = Runtime.get()
    tensors = [torch.from_numpy(value) for value in inputs]
    plan = deserialize_pte_binary(Path(artifact).read_bytes()).program.execution_plan[0]
    calls = [step.instr_args for chain in plan.chains for step in chain.instructions]
    delegates = {plan.delegates[call.delegate_index].id for call in calls if isinstance(call, DelegateCall)}
    before = resident_bytes()
    start = time.perf_counter_ns()
    method = runtime.load_program(artifact).load_method("forward")
    load_ns = time.perf_counter_ns() - start
    last: list[Any] = []

    def invoke() -> None:
        last[:] = method.execute(tensors)

    return Loaded(
        runtime="ExecuTorch",
        runtime_version=version("executorch"),
        delegate=" + ".join(sorted(EXECUTORCH_DELEGATES.get(name, name) for name in delegates)) or "cpu",
        load_ns=load_ns,
        memory_before_bytes=before,
        invoke=invoke,
        outputs=lambda: [value.numpy() for value in last],
    )


EXECUTORCH_DELEGATES = {"XnnpackBackend": "xnnpack", "CoreMLBackend": "coreml", "VulkanBackend": "vulkan"}
LOADERS: dict[str, Callable[[str, int, Arrays], Loaded]] = {"tflite": load_tflite, "executorch": load_executorch}


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


def resident_bytes() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


def peak_resident_bytes() -> int:
    """High-water mark of this process. On Linux not `ru_maxrss`, which a child inherits from the process that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def main(folder: Path) -> None:
    request = WorkerRequest(**json.loads((folder / "request.json").read_text(encoding="utf-8")))
    inputs = [np.load(folder / f"in{index}.npy", allow_pickle=False) for index in range(request.inputs)]
    loaded = LOADERS[request.backend](request.artifact, request.threads, inputs)
    first_ns, latency_ns = measure(loaded, request.warmup, request.runs)
    outputs = loaded.outputs()
    for index, value in enumerate(outputs):
        np.save(folder / f"out{index}.npy", value, allow_pickle=False)
    result = WorkerResult(
        runtime=loaded.runtime,
        runtime_version=loaded.runtime_version,
        delegate=loaded.delegate,
        load_ns=loaded.load_ns,
        first_ns=first_ns,
        latency_ns=latency_ns,
        memory_before_bytes=loaded.memory_before_bytes,
        memory_peak_bytes=peak_resident_bytes(),
        outputs=len(outputs),
    )
    (folder / "result.json").write_text(json.dumps(asdict(result)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
