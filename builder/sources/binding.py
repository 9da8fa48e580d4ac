"""Inputs and outputs of a PyTorch network by the names of builder.toml, where the network has names for them.

`forward`'s parameters: when all inputs are among them they are passed as keywords, in whichever order builder.toml lists
them; `frames_0`, `frames_1` are the list that a parameter `frames` takes. When none is, they are passed in order, or as the list or
dict that is the only parameter. Outputs: a dict, a named tuple or
a dataclass is taken apart by name, whatever lists and tuples there are in order; None is no output.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from builder.errors import SourceError
from builder.project.config import Config

if TYPE_CHECKING:
    from torch.nn import Module


def bind(module: Module, config: Config) -> Module:
    """The network taking its inputs in the order of builder.toml and giving tensors in the order of its outputs.

    Parameters keep their names. Raises SourceError for names that fit in part only.
    """
    from torch import nn

    lists = _find_lists(module, config)
    keywords = _keywords(module, config) if lists is None else None
    gathered = _choose_gathering(module, config) if keywords is None and lists is None else None
    names = [tensor.name for tensor in config.output]

    class Bound(nn.Module):
        """Shares the network's parameters and modules, so that their names stay."""

        def __init__(self) -> None:
            super().__init__()
            self._parameters, self._buffers, self._modules = module._parameters, module._buffers, module._modules
            self._non_persistent_buffers_set = module._non_persistent_buffers_set

        def forward(self, *inputs: Any) -> Any:
            if lists is not None:
                given = {
                    name: [inputs[n] for n in at] if isinstance(at, list) else inputs[at] for name, at in lists.items()
                }
                return in_order(module(**given), names)
            if gathered is not None:
                return in_order(module(gathered(inputs)), names)
            if keywords is None:
                return in_order(module(*inputs), names)
            return in_order(module(**dict(zip(keywords, inputs, strict=True))), names)

    return Bound().eval()


def _find_lists(module: Module, config: Config) -> dict[str, int | list[int]] | None:
    """By forward's parameters, the input that each takes, or those of the list that it takes; None where no input is one of a list."""
    parameters = inspect.signature(module.forward).parameters.values()
    known = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    taken: dict[str, int | list[int]] = {}
    for number, tensor in enumerate(config.input):
        numbered = re.fullmatch(r"(.+)_\d+", tensor.name)
        if tensor.name in known:
            taken[tensor.name] = number
        elif numbered is not None and numbered[1] in known:
            part_of = taken.setdefault(numbered[1], [])
            if isinstance(part_of, int):
                return None  # an input has the parameter's own name
            part_of.append(number)
        else:
            return None
    for at in taken.values():
        if isinstance(at, list):
            at.sort(key=lambda number: int(config.input[number].name.rpartition("_")[2]))
    required = {p.name for p in parameters if p.default is p.empty and p.name in known}
    return taken if required <= set(taken) and any(isinstance(at, list) for at in taken.values()) else None


def _keywords(module: Module, config: Config) -> list[str] | None:
    """The inputs' names where they are forward's keywords, None where inputs go by position. Raises SourceError."""
    parameters = inspect.signature(module.forward).parameters.values()
    known = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    names = [tensor.name for tensor in config.input]
    matching = [name for name in names if name in known]
    only = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if len(matching) == len(names):
        return names
    if only or any(known[place : place + 1] != [name] for place, name in enumerate(names) if name in matching):
        wrong = next(name for name in names if name not in matching)
        raise SourceError(
            f"forward has no parameter {wrong!r}, its parameters are {', '.join(known)}; name all [[input]] of builder.toml as forward does."
        )
    return None


def _choose_gathering(module: Module, config: Config) -> Callable[[Sequence[Any]], Any] | None:
    """How several inputs become the one parameter of a forward that takes a list or a dict of them; None where it does not."""
    parameters = list(inspect.signature(module.forward).parameters.values())
    required = [p for p in parameters if p.default is p.empty]
    if len(config.input) < 2 or len(required) != 1 or required[0].kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
        return None
    if len(parameters) >= len(config.input):
        return None  # the others are optional inputs
    names = [tensor.name for tensor in config.input]
    if "dict" in str(required[0].annotation).lower() or _reads_by_name(module, required[0].name):
        return lambda inputs: dict(zip(names, inputs, strict=True))
    return list


def _reads_by_name(module: Module, parameter: str) -> bool:
    """Whether forward's own lines read a parameter as a dict: `batch["left"]`, `batch.items()`."""
    try:
        lines = inspect.getsource(type(module).forward)
    except (OSError, TypeError):
        return False  # made without a file
    return re.search(rf"\b{re.escape(parameter)}(\[[\"']|\.(get|items|keys|values|pop)\()", lines) is not None


def in_order(outputs: Any, names: list[str]) -> Any:
    """Tensors in the order of builder.toml. Raises SourceError for a named output that is not there."""
    named = by_name(outputs)
    if named is not None and not (hasattr(outputs, "_asdict") and not set(names) <= set(named)):
        for name in names:
            if name not in named:
                raise SourceError(
                    f"the model returns no output {name!r}, its outputs are {', '.join(map(str, named))}; name [[output]] of builder.toml as the model does."
                )
        outputs = tuple(named[name] for name in names)
    tensors = tuple(find_tensors(outputs))
    return tensors[0] if len(tensors) == 1 else tensors


def by_name(outputs: Any) -> dict[str, Any] | None:
    """The outputs of a dict, a named tuple or a dataclass; None for others."""
    if hasattr(outputs, "_asdict"):
        return dict(outputs._asdict())
    if isinstance(outputs, dict):
        return outputs
    if dataclasses.is_dataclass(outputs) and not isinstance(outputs, type):
        return {field.name: getattr(outputs, field.name) for field in dataclasses.fields(outputs)}
    return None


def find_tensors(outputs: Any) -> Iterator[Any]:
    """What lists, tuples, dicts and dataclasses hold, in order, without None."""
    named = by_name(outputs)
    if outputs is None:
        return
    if named is not None or isinstance(outputs, list | tuple):
        for value in named.values() if named is not None else outputs:
            yield from find_tensors(value)
    else:
        yield outputs
