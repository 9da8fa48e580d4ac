"""`builder init`: the first builder.toml."""

from __future__ import annotations

from argparse import Namespace

from builder.command_line import print_json
from builder.command_line.console import print_line
from builder.commands.progress import listening


def init(arguments: Namespace) -> None:
    from builder.pipeline.init import Initialised
    from builder.pipeline.init import init as write

    with listening(quiet=arguments.quiet) as listener:
        made = write(arguments.model, out=arguments.output, listener=listener)
    if arguments.json:
        print_json(made, Initialised)
        return
    print_line(f"written: {made.config}")
    for question in made.open_questions:
        print_line(f"to do: {question}")
