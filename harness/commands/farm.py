"""`harness farm`: jobs for hosted device farms, and their results."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands.output import print_runs, say
from harness.errors import UsageError


def farm(args: argparse.Namespace) -> int:
    if (args.package is None) == (args.results is None):
        raise UsageError("give either an APK (to write a farm's job) or --import DIR (to read its results).")
    if args.results is not None:
        return _import_into_farm(args)
    from harness.farm import write_job

    target = Path(args.output or f"{args.format}-job")
    written = write_job(Path(args.package), args.format, args.protocol, args.minutes, target)
    say(args, f"wrote {target} ({', '.join(written)}); the commands to type are in {target / 'commands.sh'}")
    return 0


def _import_into_farm(args: argparse.Namespace) -> int:
    from harness.farm.imported import import_results
    from harness.records.store import fill_store

    where = args.output or "runs.sqlite"
    if not Path(args.results).is_dir():
        raise UsageError(f"{args.results} is not a folder; give the one into which the farm's results were fetched.")
    with fill_store(where) as store:
        imported = import_results(Path(args.results), store)
    print_runs(list(imported.runs))
    known = f", {imported.known} were there already" if imported.known else ""
    say(args, f"kept {len(imported.runs)} runs in {where}{known}; see them with: harness report {where}")
    if imported.damaged:
        raise UsageError(
            f"{len(imported.damaged)} records or files could not be read, all others are in {where}; the first: {imported.damaged[0]}."
        )
    return 0
