"""Readable, short tensor names: a layer's output is its FQN, so that a file, a profile and a recipe speak of the same layer."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from builder.backends.tflite.flatbuffer import read_text
from builder.backends.tflite.graph import BIAS, WEIGHT, name_op
from builder.backends.tflite.match import Use, name_use


def name_tensors(model: Any, layers: Mapping[str, tuple[Use, ...]], borders: Mapping[int, str]) -> None:
    """Name every tensor of a float model: layers by FQN, inputs and outputs by `borders` (tensor index -> name), others by op.

    Each layer gets a weight tensor of its own, and each of its calls a bias tensor (constants stay shared): the quantizer
    would otherwise have to give one tensor the settings of two layers. The signature speaks of `borders` too.
    """
    main = model.subgraphs[0]
    wanted = _choose_own_names(main, layers)
    for index, name in borders.items():
        wanted.setdefault(index, name)
    for op in main.operators:
        for index in op.outputs:
            wanted.setdefault(int(index), name_op(model.operatorCodes[op.opcodeIndex]).lower())
    for signature in model.signatureDefs or []:
        for entry in (*signature.inputs, *signature.outputs):
            entry.name = borders[int(entry.tensorIndex)]
    places = _drop_unused(model, main)
    names: dict[int, str] = {}
    for index, name in (*wanted.items(), *((index, "const") for index in places)):
        if index in places and places[index] not in names:
            names[places[index]] = name
    taken = {read_text(tensor.name) for subgraph in model.subgraphs[1:] for tensor in subgraph.tensors}
    for index, name in names.items():
        main.tensors[index].name = _unique(name, taken)


def _choose_own_names(main: Any, layers: Mapping[str, tuple[Use, ...]]) -> dict[int, str]:
    """The names of the layers' own tensors, in order of preference: where two tensors want one name, the first gets it."""
    wanted: dict[int, str] = {}
    for layer, uses in layers.items():
        weight = _copy_tensor(main, int(main.operators[uses[0].op.index].inputs[WEIGHT]))
        wanted[weight] = f"{layer}.weight"
        for number, use in enumerate(uses):
            op = main.operators[use.op.index]
            op.inputs[WEIGHT] = weight
            wanted[int(op.outputs[0])] = name_use(layer, number)
            place = BIAS[use.op.name]
            if len(op.inputs) > place and op.inputs[place] >= 0:
                op.inputs[place] = _copy_tensor(main, int(op.inputs[place]))
                wanted[int(op.inputs[place])] = f"{name_use(layer, number)}.bias"
    return wanted


def _copy_tensor(main: Any, index: int) -> int:
    """A copy of a constant's tensor (the constant itself stays shared); its index."""
    main.tensors.append(copy.copy(main.tensors[index]))
    return len(main.tensors) - 1


def _drop_unused(model: Any, main: Any) -> dict[int, int]:
    """Remove tensors that nothing refers to; the new index of each one that stays."""
    used = {int(index) for op in main.operators for index in (*op.inputs, *op.outputs) if index >= 0}
    kept = sorted(used | {int(index) for index in (*main.inputs, *main.outputs)})
    places = {before: after for after, before in enumerate(kept)}
    main.tensors = [main.tensors[before] for before in kept]
    for op in main.operators:
        op.inputs = [places[int(index)] if index >= 0 else -1 for index in op.inputs]
        op.outputs = [places[int(index)] for index in op.outputs]
    main.inputs = [places[int(index)] for index in main.inputs]
    main.outputs = [places[int(index)] for index in main.outputs]
    for signature in model.signatureDefs or []:
        for entry in (*signature.inputs, *signature.outputs):
            entry.tensorIndex = places[int(entry.tensorIndex)]
    return places


def _unique(name: str, taken: set[str]) -> str:
    number, chosen = 1, name
    while chosen in taken:
        number += 1
        chosen = f"{name}_{number}"
    taken.add(chosen)
    return chosen
