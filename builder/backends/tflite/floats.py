"""The fp32 file that all plans of a source start from. It is converted once; a plan is made of it without torch and the converter."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.backends.base import Lowered, Seen
    from builder.backends.tflite.options import TfliteOptions
    from builder.graph.model import Model
    from builder.graph.tensors import Tensors
    from builder.precision.plan import ResolvedPlan
    from builder.precision.ranges import Observation


def convert(model: Model, options: TfliteOptions) -> tuple[bytes, Lowered]:
    """By the converter of the variant's route. Raises ConversionError."""
    from builder.backends.tflite.convert import to_float_file

    return to_float_file(model, options.route)


def realise(delegate: str, content: bytes, model: Model, plan: ResolvedPlan, seen: Seen) -> bytes:
    """The file with the plan, in the form that the delegate takes. Raises ConversionError."""
    from builder.backends.tflite import realise_for

    return realise_for(delegate, content, model, plan, seen)


def observe(content: bytes, lowered: Lowered, samples: Iterable[Tensors]) -> dict[str, Observation]:
    """Every activation of the file, by tensor name. Raises ConversionError without samples."""
    from builder.backends.tflite.activations import observe_file

    return observe_file(content, lowered, samples)
