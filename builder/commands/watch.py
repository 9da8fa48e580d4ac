"""`builder convert --watch`: the table of each conversion with what changed, until Ctrl-C."""

from __future__ import annotations

from argparse import Namespace

from builder.bundle import Variant
from builder.command_line.console import add_row, make_table, messages, print_line, results
from builder.commands.progress import listening
from builder.commands.tables import summarize_precision
from builder.errors import InputError
from builder.pipeline.watch import Change, Round, place_page, watch


def convert_and_watch(arguments: Namespace) -> None:
    """Ends with Ctrl-C, which is no failure here."""
    if arguments.json:
        raise InputError("--watch prints tables until Ctrl-C; leave out --json, or convert without --watch.")
    print_line(f"pictures: {place_page(arguments.output)} (refreshes itself); Ctrl-C ends")
    try:
        with listening(quiet=arguments.quiet) as listener:
            watch(arguments.config, out=arguments.output, backends=arguments.backend, listener=listener, told=show)
    except KeyboardInterrupt:
        print_line(f"bundle: {arguments.output}")


def show(latest: Round) -> None:
    """One conversion as a table, or its error as a sentence."""
    if latest.error:
        messages.print(f"builder: {latest.error}", markup=False, soft_wrap=True)
        return
    rows = make_table("converted", "variant", "bytes>", "", "worst dB>", "", "delegated>", "", "precision")
    for change in latest.changes:
        add_row(rows, change.variant, *_cells(change))
    results.print(rows)


def _cells(change: Change) -> tuple[str, ...]:
    now, before = change.now, change.before
    if now is None:
        return ("gone", *[""] * 6)
    return (
        f"{now.bytes:,}",
        _more(now.bytes - before.bytes, 0) if before else "",
        now.quality.worst_text,
        _better(now, before) if before else "",
        _format_delegated(now),
        f"was {_format_delegated(before)}" if before and _format_delegated(before) != _format_delegated(now) else "",
        summarize_precision([layer.realised for layer in now.layers]),
    )


def _format_delegated(variant: Variant) -> str:
    return f"{variant.coverage.delegated_ops}/{variant.coverage.total_ops}"


def _better(now: Variant, before: Variant) -> str:
    new, old = now.quality.psnr_db_worst, before.quality.psnr_db_worst
    return "" if new is None or old is None else _more(new - old, 1)


def _more(difference: float, digits: int) -> str:
    return f"{difference:+,.{digits}f}" if round(difference, digits) else "same"
