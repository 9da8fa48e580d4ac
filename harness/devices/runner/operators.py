"""What runtimes' profilers say of an inference, one text each, as operators with their times.

LiteRT prints the table of TFLite's ProfileSummarizer (tensorflow/lite/profiling/profile_summarizer.cc): its section 'Run Order' has a line for
each operator, in milliseconds, with the kernel in front and `[tensor]:number` at the end. For ExecuTorch our own tracer writes
`kernel TAB nanoseconds`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.errors import DeviceError
from harness.records.profile import Operator

BEGIN, END = "Run Order", "Top by Computation Time"
SUMMARY = re.compile(
    r"^\s*(?P<kernel>\S.{0,200}?)\s+(?P<start>\d+\.\d+)\s+(?P<first>\d+\.\d+)\s+(?P<mean>\d+\.\d+)\s+\d+\.\d+%\s+\d+\.\d+%\s+\d+\.\d+\s+"
    r"(?P<times>\d+)\s+\[(?P<tensor>.*)\]:\d+\s*$"
)
TRACED = re.compile(r"^(?P<kernel>[^\t\n]{1,200})\t(?P<ns>\d{1,18})$", re.MULTILINE)
DELEGATED = "Delegate"  # what stands for the tensor of an operator that a delegate executes


def operators_of(texts: Sequence[str], *, where: str) -> tuple[Operator, ...]:
    """Operators in order of execution, each with one time an inference. Raises DeviceError where a text tells none, or not those of the others."""
    inferences = [_operators(text) for text in texts]
    named = [[(kernel, tensor) for kernel, tensor, _ in found] for found in inferences]
    if not named or not named[0]:
        raise DeviceError(
            f"the runtime's profiler on {where} told no operator; its libraries may be built without one."
        )
    if any(names != named[0] for names in named):
        raise DeviceError(f"the runtime's profiler on {where} told other operators in each inference; run again.")
    return tuple(
        Operator(kernel=kernel, tensor=tensor, ns=tuple(found[place][2] for found in inferences))
        for place, (kernel, tensor) in enumerate(named[0])
    )


def _operators(text: str) -> list[tuple[str, str | None, int]]:
    if BEGIN not in text:
        return [(match["kernel"], None, int(match["ns"])) for match in TRACED.finditer(text)]
    part = text.partition(BEGIN)[2].partition(END)[0]
    lines = [match for line in part.splitlines() if (match := SUMMARY.match(line)) is not None]
    return [
        (
            match["kernel"].removeprefix("Delegate/"),
            None if match["tensor"] == DELEGATED else match["tensor"],
            round(float(match["first"]) * 1e6),
        )
        for match in lines
    ]
