"""What `builder` and `harness` share on the command line: options, near names, messages, exit codes, JSON. One habit for both.

`-v`, `-q` and `--version` stand before or after the verb. No option may be abbreviated: a script would change its meaning with the next
option. An unknown verb, option or value is told with the nearest known one.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

from builder.errors import InputError, ShownError
from builder.suggest import did_you_mean

EXIT_INTERRUPTED = 130
EXIT_CODES = """\
exit codes: 0 done, 2 bad input or usage, 3 a tool is missing, 4 conversion failed, 5 an output is wrong or a budget is not met,
6 a device failed, 7 a measurement is not good enough, 130 interrupted
"""


class Parser(argparse.ArgumentParser):
    """argparse whose errors are ours, so that they are shown and counted like all others. `version` makes it a command's own parser."""

    def __init__(self, *, version: str = "", **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**settings, allow_abbrev=False)
        self._verbs: Any = None
        self._version = version
        if version:
            self.epilog = f"{self.epilog or ''}\n{EXIT_CODES}".lstrip("\n")
            self._verbs = self.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
            self._add_common(version)

    def verb(self, name: str, text: str, *, json: bool = True, example: str = "") -> Parser:
        """A command below this one; its function is found by its name."""
        description = text[:1].upper() + text[1:] + "."
        made: Parser = self._verbs.add_parser(
            name, help=text, description=description, epilog=f"example:\n  {example}" if example else None
        )
        made._add_common(self._version)
        if json:
            made.add_argument(
                "--json",
                action="store_true",
                default=argparse.SUPPRESS,
                help="print one JSON document and nothing else",
            )
        return made

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """The arguments of a command. Raises InputError for what it does not know, with what is near."""
        given = argparse.Namespace(verbose=False, quiet=False, json=False)
        if "" in words:
            self.error("an argument is empty; a variable of your script may be unset")
        try:
            arguments, unknown = self.parse_known_args(list(words), given)
        except InputError:
            # An option that is written wrongly is the better reason than the one that is missing for it.
            verb = next((word for word in words if word in self._verbs.choices), None)
            known: Parser = self if verb is None else self._verbs.choices[verb]
            for word in words:
                if word.startswith("--") and word.partition("=")[0] not in known._options():
                    known._refuse(word)
            raise
        if unknown:
            (self if arguments.command is None else self._verbs.choices[arguments.command])._refuse(unknown[0])
        return arguments

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see '{self.prog} --help').")

    def _add_common(self, version: str) -> None:
        # A default would overwrite what stands before the verb.
        given: dict[str, Any] = {"action": "store_true", "default": argparse.SUPPRESS}
        self.add_argument("-v", "--verbose", **given, help="show every finding, and where an error came from")
        self.add_argument("-q", "--quiet", **given, help="no messages and no progress bars")
        self.add_argument("--version", action="version", version=version, help="show the version and exit")

    def _refuse(self, word: str) -> NoReturn:
        if not word.startswith("-"):
            self.error(f"{word!r} is one argument too many")
        name = word.partition("=")[0]
        raise InputError(f"there is no option {name!r}{did_you_mean(name, self._options())}")

    def _options(self) -> list[str]:
        return [option for action in self._actions for option in action.option_strings]

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            what = "a command" if action.dest == "command" else f"a {action.dest}"
            raise InputError(f"{value!r} is not {what}{did_you_mean(str(value), map(str, action.choices))}")


def run(
    parser: Parser,
    words: Sequence[str] | None,
    call: Callable[[argparse.Namespace], int | None],
    *,
    interrupted: str,
) -> int:
    """Parse, call, and turn every error into one sentence on stderr and an exit code. `interrupted` says what was kept."""
    given = list(sys.argv[1:] if words is None else words)
    _ready_streams()
    signal.signal(signal.SIGTERM, _end_on_signal)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup asks for going on
        signal.signal(signal.SIGHUP, _end_on_signal)
    name = parser.prog
    try:
        arguments = parser.parse(given)
        if arguments.command is None:
            parser.print_help(sys.stderr)
            return InputError.exit_code
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
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of stdout went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        reason = error.strerror or str(error) or type(error).__name__
        print(f"{name}: error: {where}{reason}; check the path, its permissions and the free space.", file=sys.stderr)
        return InputError.exit_code
    return code


def print_document(document: object) -> None:
    """One JSON document on stdout, as `--json` of every command writes it; what the stream's encoding lacks is escaped as JSON does."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False)
    sys.stdout.write(text + "\n")


def print_file(text: str) -> None:
    """A file's text on stdout, in UTF-8 whatever the terminal has: the file says so of itself, and is redirected more often than read."""
    sys.stdout.flush()
    bytes_of = getattr(sys.stdout, "buffer", None)
    if bytes_of is None:
        sys.stdout.write(text)
    else:
        bytes_of.write(text.encode())


def _ready_streams() -> None:
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


def _end_on_signal(number: int, frame: FrameType | None) -> None:
    """As Ctrl-C. A terminal that closes says so twice, by its shell and by the kernel: the second must not stop what is set back."""
    for again in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(again, signal.SIG_IGN)
    raise KeyboardInterrupt
