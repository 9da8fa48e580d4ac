"""The goldens of a package: what variants must give, as sparse pictures of a sixteenth of the bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from builder.bundle import Bundle, Golden, GoldenOutputs, GoldenTensor
from builder.bundle.sparse import LEAST, sample_pixels
from builder.bundle.tensors import encode_png, list_specs, read_picture


def make_sparse_goldens(bundle: Bundle, goldens: Sequence[Golden]) -> tuple[tuple[Golden, ...], dict[str, bytes]]:
    """The goldens with sparse expected pictures, and these files by name. Pictures that several variants share stay shared."""
    made: dict[str, bytes] = {}
    return tuple(
        golden.model_copy(
            update={"expected": tuple(_make_sparse_outputs(bundle, outputs, made) for outputs in golden.expected)}
        )
        for golden in goldens
    ), made


def _make_sparse_outputs(bundle: Bundle, outputs: GoldenOutputs, made: dict[str, bytes]) -> GoldenOutputs:
    variant = bundle.variant(outputs.variant)
    specs = {spec.name: spec for spec in list_specs(bundle.manifest.outputs, variant.outputs)}
    tensors = []
    for tensor in outputs.tensors:
        spec = specs[tensor.name]
        if tensor.encoding != "png" or min(spec.shape[-2:]) < LEAST:
            tensors.append(tensor)
            continue
        name = PurePosixPath(tensor.file).with_suffix(".sparse.png").as_posix()
        if name not in made:
            made[name] = encode_png(sample_pixels(read_picture(bundle.path(tensor.file), spec)))
        tensors.append(GoldenTensor(name=tensor.name, file=name, encoding="png_sparse"))
    return outputs.model_copy(update={"tensors": tuple(tensors)})
