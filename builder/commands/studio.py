"""`builder studio`: a local page, until Ctrl-C."""

from __future__ import annotations

from argparse import Namespace

from builder.command_line.console import print_line
from builder.commands.progress import listening
from builder.errors import InputError


def studio(arguments: Namespace) -> None:
    """Ends with Ctrl-C, which is no failure here."""
    from builder.pipeline.studio.open import open_desk
    from builder.pipeline.studio.server import Studio

    if arguments.json:
        raise InputError("builder studio serves a page until Ctrl-C; leave out --json.")
    try:
        with (
            listening(quiet=arguments.quiet) as listener,
            open_desk(arguments.source, arguments.backend, listener) as desk,
        ):
            served = Studio(desk, arguments.port)
            print_line(f"open {served.url}  (this computer alone; Ctrl-C ends)")
            served.serve()
    except KeyboardInterrupt:
        print_line("closed; what was exported is in the cache")
