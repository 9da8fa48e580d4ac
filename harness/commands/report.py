"""`harness show` and `harness report`: what a store holds, in the terminal and as a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from builder.command_line import print_document, print_file
from harness.commands.forms import REPORT_FORMS, settle_form
from harness.commands.output import print_runs, record, say, write_file
from harness.errors import UsageError


def show(args: argparse.Namespace) -> int:
    from builder.command_line.console import results
    from harness.analysis.trends import find_changes
    from harness.records.store import read_runs
    from harness.report.terminal import make_changes_table

    runs = read_runs(args.runs)
    changed = find_changes(runs)
    if args.json:
        print_document({"runs": [record(entry) for entry in runs], "changes": [change.to_json() for change in changed]})
        return 0
    print_runs(runs)
    if changed:
        results.print(make_changes_table(changed))
    return 0


def report(args: argparse.Namespace) -> int:
    from harness.records.profile import read_profiles
    from harness.records.store import open_store
    from harness.report import make_report

    settle_form(args, among=REPORT_FORMS, otherwise="html")
    profiles = tuple(entry for name in args.profile for entry in read_profiles(Path(name)))
    store = open_store(args.runs)
    try:
        held = {entry.variant_sha256 for entry in store.runs()}
        text = (
            "".join(entry.to_json() + "\n" for entry in store.runs())
            if args.format == "jsonl"
            else make_report(store, args.format, profiles)
        )
    finally:
        store.close()
    if not held:
        raise UsageError(
            f"{args.runs} holds no runs to report; measure with 'harness run BUNDLE -d host -o {args.runs}'."
        )
    strange = [entry.variant for entry in profiles if entry.variant_sha256 not in held]
    if strange:
        raise UsageError(
            f"{args.runs} holds no run of the file {strange[0]!r} that was profiled; measure the same bundle."
        )
    if args.output is None and args.format != "html":
        print_file(text)
        return 0
    target = Path(args.output or "report.html")
    write_file(target, text, stores=(args.runs,))
    say(args, f"wrote {target} ({len(text.encode()) / 1e6:.2f} MB)")
    return 0
