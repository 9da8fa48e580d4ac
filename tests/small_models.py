"""Small real artifacts for tests: three convolutions on 1x3x64x64, as TFLite and ExecuTorch files, with what PyTorch gives.

Two more TFLite files have an operator that XNNPACK does not take: between convolutions, and alone.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from builder import process
from builder.bundle import Binding, Coverage, Quality, Variant, hash_file
from harness.cache import make_entry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Backend = Literal["tflite", "executorch"]
SHAPE = (1, 3, 64, 64)
CONVERT_S = 300.0


@dataclass(frozen=True, kw_only=True)
class SmallModels:
    """Files of one model, its input and PyTorch's output for it (both NCHW float32)."""

    tflite: Path
    executorch: Path
    mixed_tflite: Path
    undelegated_tflite: Path
    input: NDArray[np.float32]
    output: NDArray[np.float32]

    def variant(self, backend: Backend) -> Variant:
        file = self.tflite if backend == "tflite" else self.executorch
        return Variant(
            id=f"{backend}-fp32",
            backend=backend,
            delegate="xnnpack",
            file=f"variants/{file.name}",
            bytes=file.stat().st_size,
            sha256=hash_file(file),
            inputs=(Binding(name="image", index=0, layout="NCHW", shape=SHAPE),),
            outputs=(Binding(name="stylized", index=0, layout="NCHW", shape=SHAPE),),
            layers=(),
            quality=Quality(runtime="none", images=0, psnr_db_worst=0.0, psnr_db_mean=0.0, max_abs_error=0.0),
            coverage=Coverage(delegate="xnnpack", source="runtime", delegated_ops=3, total_ops=3, subgraphs=1),
            minimum_runtime="2.16",
            predicted_peak_memory_bytes=0,
        )

    def file(self, backend: Backend) -> Path:
        return self.tflite if backend == "tflite" else self.executorch


def measure_largest_error(actual: NDArray[Any], expected: NDArray[Any]) -> float:
    """Largest absolute difference; arrays of different shapes are not compared."""
    assert actual.shape == expected.shape
    return float(abs(actual.astype("float64") - expected.astype("float64")).max())


def make_small_models() -> SmallModels:
    """Converted on first use and kept in the cache by this file's text and the converters' versions."""
    import numpy as np

    versions = "".join(metadata.version(name) for name in ("torch", "litert-torch", "executorch"))
    key = hashlib.sha256(Path(__file__).read_bytes() + versions.encode()).hexdigest()[:20]
    folder = make_entry(f"tests/small-models-{key}", convert_in_a_process)
    return SmallModels(
        tflite=folder / "small.tflite",
        executorch=folder / "small.pte",
        mixed_tflite=folder / "mixed.tflite",
        undelegated_tflite=folder / "undelegated.tflite",
        input=np.load(folder / "input.npy"),
        output=np.load(folder / "output.npy"),
    )


def make_unopened_models(folder: Path) -> SmallModels:
    """Files that nothing can open in the place of the networks."""
    import numpy as np

    folder.mkdir(parents=True)
    files = [folder / name for name in ("small.tflite", "small.pte", "mixed.tflite", "undelegated.tflite")]
    for file in files:
        file.write_bytes(f"no network: {file.name}".encode())
    picture = np.linspace(0, 1, int(np.prod(SHAPE)), dtype=np.float32).reshape(SHAPE)
    return SmallModels(
        tflite=files[0],
        executorch=files[1],
        mixed_tflite=files[2],
        undelegated_tflite=files[3],
        input=picture,
        output=picture[:, :, ::-1],
    )


def convert_in_a_process(folder: Path) -> None:
    """The converters warn a lot and take much memory: not in the process that runs the tests."""
    process.run(
        [sys.executable, "-m", "tests.small_models", folder], timeout_s=CONVERT_S, cwd=Path(__file__).parents[1]
    )


def convert(folder: Path) -> None:
    import litert_torch
    import numpy as np
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    torch.manual_seed(7)
    layers: list[Any] = [
        torch.nn.Conv2d(3, 8, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 8, 3, padding=1),
        torch.nn.ReLU(),
    ]
    model = torch.nn.Sequential(*layers, torch.nn.Conv2d(8, 3, 3, padding=1), torch.nn.Sigmoid()).eval()
    image = torch.rand(SHAPE)
    with torch.no_grad():
        np.save(folder / "output.npy", model(image).numpy())
    np.save(folder / "input.npy", image.numpy())
    litert_torch.convert(model, (image,)).export(str(folder / "small.tflite"))
    lowered = to_edge_transform_and_lower(torch.export.export(model, (image,)), partitioner=[XnnpackPartitioner()])
    (folder / "small.pte").write_bytes(lowered.to_executorch().buffer)

    class CumulativeSum(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return torch.cumsum(image, 2)

    mixed = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 3), CumulativeSum(), torch.nn.Conv2d(3, 3, 3)).eval()
    litert_torch.convert(mixed, (image,)).export(str(folder / "mixed.tflite"))
    litert_torch.convert(CumulativeSum().eval(), (image,)).export(str(folder / "undelegated.tflite"))


if __name__ == "__main__":
    convert(Path(sys.argv[1]))
