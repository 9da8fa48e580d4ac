"""The source network as an ML program: float precision by op and weight compression by layer, in one pass pipeline.

A layer is known inside the converter by the name of its weight's placeholder (`p_blocks_0_dw_weight`), which coremltools
takes over as the name of the constant. Passes that rewrite weights or join equal ones before compression would lose it.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.backends.coreml.compute import choose_precision
from builder.backends.coreml.images import give_pixels, make_image_input, make_image_output
from builder.backends.coreml.match import find_placeholders
from builder.backends.coreml.package import write_package
from builder.backends.coreml.palette import make_palettizer
from builder.backends.coreml.program import NEEDS, import_coremltools
from builder.backends.coreml.rewrites import for_coremltools
from builder.errors import ConfigError, ConversionError, EdgebundleError
from builder.graph.integer_weights import with_integer_weights
from builder.graph.model import Model
from builder.precision.plan import ResolvedPlan
from builder.precision.scheme import Scheme

if TYPE_CHECKING:
    from builder.bundle import TensorSpec

_BORDER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# These write new weights under new names: two layers with equal weights would become one before they get their schemes,
# and a constant factor after a layer would be folded into it. Core ML's own compiler folds again on the device.
# `compose_conv1d` makes a convolution of one dimension of a row's, with a new weight that is no layer's.
_WITHOUT = (
    "common::compose_conv1d",
    "common::const_deduplication",
    "common::fuse_conv_scale",
    "common::fuse_conv_bias",
    "common::fuse_conv_batchnorm",
)
_QUANTIZE, _PALETTIZE = "compression::linear_quantize_weights", "compression::palettize_weights"
_PRUNE = "compression::prune_weights"


def to_mlpackage(
    model: Model, plan: ResolvedPlan, out: Path, *, io: str = "tensors", deployment_target: str | None = None
) -> None:
    """Convert, compress and save. Raises ConversionError, and ConfigError for a deployment target that is too old."""
    _check_names((*model.inputs, *model.outputs))
    coremltools = import_coremltools()
    system = deployment_target or find_oldest_system(plan)
    require_system(plan, system)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            write_package(_convert(coremltools, model, plan, io, system), out)
    except EdgebundleError:
        raise
    except Exception as error:  # the converter raises whatever its passes raise; the worker's log has the rest
        if (newer := NEEDS.search(str(error))) is not None:
            if deployment_target is None:  # nobody asked for an older one
                return to_mlpackage(model, plan, out, io=io, deployment_target=newer["system"])
            raise ConfigError(
                f"the operation {newer['op']!r} needs {newer['system']} and the variant is made for {system}; set "
                f'deployment_target = "{newer["system"]}" on the variant in builder.toml.'
            ) from error
        text = str(error).strip().splitlines() or [type(error).__name__]
        raise ConversionError(
            f"coremltools cannot convert the model ({type(error).__name__}: {text[0][:300]})."
        ) from error


def _convert(coremltools: Any, model: Model, plan: ResolvedPlan, io: str, system: str) -> Any:
    schemes = {layer.name: plan.scheme(layer.name) for layer in model.layers.layers}
    program = for_coremltools(with_integer_weights(model) if plan.as_trained else model.program)
    pictures = {spec.name for spec in (*model.inputs, *model.outputs) if io == "images" and spec.kind == "image"}
    if pictures:
        program = give_pixels(program, model.outputs)
    return coremltools.convert(
        program,
        inputs=[
            make_image_input(coremltools, spec)
            if spec.name in pictures
            else coremltools.TensorType(name=spec.name, shape=spec.shape, dtype=_choose_border_dtype(spec))
            for spec in model.inputs
        ],
        outputs=[
            make_image_output(coremltools, spec)
            if spec.name in pictures
            else coremltools.TensorType(name=spec.name, dtype=_choose_border_dtype(spec))
            for spec in model.outputs
        ],
        convert_to="mlprogram",
        compute_precision=choose_precision(coremltools, model, schemes, plan.norms(model.layers)),
        pass_pipeline=_pipeline(coremltools, model, schemes),
        minimum_deployment_target=getattr(coremltools.target, system),
        skip_model_load=True,
    )


def _pipeline(coremltools: Any, model: Model, schemes: dict[str, Scheme]) -> Any:
    """The default passes without those that lose a layer, and the compression of each layer's weights at the end.

    Linear weights: symmetric, one scale an output channel, unpacked to fp32 for fp32 arithmetic. Palettes: 2^bits fp16
    values for the whole weight (see palette.py), for fp16 arithmetic. Sparse: the smallest weights zero, the others fp16
    or of a palette.
    """
    optimize = coremltools.optimize.coreml
    quantized: dict[str, Any] = {}
    palettized: dict[str, Any] = {}
    pruned: dict[str, Any] = {}
    by_name = {layer.name: layer for layer in model.layers.layers}
    for layer, placeholder in find_placeholders(model).items():
        scheme = schemes[layer]
        # coremltools' own threshold would leave small weights uncompressed without a word
        if scheme.mode == "weight_only":
            quantized[placeholder] = optimize.OpLinearQuantizerConfig(
                mode="linear_symmetric",
                dtype=f"int{scheme.weight_bits}",
                granularity="per_block" if scheme.block else "per_channel",
                block_size=scheme.block,
                weight_threshold=0,
            )
        elif scheme.mode == "palettized":
            palettized[f"{placeholder}_to_fp16"] = optimize.OpPalettizerConfig(
                mode="custom", lut_function=make_palettizer(scheme.weight_bits), weight_threshold=0
            )
        elif scheme.mode == "sparse":
            pruned[f"{placeholder}_to_fp16"] = optimize.OpThresholdPrunerConfig(
                threshold=_find_largest_pruned(model.weight(by_name[layer]), scheme.sparsity),
                minimum_sparsity_percentile=0.0,
                weight_threshold=0,
            )
            if scheme.weight_bits < 16:  # what is left of the weights gets a palette
                palettized[f"{placeholder}_to_fp16_sparsified"] = optimize.OpPalettizerConfig(
                    mode="custom", lut_function=make_palettizer(scheme.weight_bits, zeros=False), weight_threshold=0
                )
    pipeline = coremltools.PassPipeline.DEFAULT
    pipeline.remove_passes(list(_WITHOUT))
    joint = any(scheme.sparsity and scheme.weight_bits < 16 for scheme in schemes.values())
    for name, configs in ((_QUANTIZE, quantized), (_PRUNE, pruned), (_PALETTIZE, palettized)):
        if configs:
            options = {"config": optimize.OptimizationConfig(op_name_configs=configs)}
            pipeline.append_pass(name)
            pipeline.set_options(name, options | ({"joint_compression": True} if joint and name == _PALETTIZE else {}))
    return pipeline


def _find_largest_pruned(weight: Any, percent: int) -> float:
    """The magnitude up to which weights become zero, so that this share of them does.

    coremltools' own pruner looks for it in float16, where a place among more than 65504 weights is infinite: it then prunes none.
    """
    import numpy as np

    magnitudes = np.abs(np.asarray(weight, np.float16)).astype(np.float64)
    return float(np.percentile(magnitudes, percent, method="lower"))


def find_oldest_system(plan: ResolvedPlan) -> str:
    """iOS 16 holds everything but integer activations, which came with iOS 17, and 4-bit linear weights and sparse ones with
    a palette, which came with iOS 18."""
    return "iOS18" if _find_newer_layers(plan) else "iOS17" if plan.as_trained else "iOS16"


def require_system(plan: ResolvedPlan, system: str) -> None:
    """Raises ConfigError when the plan needs a newer system than this."""
    if plan.as_trained and system == "iOS16":
        raise ConfigError(
            "the checkpoint's integer activations need iOS17, and the variant is made for iOS16; "
            'set deployment_target = "iOS17" on the variant in builder.toml.'
        )
    layers = _find_newer_layers(plan)
    if layers and int(system.removeprefix("iOS")) < 18:
        raise ConfigError(
            f"layer {layers[0]!r} is asked for as {plan.scheme(layers[0]).name}, which needs iOS18, and the variant is made for {system}; "
            'set deployment_target = "iOS18" on the variant in builder.toml, or give the layer palettized_w4.'
        )


def _find_newer_layers(plan: ResolvedPlan) -> list[str]:
    schemes = {layer: choice.scheme for layer, choice in plan.choices.items()}
    return [
        layer
        for layer, scheme in schemes.items()
        if scheme.weight_bits == 4 and scheme.mode in ("weight_only", "sparse")
    ]


def _choose_border_dtype(spec: TensorSpec) -> Any:
    """Core ML has no 64-bit integers at its borders."""
    import numpy as np

    return np.float32 if spec.dtype == "float32" else np.int32


def _check_names(specs: tuple[TensorSpec, ...]) -> None:
    for spec in specs:
        if not _BORDER_NAME.fullmatch(spec.name):
            raise ConversionError(
                f"Core ML cannot have an input or output named {spec.name!r}; use letters, digits and _ only in builder.toml."
            )
