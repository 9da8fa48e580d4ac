"""The keys of a Core ML variant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from builder.backends.options import Options

if TYPE_CHECKING:
    from builder.precision.plan import ResolvedPlan

Io = Literal["tensors", "images"]


class CoreMLOptions(Options):
    """Core ML alone: `io = "images"` gives the file image inputs and outputs that scale pixels themselves, instead of tensors that
    the app fills; `deployment_target` is the oldest iOS that must load it."""

    io: Io = "tensors"
    """Core ML only: with `images` the file takes and gives pictures and scales the pixels itself."""
    deployment_target: Literal["iOS16", "iOS17", "iOS18"] | None = None
    """Core ML only: the oldest iOS that must load the file."""

    def form(self) -> str:
        """`-images` for a file that takes pictures."""
        return "" if self.io == "tensors" else f"-{self.io}"

    def check(self, plan: ResolvedPlan) -> None:
        """Raises ConfigError for a plan that needs a newer system."""
        from builder.backends.coreml.convert import require_system

        if self.deployment_target is not None:
            require_system(plan, self.deployment_target)
