"""A report as one JSON document: each record as it is in the exchange format, with its summary."""

from __future__ import annotations

import json
from dataclasses import asdict

from harness.analysis.processor_use import average_clock, load_beside, measure_top_share
from harness.analysis.throttling import find_throttling, measure_energy
from harness.records.run import Run
from harness.report.model import Entry, Report
from harness.report.verdicts import make_verdict_json
from harness.statistics import Level


def render(report: Report) -> str:
    document = {
        "schema": 1,
        "runs": [
            {
                "record": entry.run.model_dump(mode="json", by_alias=True),
                "latency_ns": None if entry.summary is None else asdict(entry.summary),
                "session": make_verdict_json(entry.verdict),
                "rounds": entry.rounds,
                "level": None if entry.level is None else _level(entry.level),
                "lasting": _lasting(entry),
                "processors": _processors(entry.run),
                "quality": None if entry.variant is None else entry.variant.quality.model_dump(mode="json"),
            }
            for entry in report.entries
        ],
        "profiles": [profile.model_dump(mode="json") for profile in report.profiles],
        "changes": [change.to_json() for chapter in report.chapters for change in chapter.changes],
        "left_out": report.left_out + sum(chapter.left_out for chapter in report.chapters),
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n"


def _level(level: Level) -> dict[str, object]:
    return {"value_ns": level.value, "low_ns": level.low, "high_ns": level.high, "over_rounds": level.between}


def _processors(run: Run) -> dict[str, object] | None:
    """Clocks of each domain and the load by other programs during the timed pass; None for a device without such counters."""
    use = run.processor_use
    if use is None:
        return None
    return {
        "clocks": [
            {
                "policy": state.policy,
                "cpus": state.cpus,
                "mean": average_clock(state).model_dump(mode="json"),
                "at_top_clock": measure_top_share(state).model_dump(mode="json"),
            }
            for state in use.time_in_state
        ],
        "load_beside": load_beside(run).model_dump(mode="json"),
    }


def _lasting(entry: Entry) -> dict[str, object] | None:
    """Throughput of a run over minutes, in inferences per second."""
    lasting = find_throttling(entry.run) if entry.run.protocol.sustained else None
    if lasting is None:
        return None
    return {
        "first_minute": lasting.first_minute,
        "last_minute": lasting.last_minute,
        "peak": lasting.peak,
        "throttled_after_s": lasting.throttled_after_s,
        "energy_per_inference": measure_energy(entry.run).model_dump(mode="json"),
    }
