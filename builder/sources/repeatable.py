"""A factory builds the same network each time: what its checkpoint does not hold may not be random."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from builder.errors import SourceError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


def require_repeatable(build: Callable[[], Module], modules: Iterable[str], *, own_weights: bool) -> None:
    """Build the network twice, each time with `modules`, the user's own, imported anew.

    `own_weights`: the factory loads them itself, so that no checkpoint can hold what differs.

    Raises SourceError with the name of the first tensor or number that differs, weights of the checkpoint put in.
    """
    first, second = (_facts(_build_once(build, modules)) for _ in range(2))
    for name in sorted(first.keys() | second.keys()):
        if name not in first or name not in second or not _same(first[name], second[name]):
            raise SourceError(
                f"the factory builds another network each time it is called: {name!r} differs"
                + (
                    ", so its weights are not the trained ones; load them in the factory, or name their file as 'checkpoint' in [model] "
                    "of builder.toml."
                    if own_weights
                    else " and is not in the checkpoint; give it a fixed value, seed its random numbers, or save it with the weights."
                )
            )


def _build_once(build: Callable[[], Module], modules: Iterable[str]) -> Module:
    for name in modules:
        sys.modules.pop(name, None)
    return build()


def _facts(network: Module) -> dict[str, Tensor | float]:
    """Parameters, buffers, and what else of tensors and numbers lies in the modules."""
    import numpy as np
    import torch

    facts: dict[str, Tensor | float] = {}
    for path, module in network.named_modules():
        own = {
            **dict(module.named_parameters(recurse=False)),
            **dict(module.named_buffers(recurse=False)),
            **vars(module),
        }
        derived = _find_derived(own)
        for name, value in own.items():
            if name in derived:
                continue
            place = f"{path}.{name}" if path else name
            if isinstance(value, torch.Tensor | float):
                facts[place] = value
            elif isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
                facts[place] = torch.from_numpy(np.ascontiguousarray(value))
    return facts


def _find_derived(own: dict[str, object]) -> set[str]:
    """Weights that `torch.nn.utils.weight_norm` and `spectral_norm` of earlier torch compute anew at every call, from those beside them."""
    return {name for name in own if (f"{name}_g" in own and f"{name}_v" in own) or f"{name}_orig" in own}


def _same(one: Tensor | float, other: Tensor | float) -> bool:
    import torch

    if not isinstance(one, torch.Tensor) or not isinstance(other, torch.Tensor):
        return type(one) is type(other) and bool(one == other or (one != one and other != other))
    if one.shape != other.shape or one.dtype != other.dtype or one.is_meta or other.is_meta:
        return one.shape == other.shape and one.dtype == other.dtype
    equal = (one == other) | ((one != one) & (other != other))
    return bool(equal.all())
