"""What the commands write: runs and findings on stdout, messages on stderr, files whole or not at all."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from builder.command_line import print_file
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.records.run import Run
    from harness.report.findings import Finding

SQLITE = b"SQLite format 3\0"  # how such a file begins (sqlite.org/fileformat.html)


def print_runs(runs: list[Run]) -> None:
    from builder.command_line import console
    from harness.report.terminal import runs_table

    console.results.print(runs_table(runs))


def record(entry: Run) -> dict[str, object]:
    return entry.model_dump(mode="json", by_alias=True)


def say(args: argparse.Namespace, text: str) -> None:
    if not args.quiet:
        print(text, file=sys.stderr)


def write_findings(
    args: argparse.Namespace, title: str, findings: Sequence[Finding], *, stores: Sequence[str | None]
) -> None:
    """In the form that `--format` names, into `-o` or on stdout."""
    from harness.report.findings import FORMS

    text = FORMS[args.format](title, findings)
    if args.output is None:
        print_file(text)
        return
    write_file(Path(args.output), text, stores=stores)
    say(args, f"wrote {args.output}")


def write_file(target: Path, text: str, *, stores: Sequence[str | None]) -> None:
    """Whole or not at all: written beside the target, then renamed over it; a device or pipe is written to as it is.

    Raises UsageError, also where the target is a store: one of those that were read, or any other.
    """
    try:
        if target.exists() and not target.is_file():
            with target.open("w", encoding="utf-8") as stream:
                stream.write(text)
            return
        target = target.resolve()  # a link stays a link
        if target.exists() and _is_store(target, stores):
            raise UsageError(
                f"{target} is a store of run records, which a report would replace; choose another place with -o."
            )
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


def _is_store(target: Path, stores: Sequence[str | None]) -> bool:
    if any(store is not None and Path(store).is_file() and target.samefile(store) for store in stores):
        return True
    with target.open("rb") as stream:
        return stream.read(len(SQLITE)) == SQLITE


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
