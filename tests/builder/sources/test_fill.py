"""Checkpoints as trainers leave them fill a network, and code in them never runs."""

from __future__ import annotations

import pickle
import types
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from builder.errors import SourceError
from builder.sources.fill import load_into
from builder.sources.state_dict import read_state_dict

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's, of its own old weight norm


def network(wrap: object = None) -> nn.Module:
    torch.manual_seed(0)
    made = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))
    if wrap is not None:
        made[0] = wrap(made[0])  # type: ignore[operator]
    return made.eval()


def trained(wrap: object = None) -> nn.Module:
    made = network(wrap)
    with torch.no_grad():
        for value in made.parameters():
            value.add_(torch.rand(value.shape, generator=torch.Generator().manual_seed(1)))
    return made


def filled(path: Path, module: nn.Module, **options: bool) -> tuple[torch.Tensor, tuple[str, ...]]:
    """What the module gives once the file is in it, and what was told."""
    told = load_into(module, read_state_dict(path), path, **options)
    with torch.no_grad():
        return module(torch.ones(1, 3, 5, 5)), told


def expected(module: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return module(torch.ones(1, 3, 5, 5))  # type: ignore[no-any-return]


def saved(value: object, path: Path) -> Path:
    torch.save(value, path)
    return path


def prefixed(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {f"{prefix}{key}": value for key, value in state.items()}


WEIGHTS = trained().state_dict()


@pytest.mark.parametrize(
    "stored",
    [
        prefixed(WEIGHTS, "module."),
        {"state_dict": prefixed(WEIGHTS, "model.net."), "epoch": 3, "optimizer": {"state": {}}},
        {"params": network().state_dict(), "params_ema": WEIGHTS},
        {"state_dict": prefixed(WEIGHTS, "generator.") | prefixed({"x": torch.ones(1)}, "discriminator.")},
        {"state_dict": prefixed(network().state_dict(), "net.") | prefixed(WEIGHTS, "ema_net.")},
        {"model": {k: v for k, v in WEIGHTS.items() if "num_batches" not in k}, "args": Namespace(lr=1)},
        {"state_dict": WEIGHTS, "best": np.float64(0.5), "history": np.arange(3)},
    ],
    ids=["module", "model.net", "ema", "generator", "ema beside", "old batch norm", "numpy"],
)
def test_what_trainers_put_around_the_weights(tmp_path: Path, stored: object) -> None:
    """Prefixes, wrappers, averaged weights before plain ones, missing counters, numpy's numbers beside them."""
    got, _ = filled(saved(stored, tmp_path / "w.ckpt"), network())
    assert torch.allclose(got, expected(trained()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_width_are_converted_and_told(tmp_path: Path, dtype: torch.dtype) -> None:
    state = {key: value.to(dtype) if value.is_floating_point() else value for key, value in WEIGHTS.items()}
    got, told = filled(saved(state, tmp_path / "w.pth"), network())
    assert torch.allclose(got, expected(trained()), atol=0.1)
    assert any(str(dtype) in sentence for sentence in told)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (nn.utils.weight_norm, weight_norm),
        (nn.utils.spectral_norm, spectral_norm),
        (nn.utils.weight_norm, None),
        (weight_norm, None),
        (None, weight_norm),
    ],
    ids=["weight norm", "spectral norm", "removed", "removed new", "added"],
)
def test_norms_of_weights_by_old_and_new_names(tmp_path: Path, old: object, new: object) -> None:
    """`weight_g` and `weight_v` of earlier torch, today's parametrizations, and the plain weight that they make."""
    before = trained(old)
    got, _ = filled(saved(before.state_dict(), tmp_path / "w.pth"), network(new))
    assert torch.allclose(got, expected(before), atol=1e-5)


def test_tensors_that_the_network_does_not_know(tmp_path: Path) -> None:
    """An error that names them, or a sentence where the user has said that they may be left."""
    path = saved(WEIGHTS | {"extra.weight": torch.ones(1)}, tmp_path / "w.pth")
    with pytest.raises(SourceError, match=r"has 'extra.weight', which the model does not know; .* set strict = false"):
        filled(path, network())
    got, told = filled(path, network(), strict=False)
    assert torch.allclose(got, expected(trained()))
    assert any("extra.weight" in sentence for sentence in told)


def test_a_pointer_of_git_lfs_is_told_as_what_it_is(tmp_path: Path) -> None:
    """Whatever its suffix says: the weights are to be fetched, not written again."""
    for name in ("w.safetensors", "w.pth"):
        (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n")
        with pytest.raises(SourceError, match="is a pointer of Git LFS, not the weights; run: git lfs pull"):
            read_state_dict(tmp_path / name)


def test_a_whole_pickled_network_gives_its_weights_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its classes are not imported: empty shells hold what was stored."""
    module = types.ModuleType("somebodys_package")
    monkeypatch.setitem(__import__("sys").modules, "somebodys_package", module)
    module.Net = type("Net", (nn.Sequential,), {"__module__": "somebodys_package"})  # type: ignore[attr-defined]
    path = saved(module.Net(*trained()), tmp_path / "w.pth")
    monkeypatch.delitem(__import__("sys").modules, "somebodys_package")
    got, _ = filled(path, network())
    assert torch.allclose(got, expected(trained()))


class Exploit:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.target,))


def test_code_of_the_standard_library_is_refused(tmp_path: Path) -> None:
    """No shell for what a pickle calls to do something."""
    target = tmp_path / "made"
    path = saved({"state_dict": WEIGHTS, "also": Exploit(target)}, tmp_path / "w.pth")
    with pytest.raises(SourceError, match="its code is not run"):
        read_state_dict(path)
    (tmp_path / "raw.pth").write_bytes(pickle.dumps(Exploit(target)))
    with pytest.raises(SourceError):
        read_state_dict(tmp_path / "raw.pth")
    assert not target.exists()


def test_a_buffer_whose_values_lie_in_one_place_is_filled(tmp_path: Path) -> None:
    """`expand` gives such a buffer; torch itself does not write into it."""

    class Expanded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("gain", torch.ones(1, 3, 1, 1).expand(1, 3, 5, 5))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.gain

    torch.save({"gain": torch.arange(75.0).reshape(1, 3, 5, 5)}, tmp_path / "w.pt")
    assert torch.equal(filled(tmp_path / "w.pt", Expanded())[0], torch.arange(75.0).reshape(1, 3, 5, 5))
