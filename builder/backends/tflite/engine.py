"""A TFLite file in LiteRT on this computer, to be measured and profiled.

The Python interpreter has no profiler, so that the C library is called, with the functions that mobile/runner/litert_api.h declares.
"""

from __future__ import annotations

import ctypes
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from builder.backends.engine import Loaded, read_resident_bytes
from builder.backends.spec import NO_DELEGATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from builder.backends.engine import Arrays

# kLiteRtHwAcceleratorCpu.
CPU = 1
# kLiteRtTensorBufferLockModeWrite.
WRITE = 1
# Of LiteRtRankedTensorType.
TYPE_BYTES = 72
# Types of events: an operator, and one that a delegate executed.
OPERATORS = (1 << 1, 1 << 3)
RELEASE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def load(artifact: str, threads: int, inputs: Arrays) -> Loaded:
    """Load into LiteRT, whose default op resolver applies XNNPACK where it can; the graph tells whether it did."""
    from ai_edge_litert.interpreter import Interpreter

    before = read_resident_bytes()
    start = time.perf_counter_ns()
    interpreter = Interpreter(model_path=artifact, num_threads=threads)
    interpreter.allocate_tensors()
    load_ns = time.perf_counter_ns() - start
    for detail, value in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], value)
    # a delegate that takes part adds nodes of its own to the graph; XNNPACK is the only one this process can load
    delegated = any(op["op_name"] == "DELEGATE" for op in interpreter._get_ops_details())
    return Loaded(
        delegate="xnnpack" if delegated else NO_DELEGATE,
        load_ns=load_ns,
        memory_before_bytes=before,
        invoke=interpreter.invoke,
        outputs=lambda: [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()],
    )


def profile(artifact: str, threads: int, inputs: Arrays, runs: int) -> list[str]:
    return LiteRt(artifact, threads, inputs).trace(runs)


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

    def trace(self, runs: int) -> list[str]:
        """Of each inference a line for each operator. The runtime's own summary would add up all inferences of an instance."""
        profiler = self._make("LiteRtCompiledModelGetProfiler", self._compiled)
        self._run()
        texts = []
        for _ in range(runs):
            self._call("LiteRtResetProfiler", profiler)
            self._call("LiteRtStartProfiler", profiler)
            self._run()
            self._call("LiteRtStopProfiler", profiler)
            texts.append("".join(self._list_operators(profiler)))
        return texts

    def _list_operators(self, profiler: ctypes.c_void_p) -> list[str]:
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
