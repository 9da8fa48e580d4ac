"""The source network as a .pte: its layers quantized or in float16 as the plan says, then lowered to XNNPACK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from builder.backends.base import Lowered, Seen
from builder.backends.executorch.loading import find_refusal, keep_least
from builder.backends.executorch.schemes import is_all_in_half
from builder.bundle import Binding, TensorSpec
from builder.errors import ConversionError, EdgebundleError, find_reason
from builder.graph.model import Model
from builder.graph.origins import Origin, list_origins
from builder.precision.plan import ResolvedPlan
from builder.precision.ranges import Observed

if TYPE_CHECKING:
    from torch.export import ExportedProgram

# What XNNPACK asks of constants; ExecuTorch's default of 128 pads every small weight.
_SEGMENT_ALIGNMENT = 16


def convert(model: Model, plan: ResolvedPlan, seen: Seen) -> tuple[bytes, Lowered]:
    """The file's bytes and its bindings: a file that the runtime loads and runs. Raises ConversionError.

    Where it does not take the plan's integers, the fewest layers that it takes are left in fp32, and named as kept.
    """
    observed = seen() if plan.needs_calibration else {}
    made: dict[str, tuple[bytes, tuple[Origin, ...]]] = {}

    def attempt(asked: ResolvedPlan) -> str | None:
        try:
            content, left = _make_program(model, asked, observed)
        except ConversionError as error:
            if error.__cause__ is None:
                raise  # of ours, and true of every plan
            return f"cannot be made: {error}"
        made["last"] = content, left
        return find_refusal(content, model)

    integers = any(choice.scheme.has_integers for choice in plan.choices.values())
    kept: dict[str, str] = {}
    if integers:
        reason = attempt(plan)
        if reason is not None:
            _, kept = keep_least(plan, reason, attempt)
    else:
        made["last"] = _make_program(model, plan, observed)
        if (reason := find_refusal(made["last"][0], model)) is not None:
            raise ConversionError(f"the ExecuTorch file {reason}.")
    content, left = made["last"]
    return content, Lowered(inputs=_bindings(model.inputs), outputs=_bindings(model.outputs), origins=left, kept=kept)


def _make_program(model: Model, plan: ResolvedPlan, observed: Observed) -> tuple[bytes, tuple[Origin, ...]]:
    from builder.backends.executorch.half import in_half
    from builder.backends.executorch.quantize import as_it_is, quantize

    try:
        if plan.as_trained:
            program = as_it_is(model)
        elif is_all_in_half(plan):
            program = in_half(model)
        elif any(choice.scheme.name != "fp32" for choice in plan.choices.values()):
            program = quantize(model, plan, observed)
        else:
            program = model.program
        return _lower(program)
    except EdgebundleError:
        raise
    except Exception as error:  # the converter raises whatever its passes raise; the worker's log has the rest
        raise ConversionError(f"ExecuTorch cannot convert the model ({find_reason(error)}).") from error


def _lower(program: ExportedProgram) -> tuple[bytes, tuple[Origin, ...]]:
    """The file, and where the operators come from that XNNPACK does not take."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import ExecutorchBackendConfig, to_edge_transform_and_lower

    with torch.no_grad():
        edge: Any = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    left = tuple(list_origins(edge.exported_program().graph))
    made: Any = edge.to_executorch(ExecutorchBackendConfig(segment_alignment=_SEGMENT_ALIGNMENT))
    return bytes(made.buffer), left


def _bindings(specs: tuple[TensorSpec, ...]) -> tuple[Binding, ...]:
    """ExecuTorch keeps the order, layout and types of the exported program."""
    return tuple(
        Binding(
            name=spec.name,
            index=index,
            layout="NCHW" if spec.kind == "image" else "plain",
            shape=spec.shape,
            dtype=spec.dtype,
        )
        for index, spec in enumerate(specs)
    )
