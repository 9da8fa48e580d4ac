"""ONNX Runtime as the reference of an import: the file as it is, and every value inside a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from builder.errors import SourceError, find_reason
from builder.sources.onnx.bound import TO_NCHW, TO_NHWC, BoundInput, BoundOutput

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

    Array = NDArray[np.generic]
    Tensors = dict[str, Array]

# Inner values that one run gives: they are held in memory together.
AT_ONCE = 64


def describe_runtime() -> str:
    import onnxruntime

    return f"ONNX Runtime {onnxruntime.__version__}"


class Reference:
    """The file in ONNX Runtime, by default without optimization: what it says, not what a fused kernel makes of it.

    Logical tensors by the names of builder.toml in and out; `nhwc` are outputs to turn.
    """

    def __init__(
        self, path: Path, inputs: Sequence[BoundInput], outputs: Sequence[BoundOutput], *, optimized: bool = False
    ) -> None:
        self._session = _session(path, optimized=optimized)
        self._inputs, self._outputs = inputs, outputs
        self.nhwc: set[str] = set()

    def __call__(self, sample: Tensors) -> Tensors:
        values = self.raw(sample)
        return {name: value.transpose(TO_NCHW) if name in self.nhwc else value for name, value in values.items()}

    def raw(self, sample: Tensors) -> Tensors:
        """Outputs in the layout of the graph. Raises SourceError when the runtime rejects the shapes."""
        feed = {b.value: _as_stored(sample[b.name], b) for b in self._inputs}
        try:
            results = self._session.run([b.value for b in self._outputs], feed)
        except Exception as error:  # the runtime's errors have no common base but this
            raise SourceError(
                f"ONNX Runtime rejects inputs of the shapes in builder.toml: {find_reason(error)}; correct 'shape' of the inputs."
            ) from error
        values = {b.name: np.asarray(value) for b, value in zip(self._outputs, results, strict=True)}
        return {name: value.astype(np.float32) if value.dtype.kind == "f" else value for name, value in values.items()}


def _as_stored(value: Array, bound: BoundInput) -> Array:
    """A logical value as the file takes it."""
    turned = value.transpose(TO_NHWC) if bound.nhwc else value
    return (_whole(turned, bound.stored) if bound.whole else turned).astype(bound.stored)


def round_sample(sample: Tensors, inputs: Sequence[BoundInput]) -> Tensors:
    """The sample with whole numbers where the file takes them, which the import takes as floats."""
    return sample | {b.name: _whole(sample[b.name], b.stored) for b in inputs if b.whole}


def _whole(value: Array, kind: str) -> Array:
    """The nearest numbers of a type, as floats still."""
    return np.clip(np.rint(value), np.iinfo(kind).min, np.iinfo(kind).max)


def _session(model: Path | bytes, *, optimized: bool = False) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 2
    try:
        return onnxruntime.InferenceSession(
            str(model) if isinstance(model, Path) else model, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # the runtime's errors have no common base but this
        raise SourceError(f"ONNX Runtime cannot load the model: {find_reason(error)}; export it again.") from error


def compute_inner_values(model: ModelProto, feed: Mapping[str, Array], names: Sequence[str]) -> Tensors:
    """Values inside a graph, by name. Few at once, as all of a large picture's would not fit."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    present = {value.name for value in copy.graph.output}
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in present)
    session = _session(copy.SerializeToString())
    results = session.run(list(names), dict(feed))
    return dict(zip(names, results, strict=True))


def make_jittered(
    model: ModelProto, names: Sequence[str], outputs: Sequence[str], seed: int
) -> Callable[[Tensors], Tensors]:
    """A simplified graph whose stored floats are each moved by at most their last bit: what no import can be nearer than.

    Input noise alone does not show this in a quantized network, whose first quantizer swallows it. `names` and `outputs`
    are those of builder.toml in the order of the graph's.
    """
    import onnx
    from onnx import numpy_helper

    generator = np.random.default_rng(seed)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        if tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16):
            value = numpy_helper.to_array(tensor)
            towards = generator.choice(np.array([-np.inf, np.inf], value.dtype), value.shape)
            tensor.CopyFrom(numpy_helper.from_array(np.nextafter(value, towards), tensor.name))
    session = _session(copy.SerializeToString())
    values = [value.name for value in copy.graph.input]

    def run(sample: Tensors) -> Tensors:
        results = session.run(None, {value: sample[name] for value, name in zip(values, names, strict=False)})
        return dict(zip(outputs, results, strict=True))

    return run


def runs(model: ModelProto, feed: Mapping[str, Array]) -> bool:
    """Whether a graph takes inputs of these shapes."""
    try:
        _session(model.SerializeToString()).run(None, dict(feed))
    except Exception:  # the runtime's errors have no common base but this; that it fails is the answer
        return False
    return True
