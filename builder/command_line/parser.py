"""The parser of both commands: `-v`, `-q` and `--version` before or after the verb, no abbreviations, near names for unknown words."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from builder.errors import InputError
from builder.suggest import did_you_mean

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
