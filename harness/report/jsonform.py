"""A report as one JSON document: each record as it is in the exchange format, with its summary."""

from __future__ import annotations

import json
from dataclasses import asdict

from harness.report.model import Report


def render(report: Report) -> str:
    document = {
        "schema": 1,
        "runs": [
            {
                "record": entry.run.model_dump(mode="json", by_alias=True),
                "latency_ns": None if entry.summary is None else asdict(entry.summary),
                "quality": None if entry.variant is None else entry.variant.quality.model_dump(mode="json"),
            }
            for entry in report.entries
        ],
        "left_out": report.left_out + sum(chapter.left_out for chapter in report.chapters),
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n"
