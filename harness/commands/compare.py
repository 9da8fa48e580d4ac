"""`harness compare`: two stores, variant by variant."""

from __future__ import annotations

import argparse

from builder.command_line import console, print_document
from harness.commands.forms import settle_findings
from harness.commands.output import say, write_findings
from harness.errors import MeasurementError, UsageError, VerificationError


def compare(args: argparse.Namespace) -> int:
    import harness
    from harness.analysis.one_sided import find_one_sided_builds, find_one_sided_runs
    from harness.records.store import read_runs
    from harness.report.comparison import make_comparison_json, make_comparison_table, make_one_sided_json

    settle_findings(args)
    if args.parity:
        return _parity(args)
    comparisons = harness.compare(args.base, args.new)
    base = read_runs(args.base)
    alone = find_one_sided_runs(base, read_runs(args.new)) if args.new is not None else find_one_sided_builds(base)
    if args.json:
        print_document(make_comparison_json(comparisons) | {"one_sided": make_one_sided_json(alone)})
    elif args.format != "table":
        from harness.report.findings import of_comparisons, of_one_sided

        title = f"harness compare {args.base} {args.new or ''}".strip()
        write_findings(args, title, [*of_comparisons(comparisons), *of_one_sided(alone)], stores=(args.base, args.new))
    else:
        console.results.print(make_comparison_table(comparisons, alone))
    refused = [entry for entry in comparisons if entry.refused is not None]
    stores = f"no runs of {args.base} and {args.new}" if args.new else f"no two variants of {args.base}"
    if len(refused) == len(comparisons) and any(
        run.verdict.grade != "ok" for entry in refused for run in (entry.base, entry.new)
    ):
        raise MeasurementError(f"{stores} may be compared; the first, {refused[0].variant}: {refused[0].refused}.")
    if len(refused) == len(comparisons):
        raise UsageError(f"{stores} may be compared; measure both with the same device and protocol.")
    return 0


def _parity(args: argparse.Namespace) -> int:
    """5 where outputs differ; 7 where latencies do, or where the runs cannot tell."""
    from harness.analysis.mode_parity import EXIT_CODES, compare_modes
    from harness.records.store import read_runs
    from harness.report.parity import make_parity_json, make_parity_table

    if args.new is not None:
        raise UsageError(f"parity is between the two modes of one store; leave {args.new} out.")
    if args.format != "table":
        raise UsageError(
            f"parity is written as a table or as JSON, not as {args.format}; leave --format and -o out, or add --json in their place."
        )
    parities = compare_modes(read_runs(args.base))
    if args.json:
        print_document(make_parity_json(parities))
    else:
        console.results.print(make_parity_table(parities))
        for entry in parities:
            for cause in entry.causes:
                say(args, f"{entry.variant} on {entry.phone}, a usual cause: {cause}")
    failed = [entry for entry in parities if EXIT_CODES[entry.outcome]]
    if failed:
        first = min(failed, key=lambda entry: EXIT_CODES[entry.outcome])
        kind = VerificationError if EXIT_CODES[first.outcome] == VerificationError.exit_code else MeasurementError
        raise kind(
            f"{len(failed)} of {len(parities)} variants have no parity; the first, {first.variant} on {first.phone}, {first.outcome}: {first.why}."
        )
    return 0
