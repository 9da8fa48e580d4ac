"""What runtimes' profilers say of an inference, one text each, as operators with their times.

Our own tracers write a line for each operator in order of execution, `kernel TAB nanoseconds`: of LiteRT from the events of its profiler
(litert/c/litert_profiler.h), of ExecuTorch from its event tracer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.errors import DeviceError
from harness.records.profile import Operator

TRACED = re.compile(r"^(?P<kernel>[^\t\n]{1,200})\t(?P<ns>\d{1,18})$", re.MULTILINE)


def read_operators(texts: Sequence[str], *, where: str) -> tuple[Operator, ...]:
    """Operators in order of execution, each with one time an inference. Raises DeviceError where a text tells none, or not those of the others."""
    inferences = [[(match["kernel"], int(match["ns"])) for match in TRACED.finditer(text)] for text in texts]
    kernels = [[kernel for kernel, _ in found] for found in inferences]
    if not kernels or not kernels[0]:
        raise DeviceError(
            f"the runtime's profiler on {where} told no operator; its libraries may be built without one."
        )
    if any(names != kernels[0] for names in kernels):
        raise DeviceError(f"the runtime's profiler on {where} told other operators in each inference; run again.")
    return tuple(
        Operator(kernel=kernel, ns=tuple(found[place][1] for found in inferences))
        for place, kernel in enumerate(kernels[0])
    )
