"""From the words of a command line to an exit code: streams and signals made ready, every error one sentence on stderr."""

from __future__ import annotations

import argparse
import io
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress

from builder import interrupt
from builder.command_line.parser import Parser
from builder.errors import ExitCode, ShownError


def run(
    parser: Parser,
    words: Sequence[str] | None,
    call: Callable[[argparse.Namespace], int | None],
    *,
    interrupted: str,
) -> int:
    """Parse, call, and turn every error into one sentence on stderr and an exit code. `interrupted` says what was kept."""
    given = list(sys.argv[1:] if words is None else words)
    _open_streams()
    interrupt.listen()
    name = parser.prog
    try:
        arguments = parser.parse(given)
        if arguments.command is None:
            parser.print_help(sys.stderr)
            return ExitCode.BAD_INPUT
        code = call(arguments) or 0
        sys.stdout.flush()  # so that a closed pipe shows here and not at exit
    except ShownError as error:
        if {"-v", "--verbose"} & set(given):
            traceback.print_exception(error)
        print(f"{name}: error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        with suppress(OSError):  # the terminal may be gone: that is why it was interrupted
            print(f"{name}: interrupted; {interrupted}.", file=sys.stderr, flush=True)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:  # the reader of stdout went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        reason = error.strerror or str(error) or type(error).__name__
        print(f"{name}: error: {where}{reason}; check the path, its permissions and the free space.", file=sys.stderr)
        return ExitCode.BAD_INPUT
    return code


def _open_streams() -> None:
    """Streams that every writer may use. A closed one leads nowhere, so that no file gets its number and is printed into; a character that a
    stream's encoding does not have is written as its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
