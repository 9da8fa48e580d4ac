"""`harness run`: variants measured on devices."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from builder.command_line import console, print_document
from harness.commands.output import print_runs, record, say
from harness.commands.progress import Progress
from harness.errors import DeviceError, MeasurementError, MissingToolError, UsageError, VerificationError

if TYPE_CHECKING:
    from harness.records.run import Run
    from harness.records.way import Cores
    from harness.session.outcome import SessionResult, Skipped

NUMBER, MOST_THREADS = re.compile("[0-9]{1,3}", re.ASCII), 64


def run(args: argparse.Namespace) -> int:
    from harness.devices import find_device_kind
    from harness.protocol import find_protocol
    from harness.records.store import fill_store
    from harness.session.session import open_bundle_or_package, run_session

    protocol = find_protocol(args.protocol)
    for name in args.device:
        find_device_kind(name.partition(":")[0])  # a wrong word must not leave an empty store behind
    names = _on_the_network(args.device) if args.lan else args.device
    if args.new is not None and args.cluster is not None:
        raise UsageError("two builds are measured in turns on this machine's devices only; leave --cluster or NEW out.")
    threads, cores = _threads(args.threads), _cores(args.cores)
    with ExitStack() as stack:
        bundle = stack.enter_context(open_bundle_or_package(Path(args.new or args.bundle)))
        baseline = stack.enter_context(open_bundle_or_package(Path(args.bundle))) if args.new is not None else None
        create = not args.resume or args.cluster is not None
        with fill_store(args.output, create=create) as store, Progress(args) as on_step:
            if args.cluster is not None:
                from harness.session.cluster import run_on_cluster

                result = run_on_cluster(
                    bundle,
                    names,
                    protocol,
                    store,
                    args.cluster,
                    on_step,
                    resume=args.resume,
                    variants=args.variant,
                    threads=threads,
                    cores=cores,
                )
            else:
                result = run_session(
                    bundle,
                    names,
                    protocol,
                    store,
                    on_step,
                    resume=args.resume,
                    baseline=baseline,
                    variants=args.variant,
                    threads=threads,
                    cores=cores,
                )
    _show_result(args, result)
    _fail_on_failed(result.skipped)
    if not result.runs and result.earlier:
        say(args, f"nothing was left to measure: all {len(result.earlier)} runs of the session are in {args.output}")
    elif not result.runs:
        raise UsageError(
            "no variant of this bundle can run on the devices that were named; see the reasons above and choose others with -d."
        )
    _fail_on_invalid([*result.earlier, *result.runs])
    return 0


def _fail_on_failed(skipped: Sequence[Skipped]) -> None:
    """Raises the error of what failed: the first kind that occurs, with the first of all as an example."""
    failed = [one for one in skipped if one.failed]
    if failed:
        kinds = (DeviceError, MissingToolError, MeasurementError)
        kind = next(kind for kind in kinds if any(one.exit_code == kind.exit_code for one in failed))
        raise kind(
            f"{len(failed)} measurements failed; the first, {failed[0].variant} on {failed[0].device}: {failed[0].reason}"
        )


def _threads(text: str | None) -> tuple[int, ...]:
    """`1,2,4`. Raises UsageError."""
    words = [] if text is None else text.split(",")
    if any(not NUMBER.fullmatch(word.strip()) or not 1 <= int(word) <= MOST_THREADS for word in words):
        raise UsageError(
            f"--threads {text} is not possible; write numbers from 1 to {MOST_THREADS}, e.g. --threads 1,2,4."
        )
    return tuple(dict.fromkeys(int(word) for word in words))


def _cores(text: str | None) -> tuple[Cores, ...]:
    """`little,big`. Raises UsageError."""
    from harness.records.way import CORES

    words = [] if text is None else [word.strip() for word in text.split(",")]
    if any(word not in CORES for word in words):
        raise UsageError(f"--cores {text} is not possible; write some of {', '.join(CORES)}, e.g. --cores little,big.")
    return tuple(name for name in CORES if name in words)


def _on_the_network(names: list[str]) -> list[str]:
    """Raises UsageError where no device is a link."""
    if "browser:link" not in names:
        raise UsageError("--lan opens the link of a browser to this network; add -d browser:link, or leave --lan out.")
    return ["browser:lan" if name == "browser:link" else name for name in names]


def _fail_on_invalid(runs: list[Run]) -> None:
    """A wrong output fails a session; a poor measurement is for 'harness check' to judge."""
    from harness.analysis.session_verdict import judge_sessions

    verdicts = judge_sessions(runs)
    wrong = [verdict for verdict in verdicts if verdict.exit_code == VerificationError.exit_code]
    if wrong:
        raise VerificationError(
            f"{len(wrong)} of {len(verdicts)} measurements are invalid; the first, {wrong[0].group.variant}: {wrong[0].text}."
        )


def _show_result(args: argparse.Namespace, result: SessionResult) -> None:
    if args.json:
        print_document(
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
    out = console.results
    if args.new is not None:
        from harness.analysis.comparison import compare_builds
        from harness.report.comparison import make_comparison_table

        out.print(make_comparison_table(compare_builds([*result.earlier, *result.runs])))
    if args.threads is not None or args.cores is not None:
        from harness.report.sweep import make_sweep_table

        out.print(make_sweep_table([*result.earlier, *result.runs]))
    for entry in result.skipped:
        what = "failed" if entry.failed else "not run"
        out.print(f"[yellow]{what}[/yellow]: {escape(entry.variant)} on {escape(entry.device)}: {escape(entry.reason)}")
    if result.runs:
        say(args, f"kept in {args.output}; see it with: harness report {args.output}")
