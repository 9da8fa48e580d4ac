"""A small valid bundle directory from tests/small_models.py: two TFLite variants (the app may fall back), one for ExecuTorch, a picture golden."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from builder.bundle import (
    Bundle,
    FileHash,
    Golden,
    GoldenOutputs,
    GoldenTensor,
    Manifest,
    ModelInfo,
    TensorSpec,
    Tool,
    hash_file,
    list_tree,
)
from builder.bundle.tensors import make_pixels, make_tensor, write_picture
from tests.small_models import SHAPE, SmallModels, make_small_models, make_unopened_models

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IMAGE = TensorSpec(name="image", kind="image", shape=SHAPE, color_order="RGB", range=(0.0, 1.0), resize="center_crop")
STYLIZED = TensorSpec(name="stylized", kind="image", shape=SHAPE, color_order="RGB", range=(0.0, 1.0))


def make_bundle(root: Path) -> Bundle:
    """Write the bundle to `root`; the golden's expectation is what LiteRT computes here and now."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the converters, when the models are made for the first time
        models = make_small_models()
    pixels = make_pixels(models.input, IMAGE)
    return _write(root, models, run_tflite(models.tflite, make_tensor(pixels, IMAGE)))


def make_unopened_bundle(root: Path) -> Bundle:
    """The same, of which nothing can be executed: for tests that look at a bundle alone. No converter is started for it."""
    models = make_unopened_models(root.parent / f"{root.name}-files")
    return _write(root, models, models.output)


def _write(root: Path, models: SmallModels, output: NDArray[np.float32]) -> Bundle:
    pixels, expected = make_pixels(models.input, IMAGE), make_pixels(output, STYLIZED)
    (root / "variants").mkdir(parents=True)
    (root / "golden").mkdir()
    shutil.copy(models.tflite, root / "variants" / "first.tflite")
    shutil.copy(models.tflite, root / "variants" / "second.tflite")
    shutil.copy(models.executorch, root / "variants" / "small.pte")
    write_picture(root / "golden" / "0-image.png", pixels)
    write_picture(root / "golden" / "0-stylized.png", expected)
    tflite = models.variant("tflite")
    variants = (
        tflite.model_copy(update={"id": "tflite-first", "file": "variants/first.tflite"}),
        tflite.model_copy(update={"id": "tflite-second", "file": "variants/second.tflite"}),
        models.variant("executorch").model_copy(update={"file": "variants/small.pte"}),
    )
    stylized = (GoldenTensor(name="stylized", file="golden/0-stylized.png", encoding="png"),)
    golden = Golden(
        id="0",
        inputs=(GoldenTensor(name="image", file="golden/0-image.png", encoding="png"),),
        expected=tuple(GoldenOutputs(variant=v.id, tensors=stylized, min_psnr_db=45.0) for v in variants),
    )
    manifest = Manifest(
        schema_=1,
        model=ModelInfo(name="small", version="1", licence="Apache-2.0", checkpoint_sha256="0" * 64),
        inputs=(IMAGE,),
        outputs=(STYLIZED,),
        variants=variants,
        goldens=(golden,),
        files=tuple(FileHash(file=p.relative_to(root).as_posix(), sha256=hash_file(p)) for p in list_tree(root)),
        tools=(Tool(name="litert-torch", version="0.10.0"),),
        licences=("Apache-2.0",),
    )
    (root / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    return Bundle.open(root)


def run_tflite(model: Path, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
    """What LiteRT gives for one input of the small model."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(model), num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tensor)
    interpreter.invoke()
    result: NDArray[np.float32] = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return result
