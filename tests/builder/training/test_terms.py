"""The terms of `builder train`, against values computed by hand, and what each of them is blind to."""

from __future__ import annotations

import pytest
import torch

from builder.quality.style import gram
from builder.training import losses


def picture(*rows: list[float]) -> torch.Tensor:
    """Grey `[1, 3, h, w]`."""
    return torch.tensor([[list(rows)] * 3])


def test_terms_of_features_are_in_units_of_what_is_wanted() -> None:
    """Content, Gram, statistics, Wasserstein: the values on paper, and the same ones for features ten times as large."""
    got, want = torch.zeros(1, 1, 1, 2), torch.tensor([[[[1.0, 3.0]]]])
    assert float(losses.compare_content(got, want)) == pytest.approx((1 + 9) / 2 / 1.0)
    assert losses.compute_moments(want)[0, :, 0].tolist() == pytest.approx([2.0, 1.0], abs=1e-5)
    wanted_gram = torch.tensor([[[1.0, 0.0], [0.0, 3.0]]])
    on_paper = (1**2 / 3**2 + 3**2 / 5**2) / 4  # powers 1 and 3, and their mean 2 to each
    assert float(losses.measure_gram_distance(torch.zeros(1, 2, 2), wanted_gram)) == pytest.approx(on_paper, rel=1e-4)
    moments = torch.tensor([[[0.0], [1.0]]]), torch.tensor([[[2.0], [1.0]]])
    assert float(losses.compare_statistics(*moments)) == pytest.approx(4.0)
    slices = losses.sort_slices(got, torch.ones(1, 1)), losses.sort_slices(want, torch.ones(1, 1))
    assert float(losses.wasserstein(*slices)) == pytest.approx(5.0)
    one, other = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    for measure, term in (
        (lambda x: x, losses.compare_content),
        (gram, losses.measure_gram_distance),
        (losses.compute_moments, losses.compare_statistics),
        (lambda x: losses.sort_slices(x, losses.draw_directions(3, 8)), losses.wasserstein),
    ):
        small, large = (float(term(measure(s * one), measure(s * other))) for s in (1, 10))
        assert small == pytest.approx(large, rel=1e-2)
        assert float(term(measure(one), measure(one))) == pytest.approx(0, abs=1e-6)


def test_styles_do_not_know_places() -> None:
    """The same features at other positions have the same style, and another content."""
    features = torch.rand(1, 3, 4, 4)
    moved = features.flatten(2)[:, :, torch.randperm(16)].reshape(1, 3, 4, 4)
    along = losses.draw_directions(3, 8)
    assert torch.allclose(gram(features), gram(moved), atol=1e-6)
    assert torch.allclose(losses.compute_moments(features), losses.compute_moments(moved), atol=1e-6)
    assert torch.allclose(losses.sort_slices(features, along), losses.sort_slices(moved, along), atol=1e-6)
    assert float(losses.compare_content(features, moved)) > 0.1


def test_terms_of_pictures_have_the_values_on_paper() -> None:
    """Tone, identity, variation, edges."""
    white, black = torch.ones(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    assert float(losses.compare_tone(white, black)) == pytest.approx(1.0)
    stripes = (torch.arange(8) % 2).float().expand(1, 3, 8, 8)
    assert float(losses.compare_tone(stripes, torch.full((1, 3, 8, 8), 0.5))) == pytest.approx(0, abs=1e-6)
    assert float(losses.compare_identity(white * 0.25, black)) == pytest.approx(0.25)
    assert float(losses.measure_variation(picture([0.0, 1.0], [0.0, 1.0]))) == pytest.approx(1.0)
    ramp = torch.arange(8).float().mul(0.1).expand(1, 3, 8, 8)
    assert losses.measure_edge_strength(ramp).flatten().tolist() == pytest.approx([0.1] * 36, abs=1e-4)
    assert float(losses.compare_edges(ramp, ramp)) == pytest.approx(0, abs=1e-6)
    assert float(losses.compare_edges(black, ramp)) == pytest.approx(0.1 - losses.LEAST**0.5, abs=1e-4)


def test_a_known_motion_carries_pictures_and_what_flickers_is_counted_where_it_was_seen() -> None:
    """A shift of one pixel, by hand; a difference of a half counts a quarter, and only where it is seen."""
    row = picture([0.0, 0.25, 0.5, 1.0])
    still = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    one_right = torch.tensor([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]])
    same, inside = losses.move(row, still)
    assert torch.allclose(same, row)
    assert bool(inside.all())
    moved, inside = losses.move(row, one_right)
    assert moved[0, 0, 0].tolist() == pytest.approx([0.25, 0.5, 1.0, 1.0])
    assert inside[0, 0, 0].tolist() == [1, 1, 1, 0]
    assert float(losses.compare_motion(row + 0.5, row, inside)) == pytest.approx(0.25)
    wrong_outside = row + 9 * (1 - inside)
    assert float(losses.compare_motion(wrong_outside, row, inside)) == 0


def test_a_styles_ramp_has_its_colours_at_their_brightness() -> None:
    """From black to white over the style's own colours; a photograph that has them already costs nothing, a black one what is on paper."""
    blue, yellow = torch.tensor([0.0, 0.0, 0.5]), torch.tensor([1.0, 1.0, 0.0])
    style = torch.cat([blue.reshape(1, 3, 1, 1).expand(1, 3, 16, 8), yellow.reshape(1, 3, 1, 1).expand(1, 3, 16, 8)], 3)
    ramp = losses.compute_ramp(style)
    assert ramp.shape == (1, losses.SHADES, 3)
    assert ramp[0, 0].tolist() == pytest.approx([0, 0, 0])
    assert ramp[0, -1].tolist() == pytest.approx([1, 1, 1])
    for colour, light in ((blue, 0.114 * 0.5), (yellow, 0.886)):
        assert ramp[0, round(light * 255)].tolist() == pytest.approx(colour.tolist(), abs=0.04)
    assert losses.compute_brightness(ramp.permute(0, 2, 1)[..., None]).flatten().tolist() == pytest.approx(
        torch.linspace(0, 1, losses.SHADES).tolist(), abs=1e-3
    )
    grey = torch.full((1, 3, 8, 8), 0.5)
    wanted = ramp[0, round(0.5 * 255)].reshape(1, 3, 1, 1).expand_as(grey)
    assert float(losses.compare_tint(wanted, grey, ramp)) == pytest.approx(0, abs=1e-9)
    on_paper = float(wanted.square().mean())
    assert float(losses.compare_tint(torch.zeros_like(grey), grey, ramp)) == pytest.approx(on_paper)


def test_colours_are_compared_along_directions_of_length_one() -> None:
    """Of the palette, and of features; the same ones every time."""
    for along in (losses.spread_directions(), losses.draw_directions(5, 7)):
        assert along.norm(dim=1).tolist() == pytest.approx([1.0] * len(along), rel=1e-4)
    assert torch.equal(losses.draw_directions(5, 7), losses.draw_directions(5, 7))
