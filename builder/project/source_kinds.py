"""Files and callables that a model can come from, by kind."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

SourceKind = Literal["factory", "exported", "torchscript", "onnx", "keras", "tensorflow"]
# Files that carry their weights themselves, by suffix; a directory is a TensorFlow SavedModel.
WHOLE_MODELS: dict[str, SourceKind] = {
    ".pt2": "exported", ".onnx": "onnx", ".keras": "keras", ".h5": "keras", ".ts": "torchscript", ".pt": "torchscript",
}  # fmt: skip
# Packages that decide what an import gives.
IMPORT_PACKAGES: dict[SourceKind, tuple[str, ...]] = {
    "onnx": ("onnx", "onnxruntime", "onnxsim"),
    "keras": ("keras", "h5py", "onnx", "onnxruntime", "onnxsim"),
    "tensorflow": ("onnx", "onnxruntime", "onnxsim"),
}


# Whole models that may have been trained for integers.
CARRY_INTEGERS: tuple[SourceKind, ...] = ("exported", "onnx")


def find_source_kind(source: str) -> SourceKind:
    """By its suffix; `module:callable` is a factory, a name without a suffix a SavedModel's directory."""
    if ":" in source:
        return "factory"
    return WHOLE_MODELS.get(Path(source).suffix, "tensorflow")


# Files of weights alone; `.tar` is the end of `.pth.tar`.
CHECKPOINTS = (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".tar")
# As `checkpoint`: the factory loads its weights itself.
OWN_WEIGHTS = "factory"
MODEL_FILES = tuple(dict.fromkeys((*WHOLE_MODELS, *CHECKPOINTS)))
