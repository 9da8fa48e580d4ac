"""How alike two pictures look to a network: 1 is equal, smaller is less alike.

Without weights of one's own: the mean cosine similarity of features of EfficientNet-Lite0 with its ImageNet weights, over
`LAYERS` and over positions, which is 1 - d for the distance d of Zhang et al., "The Unreasonable Effectiveness of Deep
Features as a Perceptual Metric", 2018, equation 1, with all channel weights equal and half the squared length. With the
weights of LPIPS (AlexNet, version 0.1, as its authors' `state_dict` names them): 1 - LPIPS.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.bundle import TensorSpec
from builder.errors import MissingToolError, SourceError
from builder.quality.features import INSTALL, PACKAGES, Features

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

# LPIPS' own, which keeps a vector of zeros from a division by zero.
_SMALL = 1e-10
# AlexNet as LPIPS cuts it: (key of the convolution, stride, padding, whether a 3x3 pooling of stride 2 comes before).
_ALEXNET = (
    ("net.slice1.0", 4, 2, False),
    ("net.slice2.3", 1, 2, True),
    ("net.slice3.6", 1, 1, True),
    ("net.slice4.8", 1, 1, False),
    ("net.slice5.10", 1, 1, False),
)
# LPIPS' ScalingLayer, for RGB in -1..1.
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


def require_packages(lpips: Path | None) -> None:
    """Raises MissingToolError with the command that installs the network, SourceError where the weights do not exist."""
    if lpips is not None:
        if not lpips.is_file():
            raise SourceError(
                f"{lpips} does not exist; correct 'lpips' in [variant.search] of builder.toml, or --lpips."
            )
        return
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise MissingToolError(
            f"{missing[0]} is not installed, which perceptual budgets need; run: {INSTALL} (or set 'lpips' in [variant.search])."
        )


class Perceptual:
    """Similarity of two pictures. `lpips`: a .safetensors or .pth file with its weights, else EfficientNet-Lite0."""

    def __init__(self, lpips: Path | None = None) -> None:
        require_packages(lpips)
        self._weights = _read_lpips_weights(lpips) if lpips is not None else None
        self._features = Features() if lpips is None else None

    def __call__(self, actual: NDArray[np.generic], expected: NDArray[np.generic], spec: TensorSpec) -> float:
        """Both `[1, 3, h, w]`, as `spec` scales and orders their colours."""
        import torch

        with torch.no_grad():
            one, other = (_unit(picture, spec) for picture in (actual, expected))
            if self._features is None:
                return 1 - self._lpips(one, other)
            pairs = zip(self._features.maps(one), self._features.maps(other), strict=True)
            likeness = [float(torch.nn.functional.cosine_similarity(a, b, dim=1, eps=_SMALL).mean()) for a, b in pairs]
            return sum(likeness) / len(likeness)

    def _lpips(self, one: torch.Tensor, other: torch.Tensor) -> float:
        import torch

        weights: dict[str, torch.Tensor] = self._weights or {}
        shift, scale = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (_SHIFT, _SCALE))
        maps = [(picture * 2 - 1 - shift) / scale for picture in (one, other)]
        total = 0.0
        for number, (key, stride, padding, pooled) in enumerate(_ALEXNET):
            if pooled:
                maps = [torch.nn.functional.max_pool2d(x, 3, 2) for x in maps]
            maps = [
                torch.relu(
                    torch.nn.functional.conv2d(x, weights[f"{key}.weight"], weights[f"{key}.bias"], stride, padding)
                )
                for x in maps
            ]
            unit = [x / (x.square().sum(dim=1, keepdim=True).sqrt() + _SMALL) for x in maps]
            difference = (unit[0] - unit[1]).square()
            total += float((difference * weights[f"lin{number}.model.1.weight"]).sum(dim=1).mean())
        return total


def _unit(picture: NDArray[np.generic], spec: TensorSpec) -> torch.Tensor:
    """RGB in 0..1."""
    import numpy as np
    import torch

    values = np.asarray(picture, np.float32)
    if spec.range is not None:
        values = (values - spec.range[0]) / (spec.range[1] - spec.range[0])
    elif spec.mean is not None and spec.std is not None:
        mean, std = (np.asarray(v, np.float32).reshape(1, 3, 1, 1) for v in (spec.mean, spec.std))
        values = values * std + mean
    if spec.color_order == "BGR":
        values = values[:, ::-1]
    return torch.from_numpy(np.ascontiguousarray(np.clip(values, 0, 1)))


def _read_lpips_weights(path: Path) -> dict[str, torch.Tensor]:
    """Raises SourceError for a file that is not LPIPS' state dict; pickled code never runs."""
    import pickle

    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state: Any = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        raise SourceError(f"{path} is not a file of weights ({error}); save LPIPS' state_dict.") from error
    needed = [f"{key}.{part}" for key, *_ in _ALEXNET for part in ("weight", "bias")]
    needed += [f"lin{number}.model.1.weight" for number in range(len(_ALEXNET))]
    missing = [key for key in needed if not isinstance(state, dict) or key not in state]
    if missing:
        raise SourceError(
            f"{path} has no {missing[0]!r}; save the state_dict of lpips.LPIPS(net='alex'), AlexNet's own weights included."
        )
    return {key: state[key].float() for key in needed}
