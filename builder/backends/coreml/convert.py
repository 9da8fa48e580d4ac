"""The source network as an ML program: float precision by op, then weight compression by layer."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.backends.base import Model
from builder.backends.coreml.match import match_layers, weight_of
from builder.backends.coreml.package import write_package
from builder.backends.coreml.program import import_coremltools, operations
from builder.errors import ConversionError, EdgebundleError
from builder.precision.plan import ResolvedPlan
from builder.precision.scheme import Scheme

if TYPE_CHECKING:
    from torch.export import ExportedProgram

_DTYPES = {"float32": "float32", "int32": "int32", "int64": "int32"}


def to_mlpackage(model: Model, plan: ResolvedPlan, out: Path) -> None:
    """Convert, compress and save. Raises ConversionError."""
    coremltools = import_coremltools()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            converted = _convert(coremltools, model, plan)
            write_package(_compress(coremltools, converted, model, plan), out)
    except EdgebundleError:
        raise
    except Exception as error:  # the converter raises whatever its passes raise; the worker's log has the rest
        text = str(error).strip().splitlines() or [type(error).__name__]
        raise ConversionError(
            f"coremltools cannot convert the model ({type(error).__name__}: {text[0][:300]}); replace the operation it names."
        ) from error


def _convert(coremltools: Any, model: Model, plan: ResolvedPlan) -> Any:
    import numpy as np

    def tensor(name: str, dtype: str, shape: tuple[int, ...] | None = None) -> Any:
        kind = getattr(np, _DTYPES[dtype])
        return (
            coremltools.TensorType(name=name, dtype=kind)
            if shape is None
            else coremltools.TensorType(name=name, shape=shape, dtype=kind)
        )

    schemes = {layer.name: plan.scheme(layer.name) for layer in model.layers.layers}
    # Ops of no layer (activations, norms, resizing) compute in fp16 only where everything around them does.
    elsewhere = all(_computes_in_fp16(scheme) for scheme in schemes.values())
    keys = _layers_by_placeholder(model)

    def in_fp16(op: Any) -> bool:
        var = weight_of(op)
        layer = keys.get(var.name) if var is not None else None
        return elsewhere if layer is None else _computes_in_fp16(schemes[layer])

    return coremltools.convert(
        without_aliases(model.program),
        inputs=[tensor(spec.name, spec.dtype, spec.shape) for spec in model.inputs],
        outputs=[tensor(spec.name, spec.dtype) for spec in model.outputs],
        convert_to="mlprogram",
        compute_precision=coremltools.transform.FP16ComputePrecision(op_selector=in_fp16),
        minimum_deployment_target=_target(coremltools, list(schemes.values())),
        skip_model_load=True,
    )


def _target(coremltools: Any, schemes: list[Scheme]) -> Any:
    """iOS 16 holds everything but 4-bit linear weights, which came with iOS 18."""
    needs_int4 = any(scheme.mode == "weight_only" and scheme.weight_bits == 4 for scheme in schemes)
    return coremltools.target.iOS18 if needs_int4 else coremltools.target.iOS16


def _computes_in_fp16(scheme: Scheme) -> bool:
    return scheme.activation_bits == 16


def _layers_by_placeholder(model: Model) -> dict[str, str]:
    """Weight constant of the freshly converted program -> layer."""
    signature = model.program.graph_signature
    names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    layers = {layer.weight: layer.name for layer in model.layers.layers}
    return {placeholder: layers[key] for placeholder, key in names.items() if key in layers}


def without_aliases(program: ExportedProgram) -> ExportedProgram:
    """The program in functional form without `alias` nodes, which coremltools' front end does not know: they copy nothing."""
    functional: ExportedProgram = program.run_decompositions({})
    graph = functional.graph
    for node in list(graph.nodes):
        if node.op == "call_function" and str(node.target) in ("aten.alias.default", "aten.detach.default"):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
    functional.graph_module.recompile()
    return functional


def _compress(coremltools: Any, converted: Any, model: Model, plan: ResolvedPlan) -> Any:
    """Weights of the layers whose scheme asks for fewer bits; every other weight stays as it is."""
    optimize = coremltools.optimize.coreml
    quantized: dict[str, Any] = {}
    palettized: dict[str, Any] = {}
    # palettized first: a quantized constant is no longer one that the palettizer takes
    for name, ops in match_layers(operations(converted._mil_program), model).items():
        scheme = plan.scheme(name)
        for op in ops:
            var = weight_of(op)
            if var is None:
                raise ConversionError(f"coremltools lost the weights of layer {name!r}; give it a float scheme.")
            if scheme.mode == "weight_only":
                quantized[var.op.name] = optimize.OpLinearQuantizerConfig(
                    mode="linear_symmetric",
                    dtype=f"int{scheme.weight_bits}",
                    granularity="per_channel",
                    weight_threshold=0,
                )
            elif scheme.mode == "palettized":
                palettized[var.op.name] = optimize.OpPalettizerConfig(
                    mode="kmeans", nbits=scheme.weight_bits, weight_threshold=0
                )
    if palettized:
        converted = optimize.palettize_weights(converted, optimize.OptimizationConfig(op_name_configs=palettized))
    if quantized:
        converted = optimize.linear_quantize_weights(converted, optimize.OptimizationConfig(op_name_configs=quantized))
    return converted
