"""The dialogue with the benchmark runner: which variants it takes, its command line, its inputs, its result line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from builder.bundle import Variant
from builder.bundle.tensors import from_artifact, to_artifact
from harness.devices.base import Request
from harness.devices.engines import find_program
from harness.devices.runner.binaries import LOADER, RUNNER
from harness.devices.runner.failure import explain_no_result
from harness.errors import DeviceError

if TYPE_CHECKING:
    from harness.records.tensors import Tensors

RESULT_START = '{"schema":1'
DTYPES = ("float32", "float16", "float64", "int8", "uint8", "int16", "int32", "int64", "bool")
Duration = Annotated[int, Field(gt=0, lt=2**63)]  # nothing that a runner times takes no time


class Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunnerTensor(Line):
    """A tensor as the artifact has it."""

    dtype: str
    shape: tuple[int, ...]
    bytes: int


class RunnerResult(Line):
    """The one line that a successful runner prints. Durations in ns, memory in KiB (-1: could not be read)."""

    schema_: Literal[1]
    runtime: str
    machine: str
    kernel: str
    cpus: tuple[int, ...]
    threads: int
    warmup: int
    load_ns: Duration
    init_ns: Duration
    first_ns: Duration
    rss_start_kb: int
    peak_rss_kb: int
    fully_delegated: bool | None
    delegates: tuple[str, ...]
    inputs: tuple[RunnerTensor, ...]
    outputs: tuple[RunnerTensor, ...]
    latency_ns: tuple[Duration, ...]
    profile: tuple[str, ...] = ()

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=lambda name: "schema" if name == "schema_" else name
    )


class RunnerError(Line):
    """The one line that a failed runner prints."""

    schema_: Literal[1]
    error: str

    model_config = RunnerResult.model_config


def find_refusal(variant: Variant) -> str | None:
    """Why the runner cannot execute this variant, or None."""
    known = find_program(variant.backend)
    if isinstance(known, str):
        return known
    delegates = known[0].delegates
    if variant.delegate not in delegates:
        return f"the shell runner executes on the CPU ({', '.join(delegates)}) and cannot load the {variant.delegate} delegate"
    return None


def make_command(
    request: Request, *, model: str, inputs: list[str], output: str, folder: str = ".", profile: int = 0
) -> list[str]:
    """Words that start the runner of the bundle in `folder` through the bundle's own loader; `profile` inferences are profiled after the rest."""
    words = [f"{folder}/{LOADER}", "--library-path", folder, f"{folder}/{RUNNER}", "--model", model]
    for name in inputs:
        words += ["--input", name]
    counts = {"threads": request.threads, "warmup": request.warmup, "runs": request.runs}
    counts |= {"profile": profile} if profile else {}
    return [*words, "--output", output, *(word for name, count in counts.items() for word in (f"--{name}", str(count)))]


def write_inputs(folder: Path, variant: Variant, inputs: Tensors) -> list[str]:
    """Write the inputs as the artifact takes them, in its own order; their file names in `folder`."""
    names = []
    for binding in sorted(variant.inputs, key=lambda binding: binding.index):
        names.append(f"input.{binding.index}.bin")
        (folder / names[-1]).write_bytes(to_artifact(inputs[binding.name], binding).tobytes())
    return names


def parse_result(stdout: str, *, where: str, status: int = 0, stderr: str = "") -> RunnerResult:
    """The runner's result from all that it printed. Raises DeviceError with the runner's own words when it failed, and with what the
    device said when it could not start or was ended (`status` is the shell's: 128 and the signal's number for one that was killed)."""
    lines = [line for line in stdout.splitlines() if line.startswith(RESULT_START)]
    whole = len(lines) == 1 and lines[0].endswith("}")
    if status and not whole:
        said = f"{stdout}\n{stderr}"
        raise DeviceError(f"the runner on {where} {explain_no_result(status, said)}.")
    if len(lines) != 1:
        raise DeviceError(f"the runner on {where} printed {len(lines)} result lines instead of one; run it again.")
    try:
        if lines[0].startswith(RESULT_START + ',"error"'):
            raise DeviceError(
                f"the runner on {where} says: {RunnerError.model_validate_json(lines[0]).error}; "
                "check the artifact with 'builder verify'."
            )
        return RunnerResult.model_validate_json(lines[0])
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "line"
        raise DeviceError(
            f"the runner on {where} printed a result that is damaged: {field}: {first['msg']}."
        ) from error


def name_output(index: int) -> str:
    return f"output.{index}.bin"


def read_outputs(folder: Path, variant: Variant, result: RunnerResult) -> Tensors:
    """Outputs by name in logical layout, from the runner's files in `folder`. Raises DeviceError when one is not as it says."""
    tensors: Tensors = {}
    for binding in variant.outputs:
        if binding.index >= len(result.outputs):
            raise DeviceError(
                f"the model gave {len(result.outputs)} outputs but variant {variant.id} declares output {binding.index}."
            )
        told, data = result.outputs[binding.index], (folder / name_output(binding.index)).read_bytes()
        if told.dtype not in DTYPES or told.shape != binding.shape:
            raise DeviceError(
                f"output {binding.name} of variant {variant.id} is {told.dtype} {list(told.shape)}, "
                f"its manifest says {binding.dtype} {list(binding.shape)}; rebuild the bundle."
            )
        array = np.frombuffer(data, np.dtype(told.dtype).newbyteorder("<"))
        if array.size != int(np.prod(told.shape)):
            raise DeviceError(
                f"output {binding.name} of variant {variant.id} came back with {len(data)} bytes, not {told.bytes}; run again."
            )
        tensors[binding.name] = from_artifact(array.reshape(told.shape), binding)
    return tensors
