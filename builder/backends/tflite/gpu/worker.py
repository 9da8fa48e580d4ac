"""The process that opens the GPU: one line in, one line out. It runs over the driver, so that a crash is the driver's alone.

argv: a folder with `request.json` (model, half, inputs and outputs as tensor indices). `open` compiles; a number N reads N.npz, whose
arrays are named by tensor index, and writes N.out.npz. Answers are `ok` and `error SENTENCE`; what the runtime says goes to stderr.
It imports neither torch nor anything of ours: the driver's loader starts it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

# PR_SET_PDEATHSIG.
_DIE_WITH_PARENT = 1


class Loaded:
    """The file compiled for the GPU; what the accelerator leaves runs on the CPU, as on phones."""

    def __init__(self, request: dict[str, Any]) -> None:
        from ai_edge_litert.compiled_model import CompiledModel
        from ai_edge_litert.hardware_accelerator import HardwareAccelerator
        from ai_edge_litert.options import GpuOptions, Options

        options = Options(
            hardware_accelerators=HardwareAccelerator.GPU | HardwareAccelerator.CPU,
            gpu_options=GpuOptions(enforce_f32=not request["half"]),
        )
        self._model = CompiledModel.from_file(request["model"], options=options)
        signature, names = next(iter(self._model.get_signature_list().items()))
        found_in = self._model.get_input_tensor_details(signature)
        found_out = self._model.get_output_tensor_details(signature)
        self._inputs = self._model.create_input_buffers(0)
        self._outputs = self._model.create_output_buffers(0)
        self._places = {found_in[name]["index"]: place for place, name in enumerate(names["inputs"])}
        self._results = {
            found_out[name]["index"]: (place, found_out[name]) for place, name in enumerate(names["outputs"])
        }

    def run(self, arrays: dict[str, Any]) -> dict[str, Any]:
        for index, array in arrays.items():
            self._inputs[self._places[int(index)]].write(np.ascontiguousarray(array))
        self._model.run_by_index(0, self._inputs, self._outputs)
        results = {}
        for index, (place, details) in self._results.items():
            shape, dtype = details["shape"], np.dtype(details["dtype"])
            values = self._outputs[place].read(int(np.prod(shape)), dtype.type)
            results[str(index)] = np.asarray(values).reshape(shape)
        return results


def answer(line: str, folder: Path, loaded: list[Loaded]) -> str:
    try:
        if line == "open":
            loaded.append(Loaded(json.loads((folder / "request.json").read_text(encoding="utf-8"))))
        else:
            with np.load(folder / f"{line}.npz", allow_pickle=False) as arrays:
                results = loaded[0].run({name: arrays[name] for name in arrays.files})
            np.savez(folder / f"{line}.out.npz", **results)
    except (RuntimeError, ValueError, KeyError, OSError, TypeError) as error:
        return "error " + " ".join(f"{error}".split())
    return "ok"


def main() -> None:
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    # The runtime writes to stdout too: answers go through a copy that it does not know.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    folder, loaded = Path(sys.argv[1]), list[Loaded]()
    for line in sys.stdin:
        print(answer(line.strip(), folder, loaded), file=answers, flush=True)
    answers.close()
    os._exit(0)  # the accelerator's own teardown may hang; there is nothing left to write


if __name__ == "__main__":
    main()
