"""A file on LiteRT's GPU accelerator: a process of its own over a driver, with limits and one retry."""

from __future__ import annotations

import json
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.backends.tflite.flatbuffer import load_model
from builder.backends.tflite.gpu.drivers import Driver
from builder.backends.tflite.gpu.words import read_coverage
from builder.backends.tflite.graph import read_graph
from builder.bundle import Binding, Coverage
from builder.bundle.tensors import from_artifact, to_artifact
from builder.errors import VerificationError
from builder.process import Service, ToolError

if TYPE_CHECKING:
    from builder.graph.tensors import Tensors

# Compiling a large network's shaders takes minutes where the machine is busy: 108 s for EfficientNet-Lite0 were seen.
STEP_LIMIT_S = 600.0
# A driver that runs away must not take the whole machine.
MEMORY_BYTES = 16_000_000_000
WORKER = Path(__file__).with_name("worker.py")


def describe_runtime(driver: Driver, half: bool) -> str:
    precision = "fp16" if half else "fp32"
    return f"LiteRT {metadata.version('ai-edge-litert')} (GPU in {precision}, {driver})"


class Accelerated:
    """A file compiled for the GPU. Arrays go in and come out by tensor index; the process ends with the object."""

    def __init__(self, path: Path, driver: Driver, half: bool, step_limit_s: float = STEP_LIMIT_S) -> None:
        self._path, self._driver, self._half, self._limit_s = path, driver, half, step_limit_s
        self._folder = tempfile.TemporaryDirectory(prefix="edgebundle-gpu-")
        self._number = 0
        request = {"model": str(path.absolute()), "half": half}
        (Path(self._folder.name) / "request.json").write_text(json.dumps(request), encoding="utf-8")
        self._service: Service | None = None
        self._ask(None)

    def run(self, arrays: dict[int, Any]) -> dict[int, Any]:
        """Raises VerificationError when the driver fails twice."""
        import numpy as np

        folder = Path(self._folder.name)
        self._number += 1
        np.savez(folder / f"{self._number}.npz", **{str(index): array for index, array in arrays.items()})
        self._ask(str(self._number))
        with np.load(folder / f"{self._number}.out.npz", allow_pickle=False) as arrays_out:
            results = {int(name): arrays_out[name] for name in arrays_out.files}
        for name in (f"{self._number}.npz", f"{self._number}.out.npz"):
            (folder / name).unlink()
        return results

    def log(self) -> str:
        return (Path(self._folder.name) / "log.txt").read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        if self._service is not None:
            self._service.close()
            self._service = None
        self._folder.cleanup()

    def __enter__(self) -> Accelerated:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_folder"):
            self.close()

    def _ask(self, line: str | None) -> None:
        """One line to a process that has the file open. It is tried twice: cold shaders have run into time-outs of the accelerator."""
        failure = self._attempt(line) and self._attempt(line)
        if failure:
            precision = "fp16" if self._half else "fp32"
            self.close()
            raise VerificationError(
                f"{self._path.name} does not run on LiteRT's GPU accelerator in {precision} on {self._driver}, tried twice: {failure}; "
                "use delegate = 'xnnpack', or another scheme."
            )

    def _attempt(self, line: str | None) -> str:
        """What went wrong, or nothing."""
        try:
            if self._service is None:
                self._service = self._start()
                opened = self._say(self._service, "open")
                if opened:
                    return opened
            return "" if line is None else self._say(self._service, line)
        except ToolError as error:
            self._service = None
            return f"its process {error}"

    def _say(self, service: Service, line: str) -> str:
        answer = service.ask(line, timeout_s=self._limit_s, memory_bytes=MEMORY_BYTES, poll=lambda: None, poll_s=0.05)
        if answer == "ok":
            return ""
        service.close()
        self._service = None
        return answer.removeprefix("error ").rstrip(".") or "it gave no answer"

    def _start(self) -> Service:
        folder = Path(self._folder.name)
        words = (*self._driver.interpreter(), "-P", str(WORKER), str(folder))
        return Service(words, log=folder / "log.txt", env=self._driver.environment(folder))


class GpuRunner:
    """An artifact on the accelerator: logical tensors in, logical tensors out."""

    def __init__(
        self, path: Path, inputs: tuple[Binding, ...], outputs: tuple[Binding, ...], driver: Driver, half: bool
    ) -> None:
        graph = read_graph(load_model(path))
        self._inputs = [(binding, graph.inputs[binding.index]) for binding in inputs]
        self._outputs = [(binding, graph.outputs[binding.index]) for binding in outputs]
        self._path, self._driver, self._half = path, driver, half
        self._file = Accelerated(path, driver, half)

    def __call__(self, inputs: Tensors) -> Tensors:
        """Raises VerificationError when the driver fails, and for NaN or infinities, naming the first operator that gives them."""
        import numpy as np

        arrays = {tensor: to_artifact(inputs[binding.name], binding) for binding, tensor in self._inputs}
        arrays_out = self._file.run(arrays)
        results = {binding.name: from_artifact(arrays_out[tensor], binding) for binding, tensor in self._outputs}
        if not all(np.isfinite(value).all() for value in results.values()):
            self._explain(arrays)
        return results

    def _explain(self, arrays: dict[int, Any]) -> None:
        from builder.backends.tflite.gpu.overflow import find_first_overflow

        where = find_first_overflow(self._path, arrays, self._driver, self._half)
        raise VerificationError(
            f"{self._path.name} gives NaN or infinite values on {describe_runtime(self._driver, self._half)}"
            + (f": {where} is the first whose values leave fp16's range (65504)" if where and self._half else "")
            + "; use delegate = 'xnnpack', or scale the values before that operator down in the network."
        )


def execute_coverage(path: Path, driver: Driver) -> Coverage:
    """What the accelerator takes of a file, as it says when it compiles it. Raises VerificationError where it cannot."""
    with Accelerated(path, driver, driver.half) as file:
        return read_coverage(file.log(), read_graph(load_model(path)))
