"""Every measure of `builder evaluate`: what it needs, and which way is better. docs/measures.md says where each is from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower"]
Kind = Literal["picture", "set", "video"]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """`needs`: what it compares with: the reference, the content (photographs) or the style picture."""

    name: str
    unit: str
    better: Better
    kind: Kind
    needs: Literal["reference", "content", "style"]


def _measure(
    name: str, unit: str, better: Better, needs: Literal["reference", "content", "style"], kind: Kind = "picture"
) -> Measure:
    return Measure(name=name, unit=unit, better=better, kind=kind, needs=needs)


MEASURES = (
    _measure("psnr", "dB", "higher", "reference"),
    _measure("ssim", "", "higher", "reference"),
    _measure("ms_ssim", "", "higher", "reference"),
    _measure("perceptual", "", "higher", "reference"),
    _measure("lpips", "", "lower", "reference"),
    _measure("frechet_lite0", "", "lower", "reference", "set"),
    _measure("style_gram", "", "lower", "style"),
    _measure("style_wasserstein", "", "lower", "style"),
    _measure("content_distance", "", "lower", "content"),
    _measure("edges_kept", "", "higher", "content"),
    _measure("warping_error", "", "lower", "content", "video"),
    _measure("warping_ratio", "", "lower", "content", "video"),
    _measure("tof", "px", "lower", "content", "video"),
    _measure("tlp", "", "lower", "content", "video"),
)
BY_NAME = {measure.name: measure for measure in MEASURES}
