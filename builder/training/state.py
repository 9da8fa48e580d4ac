"""The state of a stage that trains, written whole or not at all, and read without running what a file might carry."""

from __future__ import annotations

import errno
import os
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import ConversionError, OutputError, reason_of
from builder.training.settings import Settings

if TYPE_CHECKING:
    from torch.nn import Module
    from torch.optim import Optimizer


def save(path: Path, *, step: int, settings: Settings, network: Module, optimizer: Optimizer) -> None:
    """What `load` needs to go on after `step` steps. Raises OutputError where the disk is full."""
    import torch

    state = {
        "step": step,
        "settings": repr(asdict(settings)),
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    temporary = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, temporary)
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # torch says RuntimeError of a disk that is full
        temporary.unlink(missing_ok=True)
        if getattr(error, "errno", errno.ENOSPC) != errno.ENOSPC:
            raise
        raise OutputError(
            f"the state of step {step} could not be kept in {path.parent} ({reason_of(error)}); free space and go on with --resume."
        ) from error


def load(path: Path, *, settings: Settings, network: Module, optimizer: Optimizer) -> int:
    """Steps done; 0 where there is no state. Raises ConversionError for a state that is damaged or of other settings."""
    import torch

    if not path.is_file():
        return 0
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        same = state["settings"] == repr(asdict(settings))
        if same:
            network.load_state_dict(state["network"])
            optimizer.load_state_dict(state["optimizer"])
    except (OSError, RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise ConversionError(
            f"the state {path.name} of an earlier run cannot be read ({reason_of(error)}); start anew without --resume."
        ) from error
    if not same:
        raise ConversionError("the state of the earlier run is of other settings; start anew without --resume.")
    return int(state["step"])
