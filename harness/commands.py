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
    from harness.gate import Decision
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


def pair(args: argparse.Namespace) -> int:
    """The code comes from the terminal, unseen, or from a pipe; never from the command line, which every user can read."""
    from getpass import getpass

    from harness.devices.adb_wireless import check_address
    from harness.devices.adb_wireless import pair as paired

    check_address(args.address)
    code = getpass("code that the phone shows: ") if sys.stdin.isatty() else sys.stdin.readline()
    paired(args.address, code.strip())
    print(f"paired with {args.address}")
    say(
        args,
        "measure with '-d android:HOST:PORT', both from the phone's page 'Wireless debugging' (it is another port than for pairing); "
        "the phone is connected then",
    )
    return 0


def run(args: argparse.Namespace) -> int:
    from harness.config import protocol_named
    from harness.devices import device_kind
    from harness.session import opened_bundle, run_session
    from harness.store import open_store

    protocol = protocol_named(args.protocol)
    for name in args.device:
        device_kind(name.partition(":")[0])  # a wrong word must not leave an empty store behind
    if args.resume and args.cluster is not None:
        raise UsageError(
            "--resume goes on with a session of this machine; leave --cluster out, or start a new session."
        )
    with opened_bundle(Path(args.bundle)) as bundle:
        store = open_store(args.output, create=not args.resume)
        try:
            with Progress(args) as on_step:
                if args.cluster is not None:
                    from harness.cluster import run_on_cluster

                    result = run_on_cluster(bundle, args.device, protocol, store, args.cluster, on_step)
                else:
                    result = run_session(bundle, args.device, protocol, store, on_step, resume=args.resume)
        finally:
            store.close()
    _show_result(args, result)
    failed = [skipped for skipped in result.skipped if skipped.failed]
    if failed:
        kinds = (DeviceError, MissingToolError, MeasurementError)  # the first that occurs
        kind = next(kind for kind in kinds if any(skipped.exit_code == kind.exit_code for skipped in failed))
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
    """Latest run of each variant on each device; a wrong output (5) is worse than a poor measurement (7). Then the baseline, if given."""
    from harness.gate import fraction
    from harness.selection import latest
    from harness.store import stored_runs
    from harness.verdicts import exit_code, grade

    if (args.baseline is None) != (args.max_regression is None):
        missing = "--baseline RUNS" if args.baseline is None else "--max-regression PERCENT, e.g. 3%"
        raise UsageError(f"a check against a baseline needs both: add {missing}.")
    limit = None if args.max_regression is None else fraction(args.max_regression)
    every = stored_runs(args.runs)
    runs = latest(every)
    if not runs:
        raise UsageError(
            f"{args.runs} holds no runs to check; measure with 'harness run BUNDLE -d host -o {args.runs}'."
        )
    decisions: tuple[Decision, ...] = ()
    if limit is not None:
        from harness.comparison import compare_runs
        from harness.gate import decide

        decisions = decide(compare_runs(stored_runs(args.baseline), every), limit)
    if args.json:
        from harness.report.comparison import decision_json

        shown = [
            {"variant": r.variant, "device": r.device.id, "verdict": r.verdict, "grade": grade(r.verdict)} for r in runs
        ]
        print_json({"runs": shown} | ({"baseline": decision_json(decisions)} if limit is not None else {}))
    else:
        print_runs(runs)
        if decisions:
            from harness.report.comparison import decision_table

            stdout_console().print(decision_table(decisions))
    codes = [exit_code(entry.verdict) for entry in runs]
    if VerificationError.exit_code in codes:
        first = runs[codes.index(VerificationError.exit_code)]
        raise VerificationError(
            f"{codes.count(VerificationError.exit_code)} of {len(runs)} runs are invalid; the first, {first.variant}: {first.verdict}."
        )
    _fail_on_regression(decisions, args)
    if any(codes):
        first = runs[next(index for index, code in enumerate(codes) if code)]
        raise MeasurementError(
            f"{sum(map(bool, codes))} of {len(runs)} runs are not good enough; the first, {first.variant}: {first.verdict}."
        )
    return 0


def _fail_on_regression(decisions: tuple[Decision, ...], args: argparse.Namespace) -> None:
    """5 for a regression; 7 where the measurement cannot tell, which includes what may not be compared."""
    slower = [entry for entry in decisions if entry.outcome == "regression"]
    if slower:
        raise VerificationError(
            f"{len(slower)} of {len(decisions)} comparisons are slower than {args.max_regression} allows; "
            f"the first, {slower[0].comparison.variant} on {slower[0].comparison.device}: {slower[0].why}."
        )
    open_ = [entry for entry in decisions if entry.outcome != "within"]
    if open_:
        raise MeasurementError(
            f"{len(open_)} of {len(decisions)} comparisons with {args.baseline} could not be decided; "
            f"the first, {open_[0].comparison.variant} on {open_[0].comparison.device}, is {open_[0].outcome}: {open_[0].why}."
        )


def compare(args: argparse.Namespace) -> int:
    import harness
    from harness.report.comparison import comparison_json, comparison_table
    from harness.verdicts import grade

    if args.parity:
        return _parity(args)
    found = harness.compare(args.base, args.new)
    if args.json:
        print_json(comparison_json(found))
    else:
        stdout_console().print(comparison_table(found))
    refused = [entry for entry in found if entry.refused is not None]
    stores = f"no runs of {args.base} and {args.new}" if args.new else f"no two variants of {args.base}"
    if len(refused) == len(found) and any(
        grade(run.verdict) != "ok" for entry in refused for run in (entry.base, entry.new)
    ):
        raise MeasurementError(f"{stores} may be compared; the first, {refused[0].variant}: {refused[0].refused}.")
    if len(refused) == len(found):
        raise UsageError(f"{stores} may be compared; measure both with the same device and protocol.")
    return 0


def _parity(args: argparse.Namespace) -> int:
    """5 where outputs differ; 7 where latencies do, or where the runs cannot tell."""
    from harness.parity import EXIT_CODES, parity
    from harness.report.parity import parity_json, parity_table
    from harness.store import stored_runs

    if args.new is not None:
        raise UsageError(f"parity is between the two modes of one store; leave {args.new} out.")
    found = parity(stored_runs(args.base))
    if args.json:
        print_json(parity_json(found))
    else:
        stdout_console().print(parity_table(found))
        for entry in found:
            for cause in entry.causes:
                say(args, f"{entry.variant} on {entry.phone}, a usual cause: {cause}")
    failed = [entry for entry in found if EXIT_CODES[entry.outcome]]
    if failed:
        first = min(failed, key=lambda entry: EXIT_CODES[entry.outcome])
        kind = VerificationError if EXIT_CODES[first.outcome] == VerificationError.exit_code else MeasurementError
        raise kind(
            f"{len(failed)} of {len(found)} variants have no parity; the first, {first.variant} on {first.phone}, {first.outcome}: {first.why}."
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


def worker(args: argparse.Namespace) -> int:
    from harness.cluster import serve
    from harness.devices import device_kind, find_devices

    for name in args.device or ():
        device_kind(name.partition(":")[0])
    ready = [line for line in find_devices() if line.state == "ready" and line.kind != "replay"]
    names = [line.kind if line.kind in ("host", "arm64") else f"{line.kind}:{line.id}" for line in ready]
    offered = list(dict.fromkeys(args.device or names))
    if not offered:
        raise UsageError("no device is ready here; see 'harness devices', or name one with -d.")
    serve(args.scheduler, offered, lambda address: say(args, f"{address} offers {', '.join(offered)}; Ctrl-C ends it"))
    return 0


def farm(args: argparse.Namespace) -> int:
    if (args.package is None) == (args.results is None):
        raise UsageError("give either an APK (to write a farm's job) or --import DIR (to read its results).")
    if args.results is not None:
        return _farm_import(args)
    from harness.farm import write_job

    target = Path(args.output or f"{args.format}-job")
    written = write_job(Path(args.package), args.format, args.protocol, args.minutes, target)
    say(args, f"wrote {target} ({', '.join(written)}); the commands to type are in {target / 'commands.sh'}")
    return 0


def _farm_import(args: argparse.Namespace) -> int:
    from harness.farm.imported import import_results
    from harness.store import open_store

    where = args.output or "runs.sqlite"
    if not Path(args.results).is_dir():
        raise UsageError(f"{args.results} is not a folder; give the one into which the farm's results were fetched.")
    store = open_store(where, create=True)
    try:
        found = import_results(Path(args.results), store)
    finally:
        store.close()
    print_runs(list(found.runs))
    known = f", {found.known} were there already" if found.known else ""
    say(args, f"kept {len(found.runs)} runs in {where}{known}; see them with: harness report {where}")
    return 0


def rank(args: argparse.Namespace) -> int:
    from harness.ranking import measured_rankings, write_ranked
    from harness.session import opened_bundle
    from harness.store import stored_runs

    with opened_bundle(Path(args.bundle)) as bundle:
        rankings = measured_rankings(stored_runs(args.runs), bundle)
        write_ranked(bundle, rankings, Path(args.output))
    if args.json:
        print_json({"bundle": args.output, "rankings": [ranking.model_dump(mode="json") for ranking in rankings]})
        return 0
    for ranking in rankings:
        print(f"{ranking.soc or ranking.model}: {', '.join(ranking.variants)}")
    say(args, f"wrote {args.output}; package it with: builder package {args.output} --target android -o dist")
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "devices": devices,
    "pair": pair,
    "run": run,
    "show": show,
    "check": check,
    "compare": compare,
    "report": report,
    "worker": worker,
    "farm": farm,
    "rank": rank,
}


def _fail_on_invalid(runs: list[Run]) -> None:
    """A wrong output fails a session; a poor measurement is for 'harness check' to judge."""
    from harness.verdicts import exit_code

    wrong = [entry for entry in runs if exit_code(entry.verdict) == VerificationError.exit_code]
    if wrong:
        raise VerificationError(
            f"{len(wrong)} of {len(runs)} runs are invalid; the first, {wrong[0].variant}: {wrong[0].verdict}."
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
