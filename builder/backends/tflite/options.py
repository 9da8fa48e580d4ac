"""The keys of a TFLite variant."""

from __future__ import annotations

from typing import Literal

from builder.backends.options import Options, OtherConverter
from builder.storage.environments import ONNX2TF


class TfliteOptions(Options):
    """TFLite alone: `route` is the converter; onnx2tf runs in an environment of its own, which is made on first use."""

    route: Literal["litert-torch", "onnx2tf"] = "litert-torch"
    """TFLite only: the converter. `onnx2tf` runs in an environment of its own, which is made at first use."""

    def form(self) -> str:
        """`-onnx2tf` for that converter."""
        return "" if self.other_converter() is None else f"-{self.route}"

    def other_converter(self) -> OtherConverter | None:
        """onnx2tf."""
        usual = "litert-torch"
        return None if self.route == usual else OtherConverter(environment=ONNX2TF, key="route", usual=usual)
