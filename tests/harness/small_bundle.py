"""A small, real bundle: a three-layer 64x64 convolutional network, converted by litert-torch and ExecuTorch here and now."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from builder.bundle import (
    Binding,
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
    file_sha256,
    tree_bytes,
    tree_files,
    tree_sha256,
)
from builder.bundle.tensors import pixels_to_tensor, tensor_to_pixels, write_picture

SIZE = 64
SPEC = TensorSpec(name="image", kind="image", shape=(1, 3, SIZE, SIZE), color_order="RGB", range=(0.0, 1.0), resize="center_crop")
RESULT = TensorSpec(name="stylized", kind="image", shape=(1, 3, SIZE, SIZE), color_order="RGB", range=(0.0, 1.0))
LAYERS = (("0", "conv2d"), ("2", "conv2d"), ("4", "conv2d"))


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """One file of the bundle and how its tensors lie."""

    id: str
    backend: str
    delegate: str
    file: str
    layout: str


ARTIFACTS = (
    Artifact(id="tflite-fp32", backend="tflite", delegate="xnnpack", file="variants/small.tflite", layout="NHWC"),
    Artifact(id="executorch-fp32", backend="executorch", delegate="xnnpack", file="variants/small.pte", layout="NCHW"),
    Artifact(id="coreml-fp32", backend="coreml", delegate="all", file="variants/small.mlpackage", layout="NCHW"),
)


def make_small_bundle(root: Path) -> Path:
    """Convert the network into `root` with a golden; the Core ML variant's file is no program, since nothing here opens it."""
    import litert_torch
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    torch.manual_seed(7)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 8, 3, padding=1, groups=8),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 3, 3, padding=1),
        torch.nn.Sigmoid(),
    ).eval()
    pixels = test_picture()
    image = torch.from_numpy(pixels_to_tensor(pixels, SPEC))
    (root / "variants").mkdir(parents=True)
    (root / "golden").mkdir()
    channel_last = litert_torch.to_channel_last_io(network, args=[0], outputs=[0])
    litert_torch.convert(channel_last, (image.permute(0, 2, 3, 1).contiguous(),)).export(str(root / ARTIFACTS[0].file))
    program = to_edge_transform_and_lower(torch.export.export(network, (image,)), partitioner=[XnnpackPartitioner()])
    (root / ARTIFACTS[1].file).write_bytes(program.to_executorch().buffer)
    (root / ARTIFACTS[2].file).mkdir()
    (root / ARTIFACTS[2].file / "Manifest.json").write_text("{}\n", encoding="utf-8")
    with torch.no_grad():
        expected = network(image).numpy()
    write_picture(root / "golden" / "0-image.png", pixels)
    write_picture(root / "golden" / "0-stylized.png", tensor_to_pixels(expected, RESULT))
    write_manifest(root)
    return root


def test_picture() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Smooth gradients and a disc, so that a wrong orientation or colour order shows."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] / (SIZE - 1)
    disc = ((x - 0.35) ** 2 + (y - 0.4) ** 2 < 0.06)[..., None] * np.array([0.5, 0.1, -0.2])
    unit = np.stack([x, y, 1 - x * y], axis=-1) * 0.8 + disc + 0.1
    return (np.clip(unit, 0, 1) * 255).astype(np.uint8)


def write_manifest(root: Path, *, min_psnr_db: float = 45.0) -> None:
    """(Re)write manifest.json for the files that are in `root`."""
    manifest = Manifest(
        schema_=1,
        model=ModelInfo(name="small", version="1", licence="Apache-2.0", checkpoint_sha256=hashlib.sha256(b"seed 7").hexdigest()),
        inputs=(SPEC,),
        outputs=(RESULT,),
        variants=tuple(_variant(root, artifact) for artifact in ARTIFACTS),
        goldens=(
            Golden(
                id="0",
                inputs=(GoldenTensor(name="image", file="golden/0-image.png", encoding="png"),),
                expected=tuple(
                    GoldenOutputs(
                        variant=artifact.id,
                        tensors=(GoldenTensor(name="stylized", file="golden/0-stylized.png", encoding="png"),),
                        min_psnr_db=min_psnr_db,
                    )
                    for artifact in ARTIFACTS
                ),
            ),
        ),
        files=tuple(
            FileHash(file=path.relative_to(root).as_posix(), sha256=file_sha256(path)) for path in tree_files(root) if path.name != "manifest.json"
        ),
        tools=(Tool(name="litert-torch", version="0.10.0"), Tool(name="executorch", version="1.5.1")),
        licences=("Apache-2.0",),
    )
    (root / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")


def _variant(root: Path, artifact: Artifact) -> Variant:
    shape = (1, SIZE, SIZE, 3) if artifact.layout == "NHWC" else (1, 3, SIZE, SIZE)
    fields = {
        "id": artifact.id,
        "backend": artifact.backend,
        "delegate": artifact.delegate,
        "file": artifact.file,
        "bytes": tree_bytes(root / artifact.file),
        "sha256": tree_sha256(root / artifact.file),
        "inputs": (Binding(name="image", index=0, layout=artifact.layout, shape=shape),),
        "outputs": (Binding(name="stylized", index=0, layout=artifact.layout, shape=shape),),
        "layers": tuple(LayerPrecision(layer=name, op=op, requested="fp32", realised="fp32") for name, op in LAYERS),
        "quality": Quality(runtime="test", images=1, psnr_db_worst=120.0, psnr_db_mean=124.0, max_abs_error=1e-6, ssim_worst=1.0, ssim_mean=1.0),
        "coverage": Coverage(delegate=artifact.delegate, source="file", delegated_ops=4, total_ops=4, subgraphs=1),
        "minimum_runtime": "2.3.0",
        "predicted_peak_memory_bytes": 1 << 20,
    }
    return Variant.model_validate(fields)
