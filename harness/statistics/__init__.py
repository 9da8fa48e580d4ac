"""Pure statistics of measured samples. Nothing here knows of devices, files or records, and the same arguments give the same result.

Latencies of one run are neighbours in time: what disturbs one sample disturbs the next. Every interval here counts that in.
"""

from __future__ import annotations

from harness.statistics.change import Shift, Stationarity, find_outliers, judge_stationarity
from harness.statistics.interval import Interval, block_length, median_interval
from harness.statistics.ratio import (
    Ratio,
    find_resolution,
    holm,
    pair_ratio,
    ratio_of_rounds,
    ratio_of_runs,
    ratio_of_sessions,
)
from harness.statistics.summary import (
    Level,
    Summary,
    level_of_rounds,
    level_of_samples,
    level_of_summary,
    log_medians,
    summarize,
)

__all__ = [
    "Interval",
    "Level",
    "Ratio",
    "Shift",
    "Stationarity",
    "Summary",
    "block_length",
    "holm",
    "level_of_rounds",
    "level_of_samples",
    "level_of_summary",
    "log_medians",
    "median_interval",
    "find_outliers",
    "pair_ratio",
    "ratio_of_rounds",
    "ratio_of_runs",
    "ratio_of_sessions",
    "find_resolution",
    "judge_stationarity",
    "summarize",
]
