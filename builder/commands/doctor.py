"""`builder doctor`: what is installed and what is missing."""

from __future__ import annotations

from argparse import Namespace

from builder.command_line import print_json
from builder.command_line.console import add_row, make_table, results
from builder.errors import MissingToolError


def doctor(arguments: Namespace) -> None:
    from builder.pipeline.doctor import Finding, examine

    findings = examine()
    if arguments.json:
        print_json(findings, tuple[Finding, ...], named="needs")
    else:
        rows = make_table("what edgebundle needs", "for", "what", "found", "to add it")
        for finding in findings:
            cure = finding.cure if finding.required or not finding.cure else f"(optional) {finding.cure}"
            add_row(rows, finding.part, finding.name, finding.version or "missing", cure)
        results.print(rows)
    missing = [finding for finding in findings if finding.cure and finding.required]
    if missing:
        raise MissingToolError(
            f"{len(missing)} of {len(findings)} needs are not met, first {missing[0].name}: {missing[0].cure}."
        )
