"""Inputs and outputs of a PyTorch network by the names of builder.toml, where the network has names for them.

`forward`'s parameters: when all inputs are among them they are passed as keywords, in whichever order builder.toml lists
them; when none is, they are passed in order. Outputs: a dict or a named tuple is taken apart by name.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from builder.errors import SourceError
from builder.project.config import Config

if TYPE_CHECKING:
    from torch.nn import Module


def bound(module: Module, config: Config) -> Module:
    """The network taking its inputs in the order of builder.toml and giving tensors in the order of its outputs.

    Parameters keep their names. Raises SourceError for names that fit in part only.
    """
    from torch import nn

    keywords = _keywords(module, config)
    names = [tensor.name for tensor in config.output]

    class Bound(nn.Module):
        """Shares the network's parameters and modules, so that their names stay."""

        def __init__(self) -> None:
            super().__init__()
            self._parameters, self._buffers, self._modules = module._parameters, module._buffers, module._modules
            self._non_persistent_buffers_set = module._non_persistent_buffers_set

        def forward(self, *inputs: Any) -> Any:
            if keywords is None:
                return _in_order(module(*inputs), names)
            return _in_order(module(**dict(zip(keywords, inputs, strict=True))), names)

    return Bound().eval()


def _keywords(module: Module, config: Config) -> list[str] | None:
    """The inputs' names where they are forward's keywords, None where inputs go by position. Raises SourceError."""
    parameters = inspect.signature(module.forward).parameters.values()
    known = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    names = [tensor.name for tensor in config.input]
    found = [name for name in names if name in known]
    only = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if len(found) == len(names):
        return names
    if only or any(known[place : place + 1] != [name] for place, name in enumerate(names) if name in found):
        wrong = next(name for name in names if name not in found)
        raise SourceError(
            f"forward has no parameter {wrong!r}, its parameters are {', '.join(known)}; name all [[input]] of builder.toml as forward does."
        )
    return None


def _in_order(outputs: Any, names: list[str]) -> Any:
    """Tensors in the order of builder.toml. Raises SourceError for a named output that is not there."""
    if hasattr(outputs, "_asdict"):
        by_name = outputs._asdict()
        if set(names) <= set(by_name):
            return tuple(by_name[name] for name in names)
    if not isinstance(outputs, dict):
        return outputs
    for name in names:
        if name not in outputs:
            raise SourceError(
                f"the model returns no output {name!r}, its outputs are {', '.join(map(str, outputs))}; name [[output]] of builder.toml as the model does."
            )
    return tuple(outputs[name] for name in names)
