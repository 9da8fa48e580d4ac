"""What each command of `harness` does: call the library, then print. Results on stdout, messages on stderr."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from harness.console import Progress, print_json, print_runs, record, say, stdout_console, write_file
from harness.errors import DeviceError, MeasurementError, MissingToolError, UsageError, VerificationError

if TYPE_CHECKING:
    from harness.records import Run
    from harness.session import SessionResult


def devices(args: argparse.Namespace) -> int:
    from harness.devices import find_devices

    found = find_devices()
    if args.json:
        print_json({"devices": [asdict(line) for line in found]})
        return 0
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("device", "what it is", "state"):
        table.add_column(heading, overflow="fold")
    for line in found:
        colour = "green" if line.state == "ready" else "yellow"
        table.add_row(
            escape(f"{line.kind}:{line.id}"), escape(line.description), f"[{colour}]{escape(line.state)}[/{colour}]"
        )
    stdout_console().print(table)
    return 0


def run(args: argparse.Namespace) -> int:
    from harness.config import protocol_named
    from harness.devices import device_kind
    from harness.session import opened_bundle, run_session
    from harness.store import open_store

    protocol = protocol_named(args.protocol)
    for name in args.device:
        device_kind(name.partition(":")[0])  # a wrong word must not leave an empty store behind
    with opened_bundle(Path(args.bundle)) as bundle:
        store = open_store(args.output, create=True)
        try:
            with Progress(args) as on_step:
                result = run_session(bundle, args.device, protocol, store, on_step)
        finally:
            store.close()
    _show_result(args, result)
    failed = [skipped for skipped in result.skipped if skipped.failed]
    if failed:
        kind = (
            DeviceError if any(skipped.exit_code == DeviceError.exit_code for skipped in failed) else MissingToolError
        )
        raise kind(
            f"{len(failed)} measurements failed; the first, {failed[0].variant} on {failed[0].device}: {failed[0].reason}"
        )
    if not result.runs:
        raise UsageError(
            "no variant of this bundle can run on the devices that were named; see the reasons above and choose others with -d."
        )
    _fail_on_invalid(list(result.runs))
    return 0


def show(args: argparse.Namespace) -> int:
    from harness.store import stored_runs

    runs = stored_runs(args.runs)
    if args.json:
        print_json({"runs": [record(entry) for entry in runs]})
    else:
        print_runs(runs)
    return 0


def check(args: argparse.Namespace) -> int:
    """Latest run of each variant on each device; an invalid one (5) is worse than an unstable one (7)."""
    from harness.selection import latest
    from harness.store import stored_runs
    from harness.verdicts import grade

    runs = latest(stored_runs(args.runs))
    if not runs:
        raise UsageError(
            f"{args.runs} holds no runs to check; measure with 'harness run BUNDLE -d host -o {args.runs}'."
        )
    if args.json:
        print_json(
            {
                "runs": [
                    {"variant": r.variant, "device": r.device.id, "verdict": r.verdict, "grade": grade(r.verdict)}
                    for r in runs
                ]
            }
        )
    else:
        print_runs(runs)
    _fail_on_invalid(runs)
    unstable = [entry for entry in runs if grade(entry.verdict) == "unstable"]
    if unstable:
        raise MeasurementError(
            f"{len(unstable)} of {len(runs)} runs are not good enough; the first, {unstable[0].variant}: {unstable[0].verdict}."
        )
    return 0


def compare(args: argparse.Namespace) -> int:
    import harness
    from harness.report.comparison import comparison_json, comparison_table
    from harness.verdicts import grade

    found = harness.compare(args.base, args.new)
    if args.json:
        print_json(comparison_json(found))
    else:
        stdout_console().print(comparison_table(found))
    refused = [entry for entry in found if entry.refused is not None]
    if len(refused) == len(found) and any(
        grade(run.verdict) != "ok" for entry in refused for run in (entry.base, entry.new)
    ):
        raise MeasurementError(
            f"no runs of {args.base} and {args.new} may be compared; the first, {refused[0].variant}: {refused[0].refused}."
        )
    if len(refused) == len(found):
        raise UsageError(
            f"no runs of {args.base} and {args.new} may be compared; measure both with the same device and protocol."
        )
    return 0


def report(args: argparse.Namespace) -> int:
    from harness.report import make_report
    from harness.store import open_store

    store = open_store(args.runs)
    try:
        text = (
            "".join(entry.to_json() + "\n" for entry in store.runs())
            if args.format == "jsonl"
            else make_report(store, args.format)
        )
    finally:
        store.close()
    if args.output is None and args.format != "html":
        sys.stdout.write(text)
        return 0
    target = Path(args.output or "report.html")
    write_file(target, text)
    say(args, f"wrote {target} ({len(text.encode()) / 1e6:.2f} MB)")
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "devices": devices,
    "run": run,
    "show": show,
    "check": check,
    "compare": compare,
    "report": report,
}


def _fail_on_invalid(runs: list[Run]) -> None:
    from harness.verdicts import grade

    invalid = [entry for entry in runs if grade(entry.verdict) == "invalid"]
    if invalid:
        raise VerificationError(
            f"{len(invalid)} of {len(runs)} runs are invalid; the first, {invalid[0].variant}: {invalid[0].verdict}."
        )


def _show_result(args: argparse.Namespace, result: SessionResult) -> None:
    if args.json:
        print_json(
            {
                "store": args.output,
                "runs": [record(entry) for entry in result.runs],
                "skipped": [asdict(s) for s in result.skipped],
            }
        )
        return
    from rich.markup import escape

    if result.runs:
        print_runs(list(result.runs))
    out = stdout_console()
    for entry in result.skipped:
        what = "failed" if entry.failed else "not run"
        out.print(f"[yellow]{what}[/yellow]: {escape(entry.variant)} on {escape(entry.device)}: {escape(entry.reason)}")
    if result.runs:
        say(args, f"kept in {args.output}; see it with: harness report {args.output}")
