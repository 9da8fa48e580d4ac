"""A plan made real on the named fp32 file: correct, quantize, repair, shrink, and state the versions."""

from __future__ import annotations

from builder.backends.base import Seen
from builder.backends.tflite.biases import correct_biases, fit_biases
from builder.backends.tflite.flatbuffer import read_model, slim, write_model
from builder.backends.tflite.graph import read_graph
from builder.backends.tflite.match import find_layers
from builder.backends.tflite.quantize import name_tensors_of, quantize
from builder.backends.tflite.versions import write_versions
from builder.graph.model import Model
from builder.precision.plan import ResolvedPlan
from builder.precision.stated import with_stated


def realise(float_file: bytes, model: Model, plan: ResolvedPlan, seen: Seen) -> bytes:
    """The artifact of `plan`, from the file that `to_float_file` gave. Raises ConversionError."""
    observed = seen() if plan.needs_calibration else {}
    if plan.calibration.correct_biases and plan.has_integers:
        float_file = correct_biases(float_file, model, plan, observed)
    graph = read_graph(read_model(float_file))
    layers = find_layers(graph, model)
    observed = with_stated(observed, plan.ranges, lambda layer, side: name_tensors_of(graph, layers[layer], side))
    schemes = {use.op.index: plan.scheme(layer) for layer, uses in layers.items() for use in uses}
    finished = read_model(quantize(float_file, graph, schemes, plan, observed))
    fit_biases(finished, graph)
    slim(finished)
    write_versions(finished)
    return write_model(finished)
