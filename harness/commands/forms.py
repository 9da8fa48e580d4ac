"""In which form a command writes: what `--format` says, or the ending of `-o`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from harness.errors import UsageError

FINDING_FORMS = ("table", "markdown", "html", "junit")
REPORT_FORMS = ("html", "json", "markdown", "junit", "jsonl")
# What the ending of `-o` asks for where no `--format` does.
ENDINGS = {".html": "html", ".htm": "html", ".md": "markdown", ".xml": "junit", ".json": "json", ".jsonl": "jsonl"}


def settle_form(args: argparse.Namespace, *, among: Sequence[str], otherwise: str) -> None:
    """Set `args.format` where `--format` was left out: by the ending of `-o`, else `otherwise`. Raises UsageError for an ending that names none."""
    ending = Path(args.output or "").suffix.lower()
    if args.format is not None or not ending:
        args.format = args.format or otherwise
        return
    form = ENDINGS.get(ending)
    if form not in among:
        known = ", ".join(name for name, form in ENDINGS.items() if form in among)
        raise UsageError(
            f"{args.output} ends in {ending!r}, which names no form that can be written; end it in one of {known}, or add e.g. --format markdown."
        )
    args.format = form


def settle_findings(args: argparse.Namespace) -> None:
    """The form of what `check` and `compare` find. Raises UsageError where `-o` would be passed over: tables and JSON go to stdout."""
    if args.json and args.output is not None:
        raise UsageError(
            f"JSON goes to stdout and -o {args.output} would stay unwritten; add e.g. --format markdown in place of --json, or leave -o out."
        )
    settle_form(args, among=FINDING_FORMS, otherwise="table")
    if args.output is not None and args.format == "table":
        raise UsageError(
            f"a table goes to stdout and -o {args.output} would stay unwritten; add e.g. --format markdown, or leave -o out."
        )
