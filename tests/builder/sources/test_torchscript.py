"""TorchScript archives where torch can still load and convert them."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from builder.errors import SourceError, UnsupportedOperation
from builder.sources import load_checked
from tests.builder.sources.onnx_files import config

pytestmark = pytest.mark.filterwarnings("ignore")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.ConvTranspose2d(8, 8, 4, 2, 1)
        )
        self.tail = nn.Conv2d(8, 3, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.tail(self.body(image)))


def save(path: Path, module: nn.Module | None = None) -> None:
    torch.manual_seed(0)
    torch.jit.save(torch.jit.trace((module or Net()).eval(), torch.rand(1, 3, 8, 8)), path)


def load(path: Path, size: int = 8) -> Any:
    return load_checked(config(path.name, {"image": [1, 3, size, size]}, kind="image"), path.parent, ())


@pytest.mark.parametrize("name", ["net.pt", "net.ts"])
def test_a_traced_network_keeps_its_layers(tmp_path: Path, name: str) -> None:
    """Names, folded batch norms, and agreement with the archive itself."""
    save(tmp_path / name)
    model, agreement = load(tmp_path / name)
    assert model.layers.names() == ["body.0", "body.3", "tail"]
    assert [layer.op for layer in model.layers.layers] == ["conv2d", "conv_transpose2d", "conv2d"]
    assert agreement.psnr_db_worst >= 100
    assert agreement.runtime.startswith("TorchScript 2.")


def test_a_checkpoint_is_told_from_an_archive_and_not_unpickled(tmp_path: Path) -> None:
    """A .pt of weights, or of code, is refused before anything of it is loaded."""
    torch.save(Net().state_dict(), tmp_path / "net.pt")
    with pytest.raises(SourceError, match=r"holds weights but no TorchScript code.*name it as 'checkpoint'"):
        load(tmp_path / "net.pt")
    (tmp_path / "raw.pt").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(SourceError, match="is no TorchScript archive"):
        load(tmp_path / "raw.pt")


def test_a_damaged_archive_is_one_sentence(tmp_path: Path) -> None:
    """Cut off, or with code that does not parse."""
    save(tmp_path / "net.ts")
    content = (tmp_path / "net.ts").read_bytes()
    (tmp_path / "cut.ts").write_bytes(content[: len(content) // 2])
    with pytest.raises(SourceError, match=r"cut\.ts"):
        load(tmp_path / "cut.ts")
    with zipfile.ZipFile(tmp_path / "net.ts") as source, zipfile.ZipFile(tmp_path / "bad.ts", "w") as target:
        for info in source.infolist():
            target.writestr(info, b"not code (" if info.filename.endswith(".py") else source.read(info))
    with pytest.raises(SourceError, match=r"bad\.ts cannot be loaded by torch 2"):
        load(tmp_path / "bad.ts")


class Looped(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        while bool(image.sum() > 1.0):
            image = image * 0.5
        return image


def test_control_flow_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """A scripted loop on data cannot be converted."""
    torch.jit.save(torch.jit.script(Looped()), tmp_path / "net.ts")
    with pytest.raises(UnsupportedOperation, match="neither directly nor by ONNX"):
        load(tmp_path / "net.ts")


class Padded(Net):
    """Sizes that are computed from the picture's, as a trace keeps them."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        height, width = image.shape[-2:]
        padded = nn.functional.pad(image, (0, -width % 6, 0, -height % 6))
        return super().forward(padded)[:, :, :height, :width]


def test_a_trace_with_computed_sizes_goes_by_onnx(tmp_path: Path) -> None:
    """Where torch's own converter leaves sizes open, its exporter does not; the archive itself is the reference."""
    save(tmp_path / "net.ts", Padded())
    model, agreement = load(tmp_path / "net.ts")
    assert [layer.op for layer in model.layers.layers] == ["conv2d", "conv_transpose2d", "conv2d"]
    assert agreement.psnr_db_worst >= 100
    assert agreement.runtime.startswith("TorchScript 2.")


class Named(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 3, 1)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"other": image, "y": self.body(image)}


def test_a_scripted_dict_is_taken_apart_by_name(tmp_path: Path) -> None:
    """As a factory's is; what builder.toml does not name is left out."""
    torch.jit.save(torch.jit.script(Named().eval()), tmp_path / "net.ts")
    model, agreement = load(tmp_path / "net.ts")
    assert len(model.outputs) == 1
    assert agreement.psnr_db_worst >= 100


def test_shapes_that_the_archive_rejects_are_told(tmp_path: Path) -> None:
    """builder.toml and the network must agree."""

    class Fixed(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image.reshape(1, 3, 8, 8) * 2

    save(tmp_path / "net.ts", Fixed())
    with pytest.raises(SourceError, match=r"rejects inputs of the shapes in builder\.toml"):
        load(tmp_path / "net.ts", 9)
