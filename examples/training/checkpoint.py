"""The state of an interrupted run and the finished weights, both written whole or not at all."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from training.settings import Settings


def save_state(path: Path, *, step: int, settings: Settings, network: nn.Module, optimizer: Optimizer) -> None:
    """Write what `load_state` needs to go on after `step` steps."""
    state = {
        "step": step,
        "settings": repr(asdict(settings)),
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    temporary = _temporary(path)
    torch.save(state, temporary)
    os.replace(temporary, path)


def load_state(path: Path, *, settings: Settings, network: nn.Module, optimizer: Optimizer) -> int:
    """Restore network and optimizer and return the number of steps done.

    Raises ValueError when the state belongs to a run with other settings.
    """
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if state["settings"] != repr(asdict(settings)):
        raise ValueError(f"{path} was written with other settings; delete it to start anew.")
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def save_weights(path: Path, network: nn.Module, dtype: torch.dtype = torch.float32) -> None:
    """The weights as `.safetensors`."""
    tensors: dict[str, Tensor] = {name: t.detach().to(dtype).contiguous() for name, t in network.state_dict().items()}
    temporary = _temporary(path)
    save_file(tensors, temporary)
    os.replace(temporary, path)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")
