"""The state of a stage that trains, written whole or not at all, and read without running what a file might carry."""

from __future__ import annotations

import errno
import os
import pickle
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import ConversionError, OutputError, find_reason
from builder.training.settings import Settings

if TYPE_CHECKING:
    from torch.nn import Module
    from torch.optim import Optimizer


@dataclass(kw_only=True)
class Progress:
    """How far a stage is: steps done, the loss of each, and what looks at other pictures gave."""

    step: int = 0
    losses: list[float] = field(default_factory=list)
    looks: list[float] = field(default_factory=list)

    def stale(self, patience: int) -> bool:
        """Whether so many looks after the best one were no better."""
        if not patience or not self.looks:
            return False
        return len(self.looks) - 1 - self.looks.index(min(self.looks)) >= patience


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What is kept in the file `path`; `average` is the moving average of the network's weights, or None."""

    path: Path
    settings: Settings
    network: Module
    optimizer: Optimizer
    average: Any = None

    def save(self, progress: Progress) -> None:
        """What `load` needs to go on. Raises OutputError where the disk is full."""
        import torch

        state = {
            "progress": asdict(progress),
            "settings": repr(asdict(self.settings)),
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
        }
        temporary = self.path.with_name(f".{self.path.name}.new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            torch.save(state, temporary)
            os.replace(temporary, self.path)
        except (OSError, RuntimeError) as error:  # torch says RuntimeError of a disk that is full
            temporary.unlink(missing_ok=True)
            if getattr(error, "errno", errno.ENOSPC) != errno.ENOSPC:
                raise
            raise OutputError(
                f"the state of step {progress.step} could not be kept in {self.path.parent} ({find_reason(error)}); free space and go on "
                "with --resume."
            ) from error

    def load(self) -> Progress:
        """How far it is; not begun where there is no state. Raises ConversionError for a state that is damaged or of other settings."""
        import torch

        if not self.path.is_file():
            return Progress()
        try:
            state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
            progress = Progress(**state["progress"])
            same = state["settings"] == repr(asdict(self.settings))
            if same:
                self.network.load_state_dict(state["network"])
                self.optimizer.load_state_dict(state["optimizer"])
                if self.average is not None:
                    self.average.load_state_dict(state["average"])
        except (OSError, RuntimeError, KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError) as error:
            raise ConversionError(
                f"the state {self.path.name} of an earlier run cannot be read ({find_reason(error)}); start anew without --resume."
            ) from error
        if not same:
            raise ConversionError("the state of the earlier run is of other settings; start anew without --resume.")
        return progress
