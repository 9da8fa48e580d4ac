"""The rewrite `half_range` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from builder.legalize.rewrites import half_range
from tests.builder.legalize.cases import PICTURE, SCALE, check_rewrite, export
from tests.builder.models import rewrites_for

# torch's own, from within decomposition
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.instance_norm(300 * x, eps=1e-4),
        lambda x: F.group_norm(300 * x, 2),
        lambda x: F.layer_norm(300 * x, (8,), SCALE.new_ones(8)),
        lambda x: F.layer_norm(300 * x, (6, 10, 8)),
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("half_range", function)


def test_norms_are_scaled_where_fp16_would_overflow_and_nowhere_else() -> None:
    """Sums of squares over a block stay below half of fp16's range behind it; a network of small values is left alone."""
    sample = (torch.rand(PICTURE, generator=torch.Generator().manual_seed(3)),)
    large, small = (export(lambda x, scale=scale: F.instance_norm(scale * x), sample) for scale in (300.0, 1.0))
    before = half_range._measure_largest_sums(large, [sample])
    rewritten, places = half_range.apply(large, [sample])
    after = half_range._measure_largest_sums(rewritten, [sample])
    assert places == len(before) == 1
    assert min(before.values()) > half_range.HALF_MAX
    assert half_range.LIMIT / 4 <= max(after.values()) <= half_range.LIMIT
    assert half_range.apply(small, [sample]) == (small, 0)


def test_norms_are_scaled_where_something_computes_in_fp16() -> None:
    """The GPU delegate always, ExecuTorch where the plan has fp16 layers."""
    assert "half_range" in rewrites_for("tflite", "gpu")
    assert rewrites_for("executorch", halves=True)[0] == "half_range"
    assert "half_range" not in rewrites_for("executorch")
    assert "half_range" not in rewrites_for("tflite", halves=True)
