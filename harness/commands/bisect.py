"""`harness bisect`: which build made a variant slower."""

from __future__ import annotations

import argparse

from builder.command_line import print_document
from harness.commands.console import stdout_console
from harness.errors import MeasurementError


def bisect(args: argparse.Namespace) -> int:
    """7 where a slow-down is there and the build could not be told."""
    from harness.analysis.bisection import bisect_builds
    from harness.analysis.gate import fraction
    from harness.records.store import stored_runs
    from harness.report.bisection import bisection_json, bisection_table

    found = bisect_builds(stored_runs(args.runs), fraction(args.max_regression))
    if args.json:
        print_document({"variants": [bisection_json(entry) for entry in found]})
    else:
        stdout_console().print(bisection_table(found))
    open_ = [entry for entry in found if entry.state in ("range", "undecided")]
    if open_:
        raise MeasurementError(
            f"{len(open_)} of {len(found)} variants could not be decided; the first, {open_[0].variant} on {open_[0].device}: {open_[0].why}; "
            "measure these builds again into the same store."
        )
    return 0
