"""Reading a state dict from .safetensors, .pt or .pth without ever running pickled code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from builder.errors import SourceError, reason_of
from builder.suggest import did_you_mean

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Tensors by key. Raises SourceError for a missing, empty or damaged file and for a pickle that carries code."""
    if not path.is_file():
        raise SourceError(f"the checkpoint {path} does not exist; correct 'checkpoint' in builder.toml.")
    if path.stat().st_size == 0:
        raise SourceError(f"the checkpoint {path} is empty; write it again from your training run.")
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise SourceError(
            f"the checkpoint {path} is damaged or not a .safetensors file ({error}); write it again."
        ) from error


def _read_pickle(path: Path) -> dict[str, Tensor]:
    import pickle

    import torch

    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SourceError(
            f"the checkpoint {path} holds more than tensors and its code is not run "
            f"({reason_of(error)}); save model.state_dict() instead, best as .safetensors."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise SourceError(
            f"the checkpoint {path} is damaged or not a torch file ({reason_of(error)}); write it again."
        ) from error
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]  # the usual wrapping of training frameworks
    if not isinstance(loaded, dict) or not all(isinstance(value, torch.Tensor) for value in loaded.values()):
        raise SourceError(f"the checkpoint {path} is not a state dict of tensors; save model.state_dict().")
    return loaded


def load_into(module: Module, state: dict[str, Tensor], path: Path) -> None:
    """Copy the tensors into the module. Raises SourceError naming the key that is missing, unexpected, misshapen or NaN."""
    import torch

    wanted = module.state_dict()
    missing = [key for key in wanted if key not in state]
    if missing:
        raise SourceError(
            f"the checkpoint {path} has no {missing[0]!r}{_more(missing)}, which the model needs{did_you_mean(missing[0], set(state) - set(wanted))}"
        )
    extra = [key for key in state if key not in wanted]
    if extra:
        raise SourceError(
            f"the checkpoint {path} has {extra[0]!r}{_more(extra)}, which the model does not know{did_you_mean(extra[0], wanted)}"
        )
    for key, tensor in state.items():
        expected = wanted[key]
        if tensor.shape != expected.shape:
            raise SourceError(
                f"the checkpoint {path} has {key!r} of shape {list(tensor.shape)} where the model has {list(expected.shape)}; use the arguments it was trained with."
            )
        if tensor.dtype != expected.dtype:
            raise SourceError(
                f"the checkpoint {path} has {key!r} as {tensor.dtype} where the model has {expected.dtype}; save it in the model's dtype."
            )
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise SourceError(
                f"the checkpoint {path} has NaN or infinite values in {key!r}; take an earlier checkpoint."
            )
    module.load_state_dict(state, strict=True)


def _more(keys: list[str]) -> str:
    return f" (and {len(keys) - 1} more)" if len(keys) > 1 else ""
