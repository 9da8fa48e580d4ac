"""Reading a state dict from .safetensors, .pt, .pth, .ckpt or .bin without ever running pickled code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import SourceError, find_reason

if TYPE_CHECKING:
    from torch import Tensor

# Keys under which trainers keep the weights; averaged ones first, since those are what a network is judged by.
AVERAGED = ("params_ema", "ema_state_dict", "state_dict_ema", "model_ema", "generator_ema", "g_ema", "G_ema", "ema")
_PLAIN = (
    "state_dict", "params", "model_state_dict", "model_state", "model", "module", "net", "network", "weights", "generator", "netG", "G",
)  # fmt: skip
# Classes of the standard library that trainers keep beside the weights; they become empty shells, as those of packages do.
_HARMLESS = (
    "argparse.Namespace", "pathlib.PosixPath", "pathlib.WindowsPath", "pathlib.PurePosixPath", "pathlib._local.PosixPath",
    "collections.defaultdict", "datetime.datetime", "datetime.date", "types.SimpleNamespace",
)  # fmt: skip

_POINTER = b"version https://git-lfs"


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Tensors by key, averaged weights where a file has both. Raises SourceError for a missing, empty or damaged file and for a
    pickle that carries code."""
    if not path.is_file():
        raise SourceError(f"the checkpoint {path} does not exist; correct 'checkpoint' in builder.toml.")
    if path.stat().st_size == 0:
        raise SourceError(f"the checkpoint {path} is empty; write it again from your training run.")
    with path.open("rb") as file:
        if file.read(len(_POINTER)) == _POINTER:
            raise SourceError(f"the checkpoint {path} is a pointer of Git LFS, not the weights; run: git lfs pull")
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
        with torch.serialization.safe_globals(_shells(path)):
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SourceError(
            f"the checkpoint {path} holds more than tensors and its code is not run "
            f"({find_reason(error)}); save model.state_dict() instead, best as .safetensors."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise SourceError(
            f"the checkpoint {path} is damaged or not a torch file ({find_reason(error)}); write it again."
        ) from error
    state = _find_weights(loaded)
    if state is None:
        raise SourceError(f"the checkpoint {path} is not a state dict of tensors; save model.state_dict().")
    return state


class Shell:
    """Stands for an object of a class that is not loaded: it has what was stored in it, and does nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)


def _shells(path: Path) -> list[Any]:
    """What torch's restricted reader may meet in this file: numpy's numbers, and empty shells for classes of packages.

    Names of the standard library are no shells: what calls them is meant to do something.
    """
    import torch

    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except (RuntimeError, ValueError, OSError, EOFError, AttributeError):
        return _numbers()  # a file in the old format, or none at all: reading it says what is wrong
    allowed: list[Any] = _numbers()
    for name in names:
        package = name.split(".")[0]
        if name in _HARMLESS or package not in {*sys.stdlib_module_names, "builtins", "numpy"}:
            allowed.append((type("Shell", (Shell,), {}), name))
    return allowed


def _numbers() -> list[Any]:
    """Scalars and arrays of numpy, under their old and new names."""
    import numpy as np

    scalar: Any = np._core.multiarray.scalar  # type: ignore[attr-defined]
    rebuild: Any = np._core.multiarray._reconstruct  # type: ignore[attr-defined]
    kinds = [type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "bool")]
    named = [
        (function, f"{module}.{name}")
        for function, name in ((scalar, "scalar"), (rebuild, "_reconstruct"))
        for module in ("numpy.core.multiarray", "numpy._core.multiarray")
    ]
    return [np.dtype, np.ndarray, *kinds, *named]


def _find_weights(loaded: Any) -> dict[str, Tensor] | None:
    """The tensors of a state dict, of what trainers wrap around one, or of a whole pickled network; None where there are none."""
    import torch

    if isinstance(loaded, Shell):
        return _of_module(loaded, "")
    if not isinstance(loaded, dict):
        return None
    tensors = {key: value for key, value in loaded.items() if isinstance(key, str) and isinstance(value, torch.Tensor)}
    for key in (*AVERAGED, *_PLAIN):
        inner = loaded.get(key)
        if isinstance(inner, dict | Shell) and (weights := _find_weights(inner)):
            return weights
    # A step count or a name beside the weights is not one of them.
    others = [value for key, value in loaded.items() if key not in tensors and isinstance(value, dict | list | Shell)]
    return tensors if tensors and not others else None


def _of_module(shell: Any, prefix: str) -> dict[str, Tensor] | None:
    """What a pickled network has as parameters and buffers."""
    stored = vars(shell)
    if "_modules" not in stored or "_parameters" not in stored:
        return None
    kept = {**stored["_parameters"], **stored.get("_buffers", {})}
    tensors = {f"{prefix}{name}": getattr(value, "data", value) for name, value in kept.items() if value is not None}
    for name, child in stored["_modules"].items():
        if isinstance(child, Shell):
            tensors |= _of_module(child, f"{prefix}{name}.") or {}
    return tensors
