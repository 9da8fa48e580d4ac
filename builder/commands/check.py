"""`builder check`: what can be known in seconds, before any converter starts."""

from __future__ import annotations

from argparse import Namespace

from builder.command_line import print_json
from builder.command_line.console import add_row, make_table, results
from builder.commands.progress import listening
from builder.errors import ConfigError


def check(arguments: Namespace) -> None:
    from builder.pipeline.check import Checked, check_config

    with listening(quiet=arguments.quiet) as listener:
        points = check_config(arguments.config, listener)
    if arguments.json:
        print_json(points, tuple[Checked, ...])
    else:
        rows = make_table(str(arguments.config), "what", "", "found")
        for one in points:
            add_row(rows, one.what, "fault" if one.fault else "good", one.fault or one.note)
        results.print(rows)
    faults = [one for one in points if one.fault]
    if faults:
        error = ConfigError(
            f"{len(faults)} of {len(points)} things cannot be as they are, first {faults[0].what}: {faults[0].fault}"
        )
        error.exit_code = faults[0].exit_code
        raise error
