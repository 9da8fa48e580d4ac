"""Pictures at the borders of a file (`io = "images"`): Core ML hands the network 8-bit pixels and takes 8-bit pixels from it.

Core ML converts nothing but the order of colours: the arithmetic of `TensorSpec` stands in the program. For an input coremltools
puts it there (`ImageType`'s scale and bias); for an output it takes none, so the graph does it, down to whole numbers of 0..255:
what Core ML makes of 0.7, or of a value beyond 255, is not documented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

    from builder.bundle import TensorSpec


def scale_and_bias(spec: TensorSpec) -> tuple[list[float], list[float]]:
    """By channel of the model: value = scale * pixel + bias, for pixels of 0..255."""
    if spec.mean is not None and spec.std is not None:
        return [1 / (255 * std) for std in spec.std], [
            -mean / std for mean, std in zip(spec.mean, spec.std, strict=True)
        ]
    low, high = spec.range or (0.0, 1.0)
    return [(high - low) / 255] * 3, [low] * 3


def make_image_input(coremltools: Any, spec: TensorSpec) -> Any:
    """An input that takes a picture."""
    scales, bias = scale_and_bias(spec)
    # one number where it can be; by channel in the shape that the product with [1, 3, height, width] needs
    scale = scales[0] if len(set(scales)) == 1 else [[[[value]] for value in scales]]
    return coremltools.ImageType(name=spec.name, shape=spec.shape, scale=scale, bias=bias, color_layout=_colours(spec))


def make_image_output(coremltools: Any, spec: TensorSpec) -> Any:
    """An output that gives a picture; its values must be whole numbers of 0..255 (`give_pixels`)."""
    return coremltools.ImageType(name=spec.name, color_layout=_colours(spec))


def _colours(spec: TensorSpec) -> str:
    return spec.color_order or "RGB"


def give_pixels(program: ExportedProgram, outputs: tuple[TensorSpec, ...]) -> ExportedProgram:
    """The program with its pictures as whole numbers of 0..255, clamped and rounded half up; changed in place."""
    last = next(node for node in program.graph.nodes if node.op == "output")
    results = list(last.args[0])
    for number, spec in enumerate(outputs):
        if spec.kind != "image":
            continue
        with program.graph.inserting_before(last):
            pixels = _pixels(program, results[number], spec)
        program.graph_signature.replace_all_uses(results[number].name, pixels.name)
        results[number] = pixels
    last.args = (tuple(results),)
    program.graph_module.recompile()
    return program


def _pixels(program: ExportedProgram, node: Node, spec: TensorSpec) -> Node:
    import torch

    aten = torch.ops.aten

    def call(target: Any, like: Node, *args: Any) -> Node:
        made: Node = program.graph.call_function(target, args)
        made.meta = dict(like.meta)
        return made

    scales, bias = scale_and_bias(spec)
    pairs = list(zip(scales, bias, strict=True))

    def undo_scale(source: Node, scale: float, offset: float) -> Node:
        return call(aten.add.Tensor, source, call(aten.mul.Tensor, source, source, 1 / scale), -offset / scale + 0.5)

    if len(set(pairs)) == 1:
        scaled = undo_scale(node, *pairs[0])
    else:
        channels = []
        for channel, (scale, offset) in enumerate(pairs):
            part = call(aten.slice.Tensor, node, node, 1, channel, channel + 1)
            part.meta["val"] = node.meta["val"][:, channel : channel + 1]
            channels.append(undo_scale(part, scale, offset))
        scaled = call(aten.cat.default, node, channels, 1)
    # half a level is added already: the largest whole number below is the nearest level
    return call(aten.floor.default, node, call(aten.clamp.default, node, scaled, 0.0, 255.0))
