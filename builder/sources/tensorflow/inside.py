"""Runs in the TensorFlow environment, which knows nothing of ours: converts a model to ONNX, or gives its outputs.

    python inside.py convert|run MODEL FOLDER REQUEST

REQUEST is JSON: `inputs` [name, logical NCHW shape, dtype] and `outputs` [name] as builder.toml has them. `convert` writes
FOLDER/model.onnx; `run` reads FOLDER/NNNN.in.npz and writes FOLDER/NNNN.out.npz. The last line on stdout is JSON: `version` of
TensorFlow, or `error`, a sentence.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

# A version of ONNX' operators that tf2onnx writes and our importer has in full.
OPSET = 17


class Refused(Exception):
    """What a user has to change, as a sentence."""


def main(mode: str, model: Path, folder: Path, request: dict[str, Any]) -> dict[str, str]:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # its kernels round otherwise by machine
    import tensorflow as tf

    call, signature, keep = open_model(tf, model)
    order = bind(signature, request["inputs"])

    def forward(*values: Any) -> list[Any]:
        results = call(dict(zip([name for name, _, _ in order], values, strict=True)))
        return sort_outputs(results, request["outputs"])

    specs = [
        tf.TensorSpec(shape, dtype, name=given)
        for (_, shape, dtype), given in zip(order, list_names(request), strict=True)
    ]
    function = tf.function(forward, input_signature=specs)
    if mode == "convert":
        import tf2onnx

        tf2onnx.convert.from_function(
            function, input_signature=specs, opset=OPSET, output_path=str(folder / "model.onnx"), large_model=False
        )
    else:
        run(function, order, list_names(request), folder)
    del keep  # the loaded object owns the variables until here
    return {"version": tf.__version__}


def list_names(request: dict[str, Any]) -> list[str]:
    return [name for name, _, _ in request["inputs"]]


def open_model(tf: Any, path: Path) -> tuple[Any, dict[str, Any], Any]:
    """A call of tensors by name, the inputs' specs by name in order, and what must stay alive."""
    if path.is_dir():
        loaded = tf.saved_model.load(str(path))
        signatures = dict(loaded.signatures)
        if not signatures:
            raise Refused("the SavedModel has no signature; save it with a 'serving_default' signature")
        signature = signatures.get("serving_default") or next(iter(signatures.values()))
        return (lambda values: signature(**values)), dict(signature.structured_input_signature[1]), loaded
    import tf_keras

    model = tf_keras.models.load_model(path, compile=False, **({"safe_mode": True} if path.suffix == ".keras" else {}))
    specs = {tensor.name.split(":")[0]: tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in model.inputs}

    def call(values: dict[str, Any]) -> Any:
        given = list(values.values())
        results = model(given[0] if len(given) == 1 else given, training=False)
        if isinstance(results, dict):
            return results
        return dict(zip(model.output_names, results if isinstance(results, (list, tuple)) else [results]))  # noqa: B905

    return call, specs, model


def bind(signature: dict[str, Any], inputs: list[Any]) -> list[tuple[str, tuple[int, ...], str]]:
    """The model's input name, its shape there and its type, in the order of builder.toml."""
    if len(signature) != len(inputs):
        raise Refused(
            f"the model has {len(signature)} inputs ({', '.join(signature)}) but builder.toml names {len(inputs)}"
        )
    bound = []
    for name, shape, dtype in inputs:
        key = name if name in signature else next(iter(signature)) if len(inputs) == 1 else None
        if key is None:
            raise Refused(f"the model has no input {name!r}; its inputs are {', '.join(signature)}")
        spec = signature[key]
        has = None if spec.shape.rank is None else spec.shape.as_list()
        wanted = [shape[0], *shape[2:], shape[1]] if len(shape) == 4 else list(shape)
        fitting = [candidate for candidate in (wanted, list(shape)) if fits(has, candidate)]
        if not fitting:
            raise Refused(
                f"the model takes {has} for input {name!r} but builder.toml says {shape} (NHWC is described as NCHW)"
            )
        if spec.dtype.name != dtype:
            raise Refused(f"the model takes {spec.dtype.name} for input {name!r} but builder.toml says {dtype}")
        bound.append((key, tuple(fitting[0]), dtype))
    return bound


def fits(has: list[int | None] | None, shape: list[int]) -> bool:
    return has is None or (len(has) == len(shape) and all(a is None or a == b for a, b in zip(has, shape, strict=True)))


def sort_outputs(results: Any, wanted: list[str]) -> list[Any]:
    """By the names of builder.toml where the model has all of them, else in the order of its names."""
    if len(results) != len(wanted):
        raise Refused(
            f"the model has {len(results)} outputs ({', '.join(results)}) but builder.toml names {len(wanted)}"
        )
    return [results[name] for name in (wanted if set(wanted) == set(results) else sorted(results))]


def run(function: Any, order: list[tuple[str, tuple[int, ...], str]], given: list[str], folder: Path) -> None:
    import numpy as np

    for path in sorted(folder.glob("*.in.npz")):
        with np.load(path) as archive:
            values = [archive[name] for name in given]
        turned = [
            v if v.shape == shape else v.transpose(0, 2, 3, 1) for v, (_, shape, _) in zip(values, order, strict=True)
        ]
        outputs = function(*turned)
        np.savez(path.with_name(path.name.replace(".in.", ".out.")), *[np.asarray(o) for o in outputs])


if __name__ == "__main__":
    try:
        print("\n" + json.dumps(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), json.loads(sys.argv[4]))))
    except Refused as error:
        print("\n" + json.dumps({"error": str(error)}))
