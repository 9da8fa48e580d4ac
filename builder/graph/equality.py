"""Whether two programs compute the same: inputs to try, outputs in float32 and in float64, the largest change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.precision.program import in_list

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

    Inputs = tuple[Tensor, ...]


def make_random_inputs(program: ExportedProgram, like: Sequence[Inputs] = ()) -> Inputs:
    """Uniform noise in the range of the first of `like`, or in 0..1; integers are zero, or those of `like`."""
    import torch

    generator = torch.Generator().manual_seed(0)
    names = set(program.graph_signature.user_inputs)
    values = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    made: list[Any] = []
    for number, value in enumerate(values):
        shape = tuple(int(size) for size in value.shape)
        known = like[0][number] if like else None
        if not value.is_floating_point():
            made.append(torch.zeros(shape, dtype=value.dtype) if known is None else known)
            continue
        low, high = (0.0, 1.0) if known is None else (float(known.min()), float(known.max()))
        made.append(low + (high - low or 1.0) * torch.rand(shape, generator=generator, dtype=value.dtype))
    return tuple(made)


def compute_outputs(program: ExportedProgram, inputs: Inputs) -> list[Tensor]:
    """The inputs stay as they are, whatever the program writes into its own."""
    import torch

    with torch.no_grad():
        result = program.module(check_guards=False)(*(value.clone() for value in inputs))
    return in_list(result)


def compute_outputs_in_double(program: ExportedProgram, inputs: Inputs) -> list[Tensor]:
    """The same with every float of it a float64: what differs there beyond 1e-10 is another function, not rounding."""
    import torch

    module = in_double(program)
    with torch.no_grad():
        result = module(*(value.double() if value.is_floating_point() else value.clone() for value in inputs))
    return in_list(result)


def in_double(program: ExportedProgram) -> Any:
    """A copy of the program's module with parameters, constants and stated types of float64."""
    import copy

    import torch

    module: Any = copy.deepcopy(program.module(check_guards=False))
    module.double()
    for owner in module.modules():
        for name, value in list(vars(owner).items()):  # constants that are no buffers
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                setattr(owner, name, value.double())
    wider = dict.fromkeys((torch.float32, torch.float16, torch.bfloat16), torch.float64)
    wider[torch.complex64] = torch.complex128

    def widen(argument: Any) -> Any:
        return wider.get(argument, argument) if isinstance(argument, torch.dtype) else argument

    for node in module.graph.nodes:
        if node.op == "call_function":
            node.args = torch.fx.node.map_aggregate(node.args, widen)
            node.kwargs = torch.fx.node.map_aggregate(node.kwargs, widen)
            made = str(node.target).split(".")[1] if str(node.target).startswith("aten.") else ""
            if made in _MAKING and node.kwargs.get("dtype") is None and _gives_floats(node):
                node.kwargs = {**node.kwargs, "dtype": torch.float64}  # otherwise torch's default
    module.recompile()
    return module


_MAKING = ("full", "zeros", "ones", "arange", "linspace", "scalar_tensor", "eye", "empty")


def _gives_floats(node: Any) -> bool:
    value = node.meta.get("val")
    return bool(value is not None and value.is_floating_point())


def measure_largest_change(before: Sequence[Tensor], after: Sequence[Tensor]) -> float:
    """Largest difference of two results, each output relative to its own range; infinite for another shape or NaN."""
    import torch

    worst = 0.0
    for first, second in zip(before, after, strict=True):
        if first.shape != second.shape or first.is_floating_point() != second.is_floating_point():
            return float("inf")
        if first.is_complex() and second.is_complex():
            first, second = torch.view_as_real(first.resolve_conj()), torch.view_as_real(second.resolve_conj())
        span = float(first.max() - first.min()) or 1.0
        change = float((first.double() - second.double()).abs().max()) / span
        worst = max(worst, change if change == change else float("inf"))
    return worst
