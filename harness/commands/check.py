"""`harness check`: the gate for CI."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from builder.command_line import console, print_document
from harness.commands.forms import settle_findings
from harness.commands.output import write_findings
from harness.errors import MeasurementError, UsageError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.analysis.gate import Decision
    from harness.analysis.one_sided import OneSided
    from harness.analysis.session_verdict import SessionVerdict
    from harness.records.run import Run


def check(args: argparse.Namespace) -> int:
    """The newest session of each variant on each device; a wrong output (5) is worse than a poor measurement (7). Then the baseline, if given."""
    from harness.analysis.gate import parse_fraction
    from harness.analysis.session_verdict import judge_sessions
    from harness.records.store import read_runs

    if args.baseline is not None and args.max_regression is None:
        raise UsageError("a check against a baseline needs a limit: add --max-regression PERCENT, e.g. 3%.")
    settle_findings(args)
    limit = None if args.max_regression is None else parse_fraction(args.max_regression)
    every = read_runs(args.runs)
    verdicts = judge_sessions(every)
    if not verdicts:
        raise UsageError(
            f"{args.runs} holds no runs to check; measure with 'harness run BUNDLE -d host -o {args.runs}'."
        )
    decisions, alone = ((), ()) if limit is None else _compare(args, every, limit)
    _show(args, verdicts, decisions, alone)
    codes = [verdict.exit_code for verdict in verdicts]
    if VerificationError.exit_code in codes:
        first = verdicts[codes.index(VerificationError.exit_code)]
        raise VerificationError(
            f"{codes.count(VerificationError.exit_code)} of {len(verdicts)} measurements are invalid; "
            f"the first, {first.group.variant}: {first.text}."
        )
    _fail_on_regression(decisions, alone, args)
    if any(codes):
        first = next(verdict for verdict in verdicts if verdict.exit_code)
        raise MeasurementError(
            f"{sum(map(bool, codes))} of {len(verdicts)} measurements are not good enough; "
            f"the first, {first.group.variant}: {first.text}."
        )
    return 0


def _compare(
    args: argparse.Namespace, every: Sequence[Run], limit: float
) -> tuple[tuple[Decision, ...], tuple[OneSided, ...]]:
    """The runs beside the baseline's, or the two builds of one session; and what stands on one side only."""
    from harness.analysis.comparison import compare_builds, compare_runs
    from harness.analysis.gate import decide
    from harness.analysis.one_sided import find_one_sided_builds, find_one_sided_runs
    from harness.records.store import read_runs

    if args.baseline is not None:
        base = read_runs(args.baseline)
        comparisons, alone = compare_runs(base, every), find_one_sided_runs(base, every)
    else:
        comparisons, alone = compare_builds(every), find_one_sided_builds(every)
    if not comparisons:
        raise UsageError(
            f"{args.runs} holds no two builds that were measured in turns: add --baseline RUNS, or measure with 'harness run BASE NEW'."
        )
    return decide(comparisons, limit), alone


def _show(
    args: argparse.Namespace,
    verdicts: Sequence[SessionVerdict],
    decisions: tuple[Decision, ...],
    alone: tuple[OneSided, ...],
) -> None:
    from harness.report.verdicts import make_verdict_json, make_verdicts_table

    if args.json:
        from harness.report.comparison import make_decision_json, make_one_sided_json

        against = (
            {"baseline": make_decision_json(decisions), "one_sided": make_one_sided_json(alone)}
            if args.max_regression is not None
            else {}
        )
        print_document({"runs": [make_verdict_json(verdict) for verdict in verdicts]} | against)
    elif args.format != "table":
        from harness.report.findings import of_decisions, of_one_sided, of_verdicts

        findings = [*of_verdicts(verdicts), *of_decisions(decisions), *of_one_sided(alone)]
        write_findings(args, f"harness check {args.runs}", findings, stores=(args.runs, args.baseline))
    else:
        console.results.print(make_verdicts_table(verdicts))
        if decisions:
            from harness.report.comparison import make_decision_table

            console.results.print(make_decision_table(decisions, alone))


def _fail_on_regression(decisions: tuple[Decision, ...], alone: tuple[OneSided, ...], args: argparse.Namespace) -> None:
    """5 for a regression; 7 where the measurement cannot tell, which includes what may not be compared and what is not there any more."""
    slower = [entry for entry in decisions if entry.outcome == "regression"]
    if slower:
        raise VerificationError(
            f"{len(slower)} of {len(decisions)} comparisons are slower than {args.max_regression} allows; "
            f"the first, {slower[0].comparison.variant} on {slower[0].comparison.device}: {slower[0].why}."
        )
    gone = [entry for entry in alone if entry.side == "base"]
    if gone:
        where = args.baseline or "the older build"
        raise MeasurementError(
            f"{len(gone)} measurements of {where} have none to hold against; the first, {gone[0].variant} on {gone[0].device}: it was removed, got "
            f"another name, or was not measured again; measure it, or make {where} anew without it."
        )
    open_ = [entry for entry in decisions if entry.outcome != "within"]
    if open_:
        raise MeasurementError(
            f"{len(open_)} of {len(decisions)} comparisons with {args.baseline or 'the older build'} could not be decided; "
            f"the first, {open_[0].comparison.variant} on {open_[0].comparison.device}, is {open_[0].outcome}: {open_[0].why}."
        )
