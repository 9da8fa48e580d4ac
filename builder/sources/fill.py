"""A checkpoint's tensors into a network: by the network's own names, whatever a trainer put before them or computed them from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from builder.errors import SourceError
from builder.suggest import did_you_mean, find_nearest

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    State = dict[str, Tensor]

_COUNTER = "num_batches_tracked"  # of batch norms: inference does not read it, and old checkpoints have none


def load_into(module: Module, state: State, path: Path, *, strict: bool = True) -> tuple[str, ...]:
    """Copy the tensors into the module; sentences on what was done to them. Without `strict`, tensors that it does not know are left.

    Raises SourceError naming the key that is missing, unexpected, misshapen or NaN.
    """
    import torch

    wanted = module.state_dict()
    state, told = fit(state, wanted)
    missing = [key for key in wanted if key not in state]
    if len(missing) == len(wanted) > 1:
        raise SourceError(
            f"none of the {len(wanted)} names of the model is in the checkpoint {path} (the model has {missing[0]!r}, the checkpoint "
            f"{next(iter(state), None)!r}): it is another network's, or was saved under other names; name the one of this network."
        )
    if missing:
        raise SourceError(
            f"the checkpoint {path} has no {missing[0]!r}{_more(missing)}, which the model needs{did_you_mean(missing[0], set(state) - set(wanted))}"
        )
    extra = [key for key in state if key not in wanted]
    if extra and strict:
        near = find_nearest(extra[0], wanted)
        cure = f"did you mean {near!r}? If it is not needed" if near else "if nothing is missing without it"
        raise SourceError(
            f"the checkpoint {path} has {extra[0]!r}{_more(extra)}, which the model does not know; {cure}, set strict = false in [model] "
            "of builder.toml."
        )
    if extra:
        told.append(f"{extra[0]!r}{_more(extra)} of the checkpoint is not used")
    converted: State = {}
    changed: dict[str, int] = {}
    for key, expected in wanted.items():
        tensor = state[key]
        if tensor.shape != expected.shape:
            raise SourceError(
                f"the checkpoint {path} has {key!r} of shape {list(tensor.shape)} where the model has {list(expected.shape)}; use the arguments it was trained with."
            )
        if tensor.is_floating_point() != expected.is_floating_point():
            raise SourceError(
                f"the checkpoint {path} has {key!r} as {tensor.dtype} where the model has {expected.dtype}; save it in the model's dtype."
            )
        if tensor.dtype != expected.dtype:
            changed[str(tensor.dtype)] = changed.get(str(tensor.dtype), 0) + 1
        tensor = tensor.to(expected.dtype)
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise SourceError(
                f"the checkpoint {path} has NaN or infinite values in {key!r}; take an earlier checkpoint."
            )
        converted[key] = tensor
    told += [f"{count} tensors of the checkpoint are {kind} and were converted" for kind, count in changed.items()]
    _give_own_memory(module)
    module.load_state_dict(converted, strict=True)
    return tuple(told)


def _give_own_memory(module: Module) -> None:
    """Values that lie in one place, as those of an expanded buffer do, cannot be written one by one."""
    import torch

    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if any(size > 1 and step == 0 for size, step in zip(tensor.shape, tensor.stride(), strict=True)):
                tensor.set_(tensor.contiguous())  # type: ignore[call-overload]


def fit(state: State, wanted: Mapping[str, Tensor]) -> tuple[State, list[str]]:
    """The state by the model's names, and what was done for that. Names that fit already stay as they are."""
    import torch

    told = []
    state = _rename_parametrized(state, wanted)
    if not _covers(state, wanted):
        for prefix in _prefixes(state, wanted):
            inner = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
            inner = _rename_parametrized(inner, wanted)
            if _covers(inner, wanted):
                left = len(state) - len(inner)
                told.append(
                    f"the checkpoint's names begin with {prefix!r}, which the model's have not"
                    + (f"; {left} tensors of others are not used" if left else "")
                )
                state = inner
                break
    counters = [key for key in wanted if key.endswith(_COUNTER) and key not in state]
    return state | {key: torch.zeros_like(wanted[key]) for key in counters}, told


def _covers(state: State, wanted: Mapping[str, Tensor]) -> bool:
    return all(key in state or key.endswith(_COUNTER) for key in wanted)


def _prefixes(state: State, wanted: Mapping[str, Tensor]) -> list[str]:
    """What the checkpoint may have put before the model's names: averaged weights first, then the shortest."""
    endings = _endings(next(iter(wanted), ""))
    prefixes = {key[: -len(end)] for key in state for end in endings if key.endswith(f".{end}")}
    return sorted(prefixes, key=lambda prefix: ("ema" not in prefix.lower(), len(prefix), prefix))


def _endings(key: str) -> list[str]:
    """The names that a tensor may have: its own, and those that a norm of weights had before and has now."""
    base = key.split(".parametrizations.")[0] if ".parametrizations." in key else key.rpartition(".")[0]
    return [
        key,
        *(f"{base}.{role}" for role in ("weight", "weight_g", "weight_orig", "parametrizations.weight.original0")),
    ]


def _rename_parametrized(state: State, wanted: Mapping[str, Tensor]) -> State:
    """Weights under weight or spectral norm by the names that torch gives them now, as the model has them, or computed."""
    renamed = {}
    spectral = {key.removesuffix("_orig") for key in state if key.endswith(".weight_orig")}
    for key, value in state.items():
        base, _, role = key.rpartition(".")
        new = _NEW_SPECTRAL.get(role) if f"{base}.weight" in spectral else _NEW_WEIGHT.get(role)
        name = f"{base}.{new}" if new else key
        renamed[name if name in wanted and key not in wanted else key] = value
    return _compute_normed(renamed, wanted)


_NEW_WEIGHT = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}
_NEW_SPECTRAL = {
    "weight_orig": "parametrizations.weight.original",
    "weight_u": "parametrizations.weight.0._u",
    "weight_v": "parametrizations.weight.0._v",
}


def _compute_normed(state: State, wanted: Mapping[str, Tensor]) -> State:
    """`weight` of weight norm's two parts where the model has none, and the parts of a weight where the model has it."""
    import torch

    result = dict(state)
    for key in wanted:
        base = key.removesuffix(".weight")
        for length, direction in (("weight_g", "weight_v"), tuple(_NEW_WEIGHT.values())):
            g, v = f"{base}.{length}", f"{base}.{direction}"
            if key.endswith(".weight") and key not in result and g in result and v in result:
                result[key] = torch._weight_norm(result.pop(v), result.pop(g), 0)
    for key in [key for key in wanted if key.endswith(".parametrizations.weight.original1") and key not in result]:
        base = key.removesuffix(".parametrizations.weight.original1")
        weight = result.pop(f"{base}.weight", None)
        if weight is not None:
            result[key] = weight
            result[f"{base}.parametrizations.weight.original0"] = torch.norm_except_dim(weight, 2, 0)
    return result


def _more(keys: list[str]) -> str:
    return f" (and {len(keys) - 1} more)" if len(keys) > 1 else ""
