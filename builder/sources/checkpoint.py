"""Checkpoint + factory: `module:callable` beside builder.toml makes the network, a state dict fills it, unless it loads its weights itself."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import SourceError, reason_of
from builder.project.config import Config
from builder.sources.cures import cure_of_forward
from builder.sources.exported import check_outputs
from builder.sources.fill import load_into
from builder.sources.loaded import Loaded
from builder.sources.own_code import own_callable, run_own, user_line
from builder.sources.state_dict import read_state_dict

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.nn import Module


def load(folder: Path, config: Config) -> Loaded:
    """Build, fill and export the network. Raises SourceError naming the key, the input or the user's own source line."""
    import torch

    module, told = fill_module(folder, config)
    try:
        inputs = example_inputs(config)
        with torch.no_grad():
            outputs = module(*inputs)
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(
            f"the model rejects inputs of the shapes in builder.toml ({describe_inputs(config)}): "
            f"{reason_of(error)}{user_line(error, folder)}; {cure_of_forward(error)}."
        ) from error
    check_outputs(outputs, config)
    try:
        return Loaded(program=export(module, inputs), told=told)
    except Exception as error:
        raise SourceError(
            f"torch.export cannot capture the model: {reason_of(error)}{user_line(error, folder)}; make its forward free of data-dependent control flow."
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
    from builder.sources.binding import bind

    checkpoint = folder / config.model.weights if config.model.weights is not None else None
    state = read_state_dict(checkpoint) if checkpoint is not None else None
    with chdir(folder):  # what the factory names relatively lies beside builder.toml, whoever calls from wherever
        module = make_module(folder.resolve(), config.model.source, config.model.arguments)
    told: tuple[str, ...] = ()
    if checkpoint is not None and state is not None:
        told = load_into(module, state, checkpoint, strict=config.model.strict)
    return bind(module.eval(), config), told


def make_module(folder: Path, source: str, arguments: Mapping[str, Any]) -> Module:
    """Import `module` from `folder` and call `callable`. Raises SourceError with the user's line when it raises."""
    import torch

    factory = own_callable(folder, source, what="the model source", key="source")
    with run_own(folder, source, what="the model source"):
        made = factory(**arguments)
    if not isinstance(made, torch.nn.Module):
        raise SourceError(
            f"{source!r} returned {type(made).__name__}, not a torch.nn.Module; return the network itself."
        )
    return made


def example_inputs(config: Config) -> tuple[Any, ...]:
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
