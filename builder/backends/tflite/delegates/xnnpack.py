"""XNNPACK: the CPU kernels that are part of the runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from builder.backends.spec import Delegate

if TYPE_CHECKING:
    from builder.backends.base import Execution, Need
    from builder.bundle import Coverage

# It only stores fp16 weights and computes in fp32. litert-torch has forms for means and splits that it takes; what the converter
# makes of paddings and nearest resizing it does not take, and its norms turn the picture to channels first and back.
DELEGATE = Delegate(name="xnnpack", traits=("xnnpack", "litert", "xnnpack/litert"))


def form(content: bytes) -> bytes:
    """It takes a file as it is."""
    return content


def coverage(path: Path) -> Coverage:
    """What the interpreter gives it."""
    from builder.backends.tflite.runtime import describe_xnnpack_coverage

    return describe_xnnpack_coverage(path)


def predict_coverage(path: Path) -> Coverage | None:
    """Nothing is published; its share of a file for another delegate says little."""
    return None


def execution(on_cpu: Execution) -> Execution:
    """Every machine has it."""
    return on_cpu


def needs() -> tuple[Need, ...]:
    """Nothing beside the runtime."""
    return ()
