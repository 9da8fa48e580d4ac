"""The child process that profiles one artifact on this computer: `python -m harness.devices.host.profiler FOLDER`.

As the benchmark's (`worker.py`): `request.json` and the inputs in, `profile.json` out, with one text for each inference as
`harness.devices.runner.operators` reads them. The Python interpreter of LiteRT has no profiler, so that its C library is called, with the
functions that mobile/runner/litert_api.h declares; ExecuTorch's binding writes an ETDump.
"""

from __future__ import annotations

import ctypes
import json
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.devices.host.worker import WorkerRequest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = list[NDArray[np.generic]]

CPU = 1  # kLiteRtHwAcceleratorCpu
WRITE = 1  # kLiteRtTensorBufferLockModeWrite
TYPE_BYTES = 72  # of LiteRtRankedTensorType
OPERATORS = (1 << 1, 1 << 3)  # types of events: an operator, and one that a delegate executed


def main(folder: Path) -> None:
    request = WorkerRequest(**json.loads((folder / "request.json").read_text(encoding="utf-8")))
    inputs = [np.load(folder / f"in{index}.npy", allow_pickle=False) for index in range(request.inputs)]
    name, package, profile = PROFILERS[request.backend]
    texts = profile(request.artifact, request.threads, inputs, request.runs)
    answer = {"runtime": name, "runtime_version": version(package), "texts": texts}
    (folder / "profile.json").write_text(json.dumps(answer), encoding="utf-8")


def profile_executorch(artifact: str, threads: int, inputs: Arrays, runs: int) -> list[str]:
    import torch
    from executorch.devtools.etdump.serialize import deserialize_from_etdump_flatcc
    from executorch.extension.pybindings import portable_lib

    portable_lib._unsafe_reset_threadpool(threads)
    module = portable_lib._load_for_executorch(artifact, enable_etdump=True)
    tensors = [torch.from_numpy(value) for value in inputs]
    for _ in range(runs + 1):  # the first one prepares what later ones use
        module.run_method("forward", tensors)
    with tempfile.TemporaryDirectory() as name:
        module.write_etdump_result_to_file(f"{name}/dump")
        dump = deserialize_from_etdump_flatcc(Path(f"{name}/dump").read_bytes())
    blocks = [block for block in dump.run_data if block.name == "Execute"]
    return [_innermost(block) for block in blocks[1:]]


def _innermost(block: Any) -> str:
    """A line for each event that holds no other: a delegate's call holds those of its operators."""
    events = [event.profile_event for event in block.events or () if event.profile_event is not None]
    spans = [(event.start_time, event.end_time) for event in events]
    inner = [
        event
        for event, (first, last) in zip(events, spans, strict=True)
        if not any(first <= a and b <= last and (a, b) != (first, last) for a, b in spans)
    ]
    names = [str(event.name or event.delegate_debug_id_str or "delegated") for event in inner]
    return "".join(f"{name}\t{event.end_time - event.start_time}\n" for name, event in zip(names, inner, strict=True))


def profile_litert(artifact: str, threads: int, inputs: Arrays, runs: int) -> list[str]:
    return LiteRt(artifact, threads, inputs).traces(runs)


class Event(ctypes.Structure):
    """LiteRtProfiledEvent."""

    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("type", ctypes.c_int),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory", ctypes.c_size_t * 6),
        ("metadata", ctypes.c_uint64 * 2),
        ("source", ctypes.c_int),
    )


class LiteRt:
    """A compiled model with a profiler, by the C API; objects live until the process ends."""

    def __init__(self, artifact: str, threads: int, inputs: Arrays) -> None:
        spec = find_spec("ai_edge_litert")
        (library,) = Path(str(spec and spec.origin)).parent.glob("libLiteRt.*")
        self._library = ctypes.CDLL(str(library))
        self._kept: list[object] = []
        environment = self._make("LiteRtCreateEnvironment", 0, None)
        self._environment = environment
        self._model = self._make("LiteRtCreateModelFromFile", environment, artifact.encode())
        options = self._make("LiteRtCreateOptions")
        self._call("LiteRtSetOptionsHardwareAccelerators", options, CPU)
        self._add(options, b"xnnpack", f"num_threads = {threads}\n")
        self._add(options, b"runtime_options_string", "enable_profiling = true\n")
        self._compiled = self._make("LiteRtCreateCompiledModel", environment, self._model, options)
        self._signature = self._make("LiteRtGetModelSignature", self._model, ctypes.c_size_t(0))
        self._inputs, self._outputs = self._buffers("Input"), self._buffers("Output")
        for buffer, value in zip(self._inputs, inputs, strict=True):
            self._fill(buffer, value)

    def traces(self, runs: int) -> list[str]:
        """Of each inference a line for each operator. The runtime's own summary would add up all inferences of an instance."""
        profiler = self._make("LiteRtCompiledModelGetProfiler", self._compiled)
        self._run()
        texts = []
        for _ in range(runs):
            self._call("LiteRtResetProfiler", profiler)
            self._call("LiteRtStartProfiler", profiler)
            self._run()
            self._call("LiteRtStopProfiler", profiler)
            texts.append("".join(self._operators(profiler)))
        return texts

    def _operators(self, profiler: ctypes.c_void_p) -> list[str]:
        count = ctypes.c_int()
        self._call("LiteRtGetNumProfilerEvents", profiler, ctypes.byref(count))
        events = (Event * count.value)()
        if count.value:
            self._call("LiteRtGetProfilerEvents", profiler, count, events)
        return [
            f"{(event.tag or b'').decode()}\t{event.elapsed_us * 1000}\n" for event in events if event.type in OPERATORS
        ]

    def _run(self) -> None:
        handles = [(ctypes.c_void_p * len(side))(*side) for side in (self._inputs, self._outputs)]
        sizes = [ctypes.c_size_t(len(side)) for side in handles]
        self._call(
            "LiteRtRunCompiledModel", self._compiled, ctypes.c_size_t(0), sizes[0], handles[0], sizes[1], handles[1]
        )

    def _buffers(self, kind: str) -> list[ctypes.c_void_p]:
        count = ctypes.c_size_t()
        self._call(f"LiteRtGetNumSignature{kind}s", self._signature, ctypes.byref(count))
        return [self._buffer(kind, ctypes.c_size_t(index)) for index in range(count.value)]

    def _buffer(self, kind: str, index: ctypes.c_size_t) -> ctypes.c_void_p:
        tensor = self._make(f"LiteRtGetSignature{kind}TensorByIndex", self._signature, index)
        wanted = self._make(
            f"LiteRtGetCompiledModel{kind}BufferRequirements", self._compiled, ctypes.c_size_t(0), index
        )
        described = (ctypes.c_char * TYPE_BYTES)()
        self._call("LiteRtGetRankedTensorType", tensor, described)
        return self._make("LiteRtCreateManagedTensorBufferFromRequirements", self._environment, described, wanted)

    def _fill(self, buffer: ctypes.c_void_p, value: NDArray[np.generic]) -> None:
        data = np.ascontiguousarray(value).tobytes()
        size = ctypes.c_size_t()
        self._call("LiteRtGetTensorBufferPackedSize", buffer, ctypes.byref(size))
        if size.value != len(data):
            raise SystemExit(f"an input has {len(data)} bytes, the model takes {size.value}")
        place = ctypes.c_void_p()
        self._call("LiteRtLockTensorBuffer", buffer, ctypes.byref(place), WRITE)
        ctypes.memmove(place, data, len(data))
        self._call("LiteRtUnlockTensorBuffer", buffer)

    def _add(self, options: ctypes.c_void_p, name: bytes, text: str) -> None:
        """Options that the C API does not know: a name and a TOML text, which stays ours."""
        payload, release = ctypes.create_string_buffer(text.encode()), RELEASE(lambda place: None)
        self._kept += [payload, release]
        opaque = self._make("LiteRtCreateOpaqueOptions", name, ctypes.cast(payload, ctypes.c_void_p), release)
        self._call("LiteRtAddOpaqueOptions", options, opaque)

    def _make(self, function: str, *arguments: object) -> ctypes.c_void_p:
        """What a function writes into its last argument."""
        made = ctypes.c_void_p()
        self._call(function, *arguments, ctypes.byref(made))
        return made

    def _call(self, function: str, *arguments: object) -> None:
        status = getattr(self._library, function)(*arguments)
        if status:
            raise SystemExit(f"LiteRT's {function} failed with status {status}")


RELEASE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
PROFILERS: dict[str, tuple[str, str, Callable[[str, int, Arrays, int], list[str]]]] = {
    "tflite": ("LiteRT", "ai-edge-litert", profile_litert),
    "executorch": ("ExecuTorch", "executorch", profile_executorch),
}

if __name__ == "__main__":
    main(Path(sys.argv[1]))
