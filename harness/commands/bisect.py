"""`harness bisect`: which build made a variant slower."""

from __future__ import annotations

import argparse

from builder.command_line import console, print_document
from harness.errors import MeasurementError


def bisect(args: argparse.Namespace) -> int:
    """7 where a slow-down is there and the build could not be told."""
    from harness.analysis.bisection import bisect_builds
    from harness.analysis.gate import parse_fraction
    from harness.records.store import read_runs
    from harness.report.bisection import make_bisection_json, make_bisection_table

    bisections = bisect_builds(read_runs(args.runs), parse_fraction(args.max_regression))
    if args.json:
        print_document({"variants": [make_bisection_json(entry) for entry in bisections]})
    else:
        console.results.print(make_bisection_table(bisections))
    open_ = [entry for entry in bisections if entry.state in ("range", "undecided")]
    if open_:
        raise MeasurementError(
            f"{len(open_)} of {len(bisections)} variants could not be decided; the first, {open_[0].variant} on {open_[0].device}: {open_[0].why}; "
            "measure these builds again into the same store."
        )
    return 0
