"""What is read of a Core ML program: the memory that it needs."""

from __future__ import annotations

from typing import Any

import pytest

from builder.backends.coreml.program import measure_largest_live_set

pytestmark = pytest.mark.filterwarnings("ignore")  # the converter's own


def test_a_size_that_values_decide_counts_nothing_and_stops_nothing() -> None:
    """The places of what is not zero are as many as there are; the others count as they are."""
    import coremltools as ct
    from coremltools.converters.mil import Builder as mb

    @mb.program(input_specs=[mb.TensorSpec(shape=(1, 4, 8))], opset_version=ct.target.iOS17)
    def program(x: Any) -> Any:
        places = mb.non_zero(x=mb.relu(x=x))
        return mb.reduce_sum(x=mb.cast(x=places, dtype="fp32"), axes=[0], keep_dims=True)

    assert measure_largest_live_set(program) >= 2 * 4 * 8 * 4
