"""A small, real bundle made of tests/small_models.py: a TFLite and an ExecuTorch artifact with a golden, and a Core ML one.

And the same without networks, for tests that read a bundle and execute nothing of it: no converter is started for those.
"""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np

from builder.bundle import (
    Coverage,
    FileHash,
    Golden,
    GoldenOutputs,
    GoldenTensor,
    LayerPrecision,
    Manifest,
    ModelInfo,
    Quality,
    TensorSpec,
    Tool,
    Variant,
    count_tree_bytes,
    hash_file,
    hash_tree,
    list_tree,
)
from builder.bundle.tensors import make_pixels, write_picture
from tests.small_models import SHAPE, SmallModels, make_small_models, make_unopened_models

IMAGE = TensorSpec(name="image", kind="image", shape=SHAPE, color_order="RGB", range=(0.0, 1.0), resize="center_crop")
STYLIZED = TensorSpec(name="stylized", kind="image", shape=SHAPE, color_order="RGB", range=(0.0, 1.0))
COREML = "variants/small.mlpackage"


def converted() -> SmallModels:
    """The converters warn of their own affairs when the models are made for the first time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_small_models()


def make_small_bundle(root: Path) -> Path:
    """A bundle directory; the file of its Core ML variant is no program, since nothing on Linux may open it."""
    return _fill(root, converted())


def make_unopened_bundle(root: Path) -> Path:
    """The same, of which no variant can be executed."""
    return _fill(root, make_unopened_models(root.parent / f"{root.name}-files"))


def _fill(root: Path, models: SmallModels) -> Path:
    (root / "variants").mkdir(parents=True)
    (root / "golden").mkdir()
    shutil.copy(models.tflite, root / "variants" / models.tflite.name)
    shutil.copy(models.executorch, root / "variants" / models.executorch.name)
    (root / COREML).mkdir()
    (root / COREML / "Manifest.json").write_text("{}\n", encoding="utf-8")
    (root / "golden" / "0-image.f32").write_bytes(np.ascontiguousarray(models.input, "<f4").tobytes())
    write_picture(root / "golden" / "0-stylized.png", make_pixels(models.output, STYLIZED))
    _describe(root, models)
    return root


def write_manifest(root: Path, *, min_psnr_db: float = 45.0, delegate: str = "xnnpack") -> Manifest:
    """(Re)write manifest.json for the files that are in `root`."""
    return _describe(root, converted(), min_psnr_db=min_psnr_db, delegate=delegate)


def _describe(root: Path, models: SmallModels, *, min_psnr_db: float = 45.0, delegate: str = "xnnpack") -> Manifest:
    variants = (
        _variant(root, models.variant("tflite"), delegate),
        _variant(root, models.variant("executorch"), delegate),
        _variant(
            root,
            models.variant("tflite").model_copy(update={"id": "coreml-fp32", "backend": "coreml", "file": COREML}),
            "all",
        ),
    )
    expected = (GoldenTensor(name="stylized", file="golden/0-stylized.png", encoding="png"),)
    golden = Golden(
        id="0",
        inputs=(GoldenTensor(name="image", file="golden/0-image.f32", encoding="f32"),),
        expected=tuple(
            GoldenOutputs(variant=variant.id, tensors=expected, min_psnr_db=min_psnr_db) for variant in variants
        ),
    )
    files = [path for path in list_tree(root) if path.name != "manifest.json"]
    manifest = Manifest(
        schema_=1,
        model=ModelInfo(name="small", version="1", licence="Apache-2.0", checkpoint_sha256="0" * 64),
        inputs=(IMAGE,),
        outputs=(STYLIZED,),
        variants=variants,
        goldens=(golden,),
        files=tuple(FileHash(file=path.relative_to(root).as_posix(), sha256=hash_file(path)) for path in files),
        tools=(Tool(name="litert-torch", version="0.10.0"), Tool(name="executorch", version="1.5.1")),
        licences=("Apache-2.0",),
    )
    (root / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    return manifest


def _variant(root: Path, variant: Variant, delegate: str) -> Variant:
    """The variant as a builder would describe it: with layers, one of them fallen back, and quality figures."""
    layers = [LayerPrecision(layer=name, op="conv2d", requested="fp32", realised="fp32") for name in ("0", "2")]
    layers.append(
        LayerPrecision(
            layer="4", op="conv2d", requested="static_wi8_ai8", realised="fp32", fallback="the delegate takes no int8"
        )
    )
    return variant.model_copy(
        update={
            "delegate": delegate,
            "bytes": count_tree_bytes(root / variant.file),
            "sha256": hash_tree(root / variant.file),
            "layers": tuple(layers),
            "quality": Quality(
                runtime="PyTorch",
                images=2,
                psnr_db_worst=118.5,
                psnr_db_mean=121.25,
                max_abs_error=1e-6,
                ssim_worst=1.0,
                ssim_mean=1.0,
            ),
            "coverage": Coverage(delegate=delegate, source="file", delegated_ops=4, total_ops=4, subgraphs=1),
        }
    )
