"""A functional Keras model as steps: known layers in NCHW, everything else run as it is between two permutes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.errors import UnsupportedOperation
from builder.precision.program import in_list
from builder.sources.keras.layers import LAYERS, TO_NCHW, TO_NHWC
from builder.sources.network import Call, Imported, Step, Weight

if TYPE_CHECKING:
    from torch import Tensor


def rebuild(model: Any, samples: Sequence[Tensor]) -> tuple[Imported, tuple[str, ...]]:
    """The model as steps, run once on NCHW samples in the order of its inputs; and the layers that are islands.

    Raises UnsupportedOperation naming the layer that cannot be taken.
    """
    import torch

    builder = _Builder()
    inputs = tuple(f"input {number}" for number in range(len(samples)))
    builder.samples.update(zip(inputs, samples, strict=True))
    with torch.no_grad():
        outputs = builder.walk(model, list(inputs), prefix="")
    imported = Imported(
        inputs=inputs,
        outputs=tuple(outputs),
        steps=tuple(builder.steps),
        stored=builder.stored,
        tensors=builder.tensors,
    )
    return imported, tuple(builder.islands)


def read_functional(model: Any, name: str) -> Any:
    """The graph of a functional or sequential model. Raises UnsupportedOperation for a model that is code."""
    import keras

    if isinstance(model, keras.Sequential):
        return model._functional
    if not hasattr(model, "_nodes_by_depth"):
        raise UnsupportedOperation(
            f"the Keras model {name!r} is a subclass of Model, whose graph is code; rebuild it with the functional API."
        )
    return model


class _Builder:
    def __init__(self) -> None:
        self.samples: dict[str, Tensor] = {}
        self.steps: list[Step] = []
        self.stored: dict[str, str] = {}
        self.tensors: dict[str, Tensor] = {}
        self.islands: list[str] = []

    def walk(self, model: Any, inputs: list[str], prefix: str) -> list[str]:
        """Values of a model's outputs, given those of its inputs. `prefix` is the dotted path of the models around it."""
        import keras

        graph = read_functional(model, prefix or model.name)
        values = {id(tensor): value for tensor, value in zip(keras.tree.flatten(graph._inputs), inputs, strict=True)}
        for depth in sorted(graph._nodes_by_depth, reverse=True):
            for node in graph._nodes_by_depth[depth]:
                if node.is_input:
                    continue
                given = [values[id(tensor)] for tensor in node.arguments.keras_tensors]
                made = self._add(node, given, values, prefix)
                values.update((id(tensor), value) for tensor, value in zip(node.outputs, made, strict=True))
        return [values[id(tensor)] for tensor in keras.tree.flatten(graph._outputs)]

    def _add(self, node: Any, given: list[str], values: dict[int, str], prefix: str) -> list[str]:
        import keras

        layer = node.operation
        name = f"{prefix}{layer.name.replace('.', '_').replace('/', '_')}"
        if isinstance(layer, keras.Model):
            return self.walk(layer, given, prefix=f"{name}.")
        if getattr(layer, "data_format", "channels_last") != "channels_last":
            raise UnsupportedOperation(
                f"layer {name!r} of the Keras model is channels_first, which is not supported; build the model with channels_last."
            )
        shapes = [tuple(self.samples[value].shape) for value in given]
        # Operations of keras.ops share names with layers, but take constants.
        kind, own = type(layer).__name__, isinstance(layer, keras.Layer) and type(layer).__module__.startswith("keras.")
        call = LAYERS[kind](layer, name, given, shapes) if own and kind in LAYERS else None
        if call is None:
            self.islands.append(f"{name} ({kind})")
            call = _island(node, given, len(keras.tree.flatten(node.outputs)))
        operands = [self._operand(operand) for operand in call.operands]
        result = call.function(*(None if o is None else self._tensor(o) for o in operands))
        results = in_list(result)
        outputs = [f"{len(self.steps)}.{number} {name}" for number in range(len(results))]
        self.samples.update(zip(outputs, results, strict=True))
        self.steps.append(Step(node=name, op=kind, call=call, operands=tuple(operands), outputs=tuple(outputs)))
        return outputs

    def _operand(self, operand: str | Weight | None) -> str | None:
        """Stored tensors are kept by their name: a layer that is called twice is one layer."""
        if not isinstance(operand, Weight):
            return operand
        path = operand.origin or operand.role
        if path not in self.tensors:
            self.tensors[path] = operand.value
            self.stored[path] = path
        return path

    def _tensor(self, name: str) -> Tensor:
        return self.tensors[name] if name in self.tensors else self.samples[name]


def _island(node: Any, given: list[str], count: int) -> Call:
    """The layer itself, on tensors as Keras lays them out; constants and keywords of the call stay as they were."""
    import keras

    tensors = list(node.arguments.keras_tensors)

    def run(*inputs: Tensor) -> Any:
        values = {id(t): x.permute(TO_NHWC) if x.ndim == 4 else x for t, x in zip(tensors, inputs, strict=True)}
        arguments, keywords = node.arguments.fill_in(values)
        raw = keras.tree.flatten(node.operation(*arguments, **keywords))
        results = tuple(y.permute(TO_NCHW) if y.ndim == 4 else y for y in raw)
        return results[0] if count == 1 else results

    return Call(function=run, operands=tuple(given))
