"""An ExecuTorch program in its runtime on this computer, to be measured, and profiled by the ETDump that it writes."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.backends.engine import Loaded, read_resident_bytes
from builder.backends.executorch.spec import ENGINE

if TYPE_CHECKING:
    from builder.backends.engine import Arrays


def load(artifact: str, threads: int, inputs: Arrays) -> Loaded:
    """Load into ExecuTorch; its delegates are fixed when the artifact is made, so the file tells which take part."""
    import torch
    from executorch.exir._serialize._program import deserialize_pte_binary
    from executorch.exir.schema import DelegateCall
    from executorch.extension.pybindings import portable_lib
    from executorch.runtime import Runtime

    portable_lib._unsafe_reset_threadpool(threads)
    runtime = Runtime.get()
    tensors = [torch.from_numpy(value) for value in inputs]
    plan = deserialize_pte_binary(Path(artifact).read_bytes()).program.execution_plan[0]
    calls = [step.instr_args for chain in plan.chains for step in chain.instructions]
    delegates = {plan.delegates[call.delegate_index].id for call in calls if isinstance(call, DelegateCall)}
    before = read_resident_bytes()
    start = time.perf_counter_ns()
    method = runtime.load_program(artifact).load_method("forward")
    load_ns = time.perf_counter_ns() - start
    last: list[Any] = []

    def invoke() -> None:
        last[:] = method.execute(tensors)

    return Loaded(
        delegate=ENGINE.name_executed(delegates),
        load_ns=load_ns,
        memory_before_bytes=before,
        invoke=invoke,
        outputs=lambda: [value.numpy() for value in last],
    )


def profile(artifact: str, threads: int, inputs: Arrays, runs: int) -> list[str]:
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
