"""`harness profile`: time by layer."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from builder.command_line import print_document
from harness.commands.console import Progress, say, stdout_console, write_file
from harness.errors import DeviceError, MissingToolError, UsageError


def profile(args: argparse.Namespace) -> int:
    from harness.devices import device_kind
    from harness.records.profile import Profiles
    from harness.report.profile import profile_table, title
    from harness.session.profiling import profile_variants, read_damage
    from harness.session.session import opened_bundle

    if not 1 <= args.inferences <= 1000:
        raise UsageError(f"--inferences {args.inferences} is not possible; write a number from 1 to 1000.")
    if not 1 <= args.threads <= 64:
        raise UsageError(f"--threads {args.threads} is not possible; write a number from 1 to 64.")
    for name in args.device:
        device_kind(name.partition(":")[0])
    damage = read_damage(Path(args.damage)) if args.damage is not None else {}
    with opened_bundle(Path(args.bundle)) as bundle, Progress(args) as on_step:
        found = profile_variants(
            bundle,
            args.device,
            inferences=args.inferences,
            threads=args.threads,
            variants=args.variant,
            damage=damage,
            on_step=on_step,
        )
    document = Profiles(profiles=found.profiles)
    if args.output is not None and found.profiles:
        write_file(Path(args.output), document.model_dump_json(by_alias=True, indent=1) + "\n", stores=())
        say(args, f"wrote {args.output}; see it beside the runs with: harness report RUNS --profile {args.output}")
    if args.json:
        shown = document.model_dump(mode="json", by_alias=True)
        print_document({**shown, "skipped": [asdict(entry) for entry in found.skipped]})
    else:
        from rich.markup import escape

        out = stdout_console()
        for entry in found.profiles:
            out.print(f"[bold]{escape(title(entry))}[/bold]", soft_wrap=True)
            out.print(profile_table(entry))
            if entry.unnamed is not None:
                out.print(f"[yellow]layers have no names[/yellow]: {escape(entry.unnamed)}")
            out.print()
        for skipped in found.skipped:
            what = "failed" if skipped.failed else "not profiled"
            words = f"{skipped.variant} on {skipped.device}: {skipped.reason}"
            out.print(f"[yellow]{what}[/yellow]: {escape(words)}")
    failed = [entry for entry in found.skipped if entry.failed]
    if failed:
        kind = MissingToolError if failed[0].exit_code == MissingToolError.exit_code else DeviceError
        raise kind(f"{len(failed)} devices failed; the first, {failed[0].device}: {failed[0].reason}")
    if not found.profiles:
        raise UsageError(
            "no variant of this bundle can be profiled on the devices that were named; see the reasons above."
        )
    return 0
