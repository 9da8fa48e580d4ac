"""`builder export`: the source model as files for other runtimes."""

from __future__ import annotations

from argparse import Namespace

from builder.command_line import print_json
from builder.command_line.console import add_row, make_table, print_line, results
from builder.commands.progress import listening
from builder.pipeline import story


def export(arguments: Namespace) -> None:
    from builder.workers.messages import ExportResult

    with listening(quiet=arguments.quiet) as listener:
        exported = story.export(
            arguments.config,
            formats=arguments.format,
            dynamic=arguments.dynamic,
            out=arguments.output,
            listener=listener,
            fresh=arguments.fresh,
        )
    if arguments.json:
        print_json(exported, tuple[ExportResult, ...], named="exports")
        return
    rows = make_table("exports", "format", "file", "worst dB>", "samples>", "run by")
    for result in exported:
        for file in result.files:
            agreement = result.agreement
            add_row(
                rows,
                result.format,
                file.file,
                f"{agreement.psnr_db_worst:.1f}",
                str(agreement.samples),
                agreement.runtime,
            )
    results.print(rows)
    print_line(f"exports: {arguments.output}")
