"""Checkpoint + factory: `module:callable` beside builder.toml makes the network, a state dict fills it, unless it loads its weights itself."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import SourceError, find_reason
from builder.project.config import Config
from builder.sources.cures import suggest_cure, suggest_cure_of_capture
from builder.sources.exported import check_outputs
from builder.sources.fill import load_into
from builder.sources.loaded import Loaded
from builder.sources.own_code import find_own_callable, find_user_line, run_own
from builder.sources.state_dict import read_state_dict

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.nn import Module


def load(folder: Path, config: Config) -> Loaded:
    """Build, fill and export the network. Raises SourceError naming the key, the input or the user's own source line."""
    import torch

    module, told = fill_module(folder, config)
    check_outputs(run_once(module, folder, config), config)
    try:
        return Loaded(program=export(module, make_example_inputs(config)), told=told)
    except Exception as error:
        scripted = next(
            (name for name, part in module.named_modules() if isinstance(part, torch.jit.ScriptModule)), None
        )
        if scripted is not None:
            raise SourceError(
                f"torch.export cannot capture {scripted!r}, which is TorchScript; build it as a plain torch.nn.Module, or write the whole network by "
                "torch.jit.trace to a .ts file and name that as 'source'."
            ) from error
        raise SourceError(
            f"torch.export cannot capture the model: {find_reason(error)}{find_user_line(error, folder)}; {suggest_cure_of_capture(error, folder)}."
        ) from error


def run_once(module: Module, folder: Path, config: Config) -> Any:
    """What the network gives for inputs of the declared shapes. Raises SourceError with the user's own line."""
    import torch

    try:
        with torch.no_grad():
            return module(*make_example_inputs(config))
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(
            f"the model rejects inputs of the shapes in builder.toml ({describe_inputs(config)}): "
            f"{find_reason(error)}{find_user_line(error, folder)}; {suggest_cure(error)}."
        ) from error


def export(module: Module, inputs: tuple[Any, ...]) -> ExportedProgram:
    """The program as inference runs it: writes into views that training forbids, and attention in plain operators, not in the fused
    ones that torch takes where no weight is trained."""
    import torch

    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad():
            return torch.export.export(module, inputs)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def load_module(folder: Path, config: Config) -> Module:
    """The eager network with its weights, in evaluation mode, called as builder.toml has its inputs and outputs."""
    return fill_module(folder, config)[0]


def fill_module(folder: Path, config: Config) -> tuple[Module, tuple[str, ...]]:
    """As `filled_module`, with sentences on what was done to the weights."""
    import torch

    from builder.sources.binding import bind

    checkpoint = folder / config.model.weights if config.model.weights is not None else None
    state = read_state_dict(checkpoint) if checkpoint is not None else None
    with chdir(folder):  # what the factory names relatively lies beside builder.toml, whoever calls from wherever
        module = make_module(folder.resolve(), config.model.source, config.model.arguments)
    bound = bind(module.eval(), config)
    if any(torch.nn.parameter.is_lazy(value) for value in (*module.parameters(), *module.buffers())):
        run_once(bound, folder, config)  # lazy layers take their sizes from what they are given
    told: tuple[str, ...] = ()
    if checkpoint is not None and state is not None:
        told = load_into(module, state, checkpoint, strict=config.model.strict)
    return bound, (*told, *widen(bound, folder, config))


def widen(module: Module, folder: Path, config: Config) -> tuple[str, ...]:
    """Weights of half or double precision in float32, as the inputs are, where the network does not turn its inputs itself; a sentence on it."""
    import torch

    other = {str(value.dtype).removeprefix("torch.") for value in module.parameters() if value.is_floating_point()} - {
        "float32"
    }
    if not other:
        return ()
    try:
        run_once(module, folder, config)
    except SourceError:
        module.to(torch.float32)
        return (f"weights of {' and '.join(sorted(other))} are float32 in the network, as its inputs are",)
    return ()


def make_module(folder: Path, source: str, arguments: Mapping[str, Any]) -> Module:
    """Import `module` from `folder` and call `callable`. Raises SourceError with the user's line when it raises."""
    import torch

    factory = find_own_callable(folder, source, what="the model source", key="source")
    with run_own(folder, source, what="the model source"):
        made = factory(**arguments)
    if not isinstance(made, torch.nn.Module):
        raise SourceError(
            f"{source!r} returned {type(made).__name__}, not a torch.nn.Module; return the network itself."
        )
    return made


def make_example_inputs(config: Config) -> tuple[Any, ...]:
    """Inputs of the declared shapes: mid-range floats, zeros for integers (a valid index everywhere)."""
    import torch

    made = []
    for tensor in config.input:
        if tensor.dtype == "float32":
            made.append(torch.full(tensor.shape, 0.5))
        else:
            made.append(torch.zeros(tensor.shape, dtype=getattr(torch, tensor.dtype)))
    return tuple(made)


def describe_inputs(config: Config) -> str:
    return ", ".join(f"{tensor.name} {list(tensor.shape)}" for tensor in config.input)
