"""The GPU delegate, executed by LiteRT's accelerator over a software driver where there is one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from builder.backends.spec import HALF, Delegate

if TYPE_CHECKING:
    from builder.backends.base import Execution, Need
    from builder.bundle import Coverage

# It computes in fp16. It takes mirror padding and nearest resizing itself, no tensor of more than four axes, and no difference of
# a picture and one computed value.
DELEGATE = Delegate(name="gpu", traits=("gpu", "litert", HALF))


def form(content: bytes) -> bytes:
    """Activations stand alone, as it needs them."""
    from builder.backends.tflite.gpu.unfuse import unfuse

    return unfuse(content)


def coverage(path: Path) -> Coverage:
    """As the accelerator says when it compiles the file; predicted where there is no driver.

    Raises VerificationError for a file on which it would end the app.
    """
    from builder.backends.tflite.gpu.aborts import refuse_what_aborts
    from builder.backends.tflite.gpu.drivers import find_drivers
    from builder.backends.tflite.gpu.predict import predict_gpu_coverage
    from builder.backends.tflite.gpu.run import execute_coverage

    refuse_what_aborts(path)
    drivers = find_drivers()
    return execute_coverage(path, drivers[0]) if drivers else predict_gpu_coverage(path)


def predict_coverage(path: Path) -> Coverage | None:
    """By what it took of the files that were executed."""
    from builder.backends.tflite.gpu.predict import predict_gpu_coverage

    return predict_gpu_coverage(path)


def execution(on_cpu: Execution) -> Execution:
    """The accelerator where a driver is there for it; it is a proof in fp16, in which phones compute."""
    from builder.backends.base import Execution
    from builder.backends.tflite.gpu.drivers import find_drivers
    from builder.backends.tflite.gpu.run import GpuRunner, describe_runtime

    drivers = find_drivers()
    if not drivers:
        why = "no software GPU was there: the CPU gave the pictures, and what the GPU takes is predicted"
        return replace(on_cpu, unproven=why)
    driver = drivers[0]
    why_not = None if driver.half else f"{driver} computes in fp32 alone, GPUs of phones in fp16"
    return Execution(
        runtime=describe_runtime(driver, driver.half),
        open=partial(GpuRunner, driver=driver, half=driver.half),
        unproven=why_not,
    )


def needs() -> tuple[Need, ...]:
    """The software GPUs on which files are executed: Mesa in fp16, as phones compute, else SwiftShader in fp32."""
    from builder.backends.base import Need
    from builder.backends.tflite.gpu import drivers

    by_name = {driver.name: driver for driver in drivers.find_drivers()}
    wanted = (("Mesa", "fp16", drivers.SETUP_COMMAND), ("SwiftShader", "fp32", drivers.CHROMIUM_COMMAND))
    return tuple(
        Need(
            delegate=DELEGATE.name,
            name=f"{name} ({precision})",
            version=f"{by_name[name].version}, {by_name[name].licence}" if name in by_name else None,
            install=command,
        )
        for name, precision, command in wanted
    )
