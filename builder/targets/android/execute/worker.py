"""The process in which a package's TensorFlow Lite runs a variant, by its C API. It imports nothing of ours but NumPy.

argv: a folder with `request.json` (libraries, model, delegate, samples), N.npz for every sample with arrays named by the place of the
input; N.out.npz are written, named by the place of the output. The runtime's words go to stderr. Structures: the public headers
tensorflow/lite/c/c_api.h and tensorflow/lite/delegates/gpu/delegate_options.h.
"""

from __future__ import annotations

import ctypes
import json
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

DTYPES = {1: np.float32, 2: np.int32, 3: np.uint8, 4: np.int64, 6: np.bool_, 9: np.int8, 10: np.float16}
# Of the GPU delegate's options.
MAX_PRECISION, MIN_LATENCY, MIN_MEMORY, ENABLE_QUANT = 1, 2, 3, 1
# PR_SET_PDEATHSIG.
_DIE_WITH_PARENT = 1


class GpuOptions(ctypes.Structure):
    """TfLiteGpuDelegateOptionsV2, with room behind it for fields of later versions."""

    _fields_ = (
        ("precision_loss_allowed", ctypes.c_int32), ("preference", ctypes.c_int32), ("priority1", ctypes.c_int32),
        ("priority2", ctypes.c_int32), ("priority3", ctypes.c_int32), ("flags", ctypes.c_int64), ("partitions", ctypes.c_int32),
        ("folder", ctypes.c_char_p), ("token", ctypes.c_char_p), ("later", ctypes.c_int64 * 8),
    )  # fmt: skip


def load(folder: Path, name: str, pointers: tuple[str, ...]) -> Any:
    """A library; functions that give a pointer, which ctypes would cut to 32 bits."""
    library = ctypes.CDLL(str(folder / name), mode=ctypes.RTLD_GLOBAL)
    for function in pointers:
        getattr(library, function).restype = ctypes.c_void_p
    return library


def make_delegate(name: str, folder: Path, tflite: Any) -> int | None:
    """As the SDK's engines ask for it: XNNPACK by its defaults, the GPU in fp16 with quantized models allowed."""
    if name == "xnnpack":
        tflite.TfLiteXNNPackDelegateCreate.restype = ctypes.c_void_p
        return int(tflite.TfLiteXNNPackDelegateCreate(None))
    if name != "gpu":
        return None
    gpu = load(folder, "libtensorflowlite_gpu_jni.so", ("TfLiteGpuDelegateV2Create",))
    gpu.TfLiteGpuDelegateOptionsV2Default.restype = GpuOptions
    options = gpu.TfLiteGpuDelegateOptionsV2Default()
    options.precision_loss_allowed, options.flags = 1, ENABLE_QUANT
    options.priority1, options.priority2, options.priority3 = MIN_LATENCY, MIN_MEMORY, MAX_PRECISION
    return int(gpu.TfLiteGpuDelegateV2Create(ctypes.byref(options)))


def fail(text: str) -> None:
    print(f"edgebundle: {text}", file=sys.stderr, flush=True)
    raise SystemExit(1)


def view_tensor(tflite: Any, tensor: int) -> np.ndarray[Any, Any]:
    shape = tuple(
        tflite.TfLiteTensorDim(ctypes.c_void_p(tensor), i)
        for i in range(tflite.TfLiteTensorNumDims(ctypes.c_void_p(tensor)))
    )
    return np.zeros(shape, DTYPES[tflite.TfLiteTensorType(ctypes.c_void_p(tensor))])


def main(folder: Path) -> None:
    ctypes.CDLL("libc.so.6").prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    libraries = Path(request["libraries"])
    tflite = load(
        libraries,
        "libtensorflowlite_jni.so",
        (
            "TfLiteModelCreateFromFile",
            "TfLiteInterpreterOptionsCreate",
            "TfLiteInterpreterCreate",
            "TfLiteInterpreterGetInputTensor",
            "TfLiteInterpreterGetOutputTensor",
        ),
    )
    pointer = ctypes.c_void_p
    tflite.TfLiteVersion.restype = ctypes.c_char_p
    (folder / "version").write_text(tflite.TfLiteVersion().decode(), encoding="utf-8")
    model = tflite.TfLiteModelCreateFromFile(str(request["model"]).encode())
    options = tflite.TfLiteInterpreterOptionsCreate()
    delegate = make_delegate(request["delegate"], libraries, tflite)
    if delegate is not None:
        tflite.TfLiteInterpreterOptionsAddDelegate(pointer(options), pointer(delegate))
    made = tflite.TfLiteInterpreterCreate(pointer(model), pointer(options))
    if not made:
        fail("the interpreter could not be made")
    interpreter = pointer(made)
    if tflite.TfLiteInterpreterAllocateTensors(interpreter):
        fail("the tensors could not be allocated")
    for number in range(request["samples"]):
        with np.load(folder / f"{number}.npz", allow_pickle=False) as arrays:
            for place in arrays.files:
                given = np.ascontiguousarray(arrays[place])
                tensor = pointer(tflite.TfLiteInterpreterGetInputTensor(interpreter, int(place)))
                if tflite.TfLiteTensorCopyFromBuffer(
                    tensor, given.ctypes.data_as(pointer), ctypes.c_size_t(given.nbytes)
                ):
                    fail(f"input {place} was refused")
        if tflite.TfLiteInterpreterInvoke(interpreter):
            fail("the run failed")
        results: dict[str, Any] = {}
        for place in range(tflite.TfLiteInterpreterGetOutputTensorCount(interpreter)):
            tensor = tflite.TfLiteInterpreterGetOutputTensor(interpreter, place)
            values = view_tensor(tflite, tensor)
            tflite.TfLiteTensorCopyToBuffer(
                pointer(tensor), values.ctypes.data_as(pointer), ctypes.c_size_t(values.nbytes)
            )
            results[str(place)] = values
        np.savez(folder / f"{number}.out.npz", **results)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
