"""The bundle's network in LiteRT: the first variant whose golden comes out right here, one interpreter a worker."""

from __future__ import annotations

import io
from collections.abc import Mapping
from queue import Queue
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from builder.bundle import Bundle, Golden, TensorSpec, Variant
from builder.bundle.pictures import read_rgb
from builder.bundle.tensors import (
    as_golden,
    decode_pixels,
    encode_pixels,
    find_peak,
    fit_pixels,
    from_artifact,
    list_specs,
    measure_psnr_db,
    read_golden,
    to_artifact,
)
from builder.errors import BundleError

from .png import encode_png

ARTIFACT, DELEGATE = ".tflite", "xnnpack"  # what LiteRT executes on a processor
PICTURES = ("JPEG", "PNG", "WEBP")  # of what Pillow knows: for others, such as EPS, it starts programs
Tensors = Mapping[str, NDArray[Any]]


class Unfit(Exception):
    """A bundle that this server cannot serve; the message says what was tried."""


class Refused(Exception):
    """A picture or a parameter that cannot be processed."""


class Network:
    """Processes pictures; safe to call from `workers` threads at once."""

    def __init__(self, bundle: Bundle, variant: Variant, *, workers: int, threads: int) -> None:
        self.bundle, self.variant = bundle, variant
        self.inputs = {spec.name: spec for spec in list_specs(bundle.manifest.inputs, variant.inputs)}
        self.outputs = {spec.name: spec for spec in list_specs(bundle.manifest.outputs, variant.outputs)}
        self.picture = _find_first_picture(self.inputs)
        self.result = _find_first_picture(self.outputs)
        self._free: Queue[Any] = Queue()
        for _ in range(workers):
            self._free.put(_interpreter(bundle, variant, threads))

    def run(self, tensors: Tensors) -> dict[str, NDArray[Any]]:
        """Outputs by name in logical layout, for inputs in it."""
        bindings = {binding.name: binding for binding in self.variant.inputs}
        outputs = self._run({name: to_artifact(tensors[name], binding) for name, binding in bindings.items()})
        return {binding.name: from_artifact(outputs[binding.name], binding) for binding in self.variant.outputs}

    def _run(self, tensors: Tensors) -> dict[str, NDArray[Any]]:
        """The same in the artifact's own layout."""
        interpreter = self._free.get()
        try:
            given, wanted = interpreter.get_input_details(), interpreter.get_output_details()
            for binding in self.variant.inputs:
                interpreter.set_tensor(given[binding.index]["index"], tensors[binding.name])
            interpreter.invoke()
            return {b.name: interpreter.get_tensor(wanted[b.index]["index"]) for b in self.variant.outputs}
        finally:
            self._free.put(interpreter)

    def process(self, body: bytes, vectors: Mapping[str, list[float]], most_pixels: int) -> bytes:
        """A picture file in, a PNG out. Raises Refused."""
        plain = {
            name: _vector(spec, vectors.get(name)) for name, spec in self.inputs.items() if spec is not self.picture
        }
        if unknown := sorted(set(vectors) - set(plain)):
            raise Refused(f"there is no vector {unknown[0]!r}; this network has {', '.join(plain) or 'none'}.")
        pixels = fit_pixels(_picture(body, most_pixels), self.picture)
        given = {
            binding.name: to_artifact(plain[binding.name], binding)
            if binding.name in plain
            else encode_pixels(pixels, self.picture, binding)
            for binding in self.variant.inputs
        }
        made = self._run(given)[self.result.name]
        binding = next(binding for binding in self.variant.outputs if binding.name == self.result.name)
        return encode_png(decode_pixels(made, self.result, binding))

    def measure_golden_db(self) -> float | None:
        """Agreement with the variant's golden, None where it has none. Raises Unfit below what the bundle asks for."""
        expectations = [(golden, outputs) for golden in self.bundle.manifest.goldens for outputs in golden.expected]
        mine = next(((g, o) for g, o in expectations if o.variant == self.variant.id), None)
        if mine is None:
            return None
        golden, expected = mine
        outputs = self.run(self._read_golden_inputs(golden))
        worst = min(self._agreement(tensor.name, tensor, outputs) for tensor in expected.tensors)
        if not worst >= expected.min_psnr_db:
            raise Unfit(f"its golden picture came out wrong ({worst:.1f} dB, at least {expected.min_psnr_db:g} dB)")
        return worst

    def _read_golden_inputs(self, golden: Golden) -> Tensors:
        return {t.name: read_golden(self.bundle.root, t, self.inputs[t.name]) for t in golden.inputs}

    def _agreement(self, name: str, tensor: Any, outputs: Tensors) -> float:
        spec = self.outputs[name]
        wanted = read_golden(self.bundle.root, tensor, spec)
        got = np.asarray(outputs[name], np.float32)
        if not np.isfinite(got).all():
            return -200.0
        return float(measure_psnr_db(as_golden(got, spec, tensor.encoding), wanted, find_peak(spec, wanted)))


def open_network(bundle: Bundle, *, workers: int, threads: int) -> tuple[Network, float | None, list[str]]:
    """The first TFLite variant for processors that loads and passes, its agreement, and what was passed over. Raises Unfit."""
    passed: list[str] = []
    for variant in bundle.manifest.variants:
        if not variant.file.endswith(ARTIFACT) or variant.delegate != DELEGATE:
            continue
        try:
            network = Network(bundle, variant, workers=workers, threads=threads)
            return network, network.measure_golden_db(), passed
        except (Unfit, ValueError, RuntimeError) as error:
            passed.append(f"{variant.id}: {error}")
    raise Unfit(
        f"no variant of this bundle works here. {'; '.join(passed) or 'It has no TFLite variant for processors'}."
    )


def _interpreter(bundle: Bundle, variant: Variant, threads: int) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(bundle.path(variant.file)), num_threads=threads)
    interpreter.allocate_tensors()
    return interpreter


def _find_first_picture(specs: Mapping[str, TensorSpec]) -> TensorSpec:
    picture = next((spec for spec in specs.values() if spec.kind == "image"), None)
    if picture is None:
        raise Unfit("this network has no picture as input and output, which is what this server takes and gives")
    return picture


def _picture(body: bytes, most_pixels: int) -> Image.Image:
    """Only its head is read before its size is known. Raises Refused."""
    try:
        with Image.open(io.BytesIO(body), formats=PICTURES) as head:
            width, height = head.size
    except Image.DecompressionBombError as error:
        raise Refused(
            f"the picture has far more than the {most_pixels:,} pixels that are taken; make it smaller."
        ) from error
    except Exception as error:  # a damaged file fails in many ways inside Pillow
        raise Refused("the body is not a picture that can be read; send a JPEG, PNG or WebP.") from error
    if width * height > most_pixels:
        raise Refused(f"the picture has {width * height:,} pixels, at most {most_pixels:,} are taken; make it smaller.")
    try:
        return read_rgb(io.BytesIO(body), name="the picture")
    except BundleError as error:
        raise Refused(str(error)) from error


def _vector(spec: TensorSpec, given: list[float] | None) -> NDArray[Any]:
    length = int(np.prod(spec.shape))
    values = given if given is not None else [1.0, *[0.0] * (length - 1)]
    if len(values) != length or not np.isfinite(values).all():
        raise Refused(f"the vector {spec.name!r} takes {length} finite numbers.")
    return np.asarray(values, spec.dtype).reshape(spec.shape)
