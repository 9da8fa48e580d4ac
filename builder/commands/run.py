"""`builder run`: pictures that every variant of a bundle makes of photographs."""

from __future__ import annotations

from argparse import Namespace

from builder.command_line import print_json
from builder.command_line.console import add_row, make_table, print_line, results
from builder.commands.progress import listening


def run(arguments: Namespace) -> None:
    from builder.pipeline.pictures import RunResult, run_pictures

    with listening(quiet=arguments.quiet) as listener:
        result = run_pictures(
            arguments.bundle, arguments.picture, out=arguments.output, config=arguments.source, listener=listener
        )
    if arguments.json:
        print_json(result, RunResult)
        return
    rows = make_table(f"compared with {result.reference}", "picture", "variant", "dB>", "file")
    for shot in result.shots:
        add_row(rows, shot.picture, shot.variant, "" if shot.psnr_db is None else f"{shot.psnr_db:.1f}", str(shot.file))
    results.print(rows)
    print_line(f"page: {result.page}")
