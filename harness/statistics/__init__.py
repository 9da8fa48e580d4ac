"""Pure statistics of measured samples. Nothing here knows of devices, files or records, and the same arguments give the same result.

Latencies of one run are neighbours in time: what disturbs one sample disturbs the next. Every interval here counts that in.
"""

from __future__ import annotations

from harness.statistics.change import Shift, Stationarity, find_outliers, judge_stationarity
from harness.statistics.interval import Interval, choose_block_length, estimate_median
from harness.statistics.ratio import (
    Ratio,
    estimate_ratio_of_rounds,
    estimate_ratio_of_runs,
    estimate_ratio_of_sessions,
    find_resolution,
    holm,
    pair_ratio,
)
from harness.statistics.summary import (
    Level,
    Summary,
    estimate_level_of_rounds,
    estimate_level_of_samples,
    estimate_level_of_summary,
    summarize,
    take_log_medians,
)

__all__ = [
    "Interval",
    "Level",
    "Ratio",
    "Shift",
    "Stationarity",
    "Summary",
    "choose_block_length",
    "estimate_level_of_rounds",
    "estimate_level_of_samples",
    "estimate_level_of_summary",
    "estimate_median",
    "estimate_ratio_of_rounds",
    "estimate_ratio_of_runs",
    "estimate_ratio_of_sessions",
    "find_outliers",
    "find_resolution",
    "holm",
    "judge_stationarity",
    "pair_ratio",
    "summarize",
    "take_log_medians",
]
