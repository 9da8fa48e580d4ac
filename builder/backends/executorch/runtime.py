"""The ExecuTorch runtime on this machine."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.bundle import Binding
from builder.bundle.tensors import from_artifact, to_artifact
from builder.errors import MissingToolError, VerificationError, find_reason

if TYPE_CHECKING:
    from builder.graph.tensors import Tensors


def describe_runtime() -> str:
    return f"ExecuTorch {metadata.version('executorch')} (XNNPACK)"


class ExecuTorchRunner:
    """The method `forward` of an artifact. The runtime's thread pool belongs to the process: the last runner made sets its size."""

    def __init__(self, path: Path, inputs: tuple[Binding, ...], outputs: tuple[Binding, ...], threads: int) -> None:
        try:
            from executorch.extension.pybindings.portable_lib import (
                _threadpool_get_thread_count,
                _unsafe_reset_threadpool,
            )
            from executorch.runtime import Runtime
        except ImportError as error:
            raise MissingToolError("ExecuTorch is not installed; run: pip install 'edgebundle[executorch]'") from error
        self._path, self._inputs, self._outputs = path, inputs, outputs
        if _threadpool_get_thread_count() != threads:
            _unsafe_reset_threadpool(threads)
        try:
            self._program = Runtime.get().load_program(path)
            self._method: Any = self._program.load_method("forward")
        except RuntimeError as error:
            raise VerificationError(self._explain_refusal("load", error)) from error

    def __call__(self, inputs: Tensors) -> Tensors:
        """Logical tensors in, logical tensors out. Raises VerificationError when the runtime refuses."""
        import torch

        arguments: list[Any] = [None] * len(self._inputs)
        for binding in self._inputs:
            arguments[binding.index] = torch.from_numpy(to_artifact(inputs[binding.name], binding))
        try:
            results = self._method.execute(arguments)
        except RuntimeError as error:
            raise VerificationError(self._explain_refusal("run", error)) from error
        # A copy: the runtime writes the next result into the same memory.
        return {
            binding.name: from_artifact(results[binding.index].numpy().copy(), binding) for binding in self._outputs
        }

    def _explain_refusal(self, what: str, error: RuntimeError) -> str:
        return f"{self._path.name} does not {what} in {describe_runtime()} ({find_reason(error)}); it was made by another version, or for another machine: convert it again."
