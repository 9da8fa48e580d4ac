"""Every measure against an independent implementation, or against pictures whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.linalg import sqrtm
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from builder.bundle.pictures import read_rgb
from builder.quality import fidelity, style, video
from builder.quality.flow import carry, estimate_flow, find_seen
from builder.quality.frechet import frechet
from builder.quality.measures import MEASURES

ROOT = Path(__file__).resolve().parents[3]
CHELSEA = ROOT / "examples" / "tiny_style" / "images" / "evaluation" / "chelsea.jpg"
RANDOM = np.random.default_rng(0)


def photograph(side: int) -> NDArray[np.float64]:
    return np.asarray(read_rgb(CHELSEA).resize((side, side)), np.float64) / 255


def noisy(picture: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    return np.clip(picture + np.random.default_rng(1).normal(size=picture.shape) * size, 0, 1)


def test_the_page_names_every_measure() -> None:
    """With its range and source in one row."""
    text = (ROOT / "docs" / "measures.md").read_text(encoding="utf-8")
    for measure in MEASURES:
        row = next(line for line in text.splitlines() if line.startswith(f"| `{measure.name}` |"))
        assert measure.better in row
        assert (measure.unit or "") in row.replace("pixels", "px")


def test_psnr_and_ssim_are_those_of_scikit_image() -> None:
    """On a photograph with noise."""
    want = photograph(96)
    got = noisy(want, 0.1)
    assert fidelity.psnr(got, want) == pytest.approx(peak_signal_noise_ratio(want, got, data_range=1), abs=1e-6)
    same = structural_similarity(
        want, got, data_range=1, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert fidelity.ssim(got, want) == pytest.approx(same, abs=1e-6)
    assert fidelity.ssim(got[:8, :8], want[:8, :8]) is None


def test_one_scale_of_ms_ssim_is_ssim_and_five_are_its_formula() -> None:
    """The first scale against scikit-image; the whole against products of scikit-image's own at half sizes where luminance is alike."""
    want = photograph(192)
    got = noisy(want, 0.05)
    whole, structure = fidelity._similarities(got, want)
    same = structural_similarity(
        want, got, data_range=1, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert whole == pytest.approx(same, abs=1e-6)
    assert whole <= structure
    value = fidelity.ms_ssim(got, want)
    assert value is not None
    product, a, b = 1.0, got, want
    for weight in fidelity.SCALE_WEIGHTS:
        product *= structural_similarity(
            b, a, data_range=1, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        ) ** weight  # fmt: skip
        a, b = (x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2, 3).mean(axis=(1, 3)) for x in (a, b))
    assert value == pytest.approx(product, abs=0.01)
    assert fidelity.ms_ssim(want, want) == pytest.approx(1)
    assert fidelity.ms_ssim(got[:100], want[:100]) is None


def test_the_frechet_distance_is_that_of_covariances_and_a_root_of_their_product() -> None:
    """Against scipy's matrix root; 0 for equal sets, None for a set of one."""
    one, other = RANDOM.normal(size=(40, 6)), RANDOM.normal(size=(30, 6)) * 1.5 + 0.3
    a, b = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    want = ((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert frechet(one, other) == pytest.approx(want, rel=1e-6)
    assert frechet(one, one) == pytest.approx(0, abs=1e-9)
    assert frechet(one[:1], other) is None


def test_style_measures_are_zero_for_the_style_itself_and_grow_with_distance() -> None:
    """The sliced distance of one direction is the mean gap of sorted values."""
    own = [torch.randn(1, 8, 12, 12, generator=torch.Generator().manual_seed(0))]
    assert style.measure_gram_distance(own, own) == 0
    assert style.wasserstein(own, own) == 0
    moved = [own[0] + 0.5]
    further = [own[0] + 1.0]
    assert 0 < style.measure_gram_distance(moved, own) < style.measure_gram_distance(further, own)
    assert 0 < style.wasserstein(moved, own) < style.wasserstein(further, own)
    matrix = own[0].flatten(2)[0].numpy()
    assert np.allclose(style.gram(own[0])[0], matrix @ matrix.T / matrix.shape[1], atol=1e-5)
    single = [torch.rand(1, 1, 5, 5), torch.rand(1, 1, 5, 5)]
    gap = np.abs(np.sort(single[0].flatten().numpy()) - np.sort(single[1].flatten().numpy())).mean()
    assert style.wasserstein(single[:1], single[1:]) == pytest.approx(
        gap / float(single[1].std(unbiased=False)), rel=1e-4
    )
    assert style.measure_gram_distance([torch.zeros(1, 8, 3, 3)], own) == pytest.approx(1)
    assert style.measure_content_distance([torch.zeros(1, 8, 12, 12)], own) == pytest.approx(1)


def test_edges_are_kept_by_the_picture_itself_and_not_by_a_flat_one() -> None:
    """One pixel of shift is near enough, ten are not."""
    picture = np.zeros((64, 64, 3))
    picture[20:44, 20:44] = 1
    assert style.measure_edges_kept(picture, picture) == 1
    assert style.measure_edges_kept(np.roll(picture, 1, 0), picture) == 1
    assert style.measure_edges_kept(np.full_like(picture, 0.5), picture) == 0
    assert (style.measure_edges_kept(np.roll(picture, 10, (0, 1)), picture) or 0) < 0.6
    assert style.measure_edges_kept(picture, np.full_like(picture, 0.5)) is None


def test_a_clip_that_moves_evenly_is_steady_and_one_that_flickers_is_not() -> None:
    """The flow of a known motion; carried back along it, frames agree; flicker is seen and a new thing does not count."""
    still = photograph(160)
    frames = [still[20:116, 20 + 2 * n : 116 + 2 * n] for n in range(3)]
    flow = estimate_flow(frames[0], frames[1])
    assert abs(float(np.median(flow[1])) + 2) < 0.2
    assert abs(float(np.median(flow[0]))) < 0.2
    motion = video.estimate_motion(frames)
    steady = video.measure_warping_error(frames, motion)
    flicker = [np.clip(frame + (0.2 if n == 1 else 0), 0, 1) for n, frame in enumerate(frames)]
    assert steady < 0.005
    assert video.measure_warping_error(flicker, motion) > 5 * steady
    assert video.tof(frames, motion) == 0
    assert video.tof([frames[0], frames[0], frames[0]], motion) == pytest.approx(2, abs=0.4)
    apart = lambda a, b: float(np.abs(a - b).mean())  # noqa: E731
    assert video.tlp(frames, frames, apart) == 0
    assert video.tlp(flicker, frames, apart) > 0


def test_what_leaves_the_picture_and_what_flows_disagree_on_is_not_believed() -> None:
    """A flow out of the picture, and two that do not undo each other."""
    nothing = np.zeros((2, 8, 8))
    assert find_seen(nothing, nothing).all()
    out = nothing + np.array([0.0, 20.0]).reshape(2, 1, 1)
    assert not find_seen(out, -out).any()
    assert not find_seen(nothing + 3, nothing).any()
    ramp = np.tile(np.arange(8.0), (8, 1))[..., None]
    assert np.allclose(carry(ramp, nothing + np.array([0.0, 1.0]).reshape(2, 1, 1))[:, :7, 0], ramp[:, 1:, 0])
