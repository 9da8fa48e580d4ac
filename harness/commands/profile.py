"""`harness profile`: time by layer."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from builder.command_line import console, print_document
from harness.commands.output import say, write_file
from harness.commands.progress import Progress
from harness.errors import DeviceError, MissingToolError, UsageError

if TYPE_CHECKING:
    from harness.session.profiling import ProfileResult


def profile(args: argparse.Namespace) -> int:
    """Shown, and kept with `-o`; 6 or 3 where a device failed."""
    from harness.session.profiling import Asked, profile_variants, read_damage
    from harness.session.session import open_bundle_or_package

    _check_words(args)
    asked = Asked(
        inferences=args.inferences,
        threads=args.threads,
        variants=tuple(args.variant),
        damage=read_damage(Path(args.damage)) if args.damage is not None else {},
    )
    with open_bundle_or_package(Path(args.bundle)) as bundle, Progress(args) as on_step:
        result = profile_variants(bundle, args.device, asked, on_step)
    _show(args, result)
    failed = [entry for entry in result.skipped if entry.failed]
    if failed:
        kind = MissingToolError if failed[0].exit_code == MissingToolError.exit_code else DeviceError
        raise kind(f"{len(failed)} devices failed; the first, {failed[0].device}: {failed[0].reason}")
    if not result.profiles:
        raise UsageError(
            "no variant of this bundle can be profiled on the devices that were named; see the reasons above."
        )
    return 0


def _check_words(args: argparse.Namespace) -> None:
    from harness.devices import find_device_kind

    for option, value, most in (("--inferences", args.inferences, 1000), ("--threads", args.threads, 64)):
        if not 1 <= value <= most:
            raise UsageError(f"{option} {value} is not possible; write a number from 1 to {most}.")
    for name in args.device:
        find_device_kind(name.partition(":")[0])


def _show(args: argparse.Namespace, result: ProfileResult) -> None:
    from harness.records.profile import Profiles
    from harness.report.profile import make_title, profile_table

    document = Profiles(profiles=result.profiles)
    if args.output is not None and result.profiles:
        write_file(Path(args.output), document.model_dump_json(by_alias=True, indent=1) + "\n", stores=())
        say(args, f"wrote {args.output}; see it beside the runs with: harness report RUNS --profile {args.output}")
    if args.json:
        shown = document.model_dump(mode="json", by_alias=True)
        print_document({**shown, "skipped": [asdict(entry) for entry in result.skipped]})
        return
    from rich.markup import escape

    out = console.results
    for entry in result.profiles:
        out.print(f"[bold]{escape(make_title(entry))}[/bold]", soft_wrap=True)
        out.print(profile_table(entry))
        if entry.unnamed is not None:
            out.print(f"[yellow]layers have no names[/yellow]: {escape(entry.unnamed)}")
        out.print()
    for skipped in result.skipped:
        what = "failed" if skipped.failed else "not profiled"
        out.print(f"[yellow]{what}[/yellow]: {escape(f'{skipped.variant} on {skipped.device}: {skipped.reason}')}")
