"""What each command of `harness` does: call the library, then print. Results on stdout, messages on stderr."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import DeviceError, MeasurementError, MissingToolError, UsageError, VerificationError

if TYPE_CHECKING:
    from rich.console import Console

    from harness.records import Run
    from harness.session import SessionResult, Step

WIDE = 160  # columns where there is no terminal to ask: a log should not fold its tables


def devices(args: argparse.Namespace) -> int:
    from harness.devices import find_devices

    found = find_devices()
    if args.json:
        _print_json({"devices": [asdict(line) for line in found]})
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
    _console().print(table)
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
            with _progress(args) as on_step:
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
        _print_json({"runs": [_record(entry) for entry in runs]})
    else:
        _print_runs(runs)
    return 0


def check(args: argparse.Namespace) -> int:
    """Latest run of each variant on each device; an invalid one (5) is worse than an unstable one (7)."""
    from harness.report.model import latest
    from harness.store import stored_runs
    from harness.verdicts import grade

    runs = latest(stored_runs(args.runs))
    if not runs:
        raise UsageError(
            f"{args.runs} holds no runs to check; measure with 'harness run BUNDLE -d host -o {args.runs}'."
        )
    if args.json:
        _print_json(
            {
                "runs": [
                    {"variant": r.variant, "device": r.device.id, "verdict": r.verdict, "grade": grade(r.verdict)}
                    for r in runs
                ]
            }
        )
    else:
        _print_runs(runs)
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

    found = harness.compare(args.base, args.new)
    if args.json:
        _print_json(comparison_json(found))
    else:
        _console().print(comparison_table(found))
    if all(entry.refused is not None for entry in found):
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
    _write(target, text)
    _say(args, f"wrote {target} ({len(text.encode()) / 1e6:.2f} MB)")
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
        _print_json(
            {
                "store": args.output,
                "runs": [_record(entry) for entry in result.runs],
                "skipped": [asdict(s) for s in result.skipped],
            }
        )
        return
    from rich.markup import escape

    if result.runs:
        _print_runs(list(result.runs))
    console = _console()
    for entry in result.skipped:
        what = "failed" if entry.failed else "not run"
        console.print(
            f"[yellow]{what}[/yellow]: {escape(entry.variant)} on {escape(entry.device)}: {escape(entry.reason)}"
        )
    if result.runs:
        _say(args, f"kept in {args.output}; see it with: harness report {args.output}")


class _progress:
    """A progress bar on stderr while the variants are measured; nothing without a terminal."""

    def __init__(self, args: argparse.Namespace) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=args.quiet or args.json or not sys.stderr.isatty(),
        )
        self._task = self._bars.add_task("measuring", total=None)

    def __enter__(self) -> Callable[[Step], None]:
        self._bars.start()
        return lambda step: self._bars.update(
            self._task, description=f"{step.variant} on {step.device}", completed=step.index, total=step.total
        )

    def __exit__(self, *rest: object) -> None:
        self._bars.stop()


def _console() -> Console:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else WIDE)


def _print_runs(runs: list[Run]) -> None:
    from harness.report.terminal import runs_table

    _console().print(runs_table(runs))


def _record(entry: Run) -> dict[str, object]:
    return entry.model_dump(mode="json", by_alias=True)


def _print_json(document: object) -> None:
    print(json.dumps(document, ensure_ascii=False, allow_nan=False))


def _say(args: argparse.Namespace, text: str) -> None:
    if not args.quiet:
        print(text, file=sys.stderr)


def _write(target: Path, text: str) -> None:
    """Whole or not at all: written beside the target, then renamed over it."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"{target} cannot be written ({error.strerror}); choose another place with -o.") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
