"""A bundle of a network with three outputs: a picture, a mask of one channel, and scores of labels; and one whose only output is scores."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from builder import process
from builder.bundle import (
    Binding,
    Bundle,
    FileHash,
    Golden,
    GoldenOutputs,
    GoldenTensor,
    TensorSpec,
    hash_file,
    list_tree,
)
from builder.bundle.tensors import make_pixels, make_tensor, write_picture
from builder.storage import cache
from tests.bundles import IMAGE, STYLIZED, make_bundle

LABELS = ("cat", "dog", "house", "tree", "boat")
SIDE = 64
STEP = "test-several-outputs"
CONVERT_S = 300.0
MASK = TensorSpec(name="mask", kind="tensor", shape=(1, 1, SIDE, SIDE))
SCORES = TensorSpec(name="scores", kind="vector", shape=(1, len(LABELS)), labels=LABELS)


def make_several_outputs(root: Path) -> Bundle:
    """Picture, mask and scores."""
    return _bundle(root, "several", (STYLIZED, MASK, SCORES))


def classifier(root: Path) -> Bundle:
    """Scores alone."""
    return _bundle(root, "classifier", (SCORES,))


def _bundle(root: Path, which: str, outputs: tuple[TensorSpec, ...]) -> Bundle:
    made = make_bundle(root.with_name(f"{root.name}-small"))
    model = _converted() / f"{which}.tflite"
    pixels = make_pixels(np.random.default_rng(3).random((1, 3, SIDE, SIDE), np.float32), IMAGE)
    values, order = _run(model, make_tensor(pixels, IMAGE))
    (root / "variants").mkdir(parents=True)
    (root / "golden").mkdir()
    shutil.copy(model, root / "variants" / "first.tflite")
    write_picture(root / "golden" / "image.png", pixels)
    tensors = []
    for spec in outputs:
        file = root / "golden" / f"{spec.name}.f32"
        file.write_bytes(values[spec.shape].astype("<f4").tobytes())
        tensors.append(GoldenTensor(name=spec.name, file=f"golden/{file.name}", encoding="f32"))
    variant = made.manifest.variants[0].model_copy(
        update={
            "file": "variants/first.tflite",
            "bytes": model.stat().st_size,
            "sha256": hash_file(model),
            "outputs": tuple(
                Binding(
                    name=s.name, index=order[s.shape], layout="plain" if s.kind == "vector" else "NCHW", shape=s.shape
                )
                for s in outputs
            ),
        }
    )
    golden = Golden(
        id="0",
        inputs=(GoldenTensor(name="image", file="golden/image.png", encoding="png"),),
        expected=(GoldenOutputs(variant=variant.id, tensors=tuple(tensors), min_psnr_db=45.0),),
    )
    manifest = made.manifest.model_copy(
        update={
            "outputs": outputs,
            "variants": (variant,),
            "goldens": (golden,),
            "files": tuple(FileHash(file=p.relative_to(root).as_posix(), sha256=hash_file(p)) for p in list_tree(root)),
        }
    )
    (root / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    return Bundle.open(root)


def _run(model: Path, tensor: Any) -> tuple[dict[tuple[int, ...], Any], dict[tuple[int, ...], int]]:
    """Each output and its place in the file, by its shape: no two are alike."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(model), num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tensor)
    interpreter.invoke()
    details = interpreter.get_output_details()
    shapes = [tuple(int(n) for n in d["shape"]) for d in details]
    values = {shape: interpreter.get_tensor(d["index"]) for shape, d in zip(shapes, details, strict=True)}
    return values, {shape: number for number, shape in enumerate(shapes)}


def _converted() -> Path:
    """Both models, made once in a process of their own: the converter warns a lot."""
    key = cache.make_content_key([hash_file(Path(__file__))])
    with cache.hold_lock(f"{STEP}-{key}"):
        if not cache.locate(STEP, key).is_dir():
            with cache.publishing(STEP, key) as work:
                argv: list[str | Path] = [sys.executable, "-m", "tests.android.several", work]
                process.run(argv, timeout_s=CONVERT_S, cwd=Path(__file__).parents[2])
    return cache.locate(STEP, key)


def convert(folder: Path) -> None:
    import litert_torch
    import torch

    torch.manual_seed(11)

    class Several(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.picture = torch.nn.Conv2d(3, 3, 3, padding=1)
            self.mask = torch.nn.Conv2d(3, 1, 3, padding=1)
            self.scores = torch.nn.Linear(3, len(LABELS))

        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            seen = torch.sigmoid(self.picture(image))
            return seen, torch.sigmoid(self.mask(image)), self.scores(seen.mean((2, 3)))

    class Classifier(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.all = Several()

        def forward(self, image: torch.Tensor) -> Any:
            return self.all(image)[2]

    image = (torch.rand(1, 3, SIDE, SIDE),)
    litert_torch.convert(Several().eval(), image).export(str(folder / "several.tflite"))
    litert_torch.convert(Classifier().eval(), image).export(str(folder / "classifier.tflite"))


if __name__ == "__main__":
    convert(Path(sys.argv[1]))
