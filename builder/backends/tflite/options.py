"""The keys of a TFLite variant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from builder.backends.options import Options, OtherConverter
from builder.errors import ConfigError
from builder.precision.scheme import AS_TRAINED
from builder.storage.environments import ONNX2TF

if TYPE_CHECKING:
    from builder.precision.plan import ResolvedPlan


class TfliteOptions(Options):
    """TFLite alone: `route` is the converter; onnx2tf runs in an environment of its own, which is made on first use."""

    route: Literal["litert-torch", "onnx2tf"] = "litert-torch"
    """TFLite only: the converter. `onnx2tf` runs in an environment of its own, which is made at first use."""

    def form(self) -> str:
        """`-onnx2tf` for that converter."""
        return "" if self.find_other_converter() is None else f"-{self.route}"

    def find_other_converter(self) -> OtherConverter | None:
        """onnx2tf."""
        usual = "litert-torch"
        return None if self.route == usual else OtherConverter(environment=ONNX2TF, key="route", usual=usual)

    def check(self, plan: ResolvedPlan) -> None:
        """Raises ConfigError for integers of the checkpoint's, which the other converter does not keep."""
        if plan.as_trained and self.find_other_converter() is not None:
            raise ConfigError(
                f"route = {self.route!r} keeps no integers of a checkpoint ({AS_TRAINED}); remove 'route' from the variant."
            )
