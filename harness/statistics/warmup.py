"""Where the warm-up of a series of latencies ends: found in the series, not assumed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# The 5 of MSER-5, samples that are looked at as one.
BATCH = 5
# Of the series; a minimum beyond means that it never settled.
LONGEST = 0.5


def find_warmup_length(samples: Sequence[int]) -> int:
    """How many of the first samples to drop, by the rule MSER-5 (White, Cobb and Spratt 2000, Winter Simulation Conference).

    The series is cut where the standard error of the mean of what remains, over means of batches of five, is smallest. At
    most half of it is dropped. Medians stand for the means of the batches: one interrupted inference is no warm-up.
    """
    values = np.asarray(samples, np.float64)
    batches = np.median(values[: values.size // BATCH * BATCH].reshape(-1, BATCH), axis=1)
    count = batches.size
    if count < 4:
        return 0
    left = np.arange(count, 0, -1)
    sums, squares = np.cumsum(batches[::-1])[::-1], np.cumsum(batches[::-1] ** 2)[::-1]
    error = (squares - sums**2 / left) / left**2
    return int(np.argmin(error[: int(count * LONGEST) + 1])) * BATCH
