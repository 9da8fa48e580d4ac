"""The `harness` command: parses, calls, prints. The only place of the package that catches errors and writes to the terminal."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from harness.devices import DEVICES
from harness.errors import HarnessError, UsageError

PROTOCOL_NAMES = ("quick", "standard", "sustained")  # of harness.protocol, which takes long to import

EXAMPLES = """examples:
  harness devices
  harness run dist/bundle -d host -d arm64 --protocol standard -o runs.sqlite
  harness report runs.sqlite -o report.html
  harness compare before.sqlite after.sqlite
  harness check runs.sqlite --baseline before.sqlite --max-regression 3%

exit codes: 0 done, 2 bad input or usage, 3 a tool is missing, 5 an output is wrong or a run is invalid,
6 a device failed, 7 a measurement is not good enough, 130 interrupted
"""


class Parser(argparse.ArgumentParser):
    """argparse that raises our own error and names the nearest word that it knows."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see '{self.prog} --help'.")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            self.error(
                f"{value!r} is not {'a command' if action.dest == 'command' else 'a ' + action.dest}{near(str(value), known)}"
            )

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        args, unknown = self.parse_known_args(argv)
        if unknown:
            options: list[str] = args.options
            args.parser.error(f"there is no option {unknown[0]!r}{near(unknown[0], options)}")
        return args


def near(word: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    found = get_close_matches(word, known, n=1)
    return f" (did you mean {found[0]!r}?)" if found else f" (known: {', '.join(known)})"


def build_parser() -> Parser:
    parser = Parser(
        prog="harness",
        description="Measure a bundle on devices, with the conditions that make the numbers mean something.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=ShowVersion, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)

    def command(name: str, help_text: str, example: str, *, json: bool = True) -> Parser:
        made: Parser = commands.add_parser(
            name,
            help=help_text,
            description=help_text[0].upper() + help_text[1:] + ".",
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        made.add_argument("-v", "--verbose", action="store_true", help="show where an error came from")
        made.add_argument("-q", "--quiet", action="store_true", help="no messages and no progress bar")
        made.add_argument("--version", action=ShowVersion, nargs=0, help="show the version and exit")
        if json:
            made.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
        return made

    command("devices", "list the devices that can be measured on, and why one cannot", "harness devices --json")
    pair = command(
        "pair",
        "pair with a phone over the network by the code that it shows, which is asked for",
        "harness pair 192.168.1.20:37045",
        json=False,
    )
    pair.add_argument(
        "address", metavar="HOST:PORT", help="as the phone's dialog 'Pair device with pairing code' shows it"
    )
    run = command(
        "run", "measure every variant of a bundle on devices", "harness run dist/bundle -d host -o runs.sqlite"
    )
    run.add_argument(
        "bundle",
        metavar="PACKAGE|BUNDLE",
        help="bundle directory or .zip, or an .apk, .aab, .aar or .ipa that carries one",
    )
    run.add_argument(
        "new",
        metavar="NEW",
        nargs="?",
        help="a second build: both are measured in turns, the first as the baseline of this one",
    )
    run.add_argument(
        "-d",
        "--device",
        action="append",
        required=True,
        metavar="KIND[:ID]",
        help=f"{', '.join(DEVICES)}; may be repeated",
    )
    run.add_argument(
        "--protocol",
        default="quick",
        metavar="NAME|FILE.toml",
        help=f"how thoroughly: {', '.join(PROTOCOL_NAMES)}, or one of your own (default: quick)",
    )
    run.add_argument(
        "-o",
        "--output",
        default="runs.sqlite",
        metavar="RUNS",
        help="where records go: FILE.sqlite, FILE.jsonl or a database URL",
    )
    run.add_argument(
        "--variant", action="append", default=[], metavar="ID", help="only this variant; may be repeated (default: all)"
    )
    run.add_argument(
        "--resume", action="store_true", help="go on with the last session of this bundle and protocol in the store"
    )
    run.add_argument(
        "--cluster", metavar="ADDRESS", help="measure on the workers of this Dask scheduler, see 'harness worker'"
    )
    worker = command(
        "worker",
        "offer the devices of this machine to the sessions of a Dask scheduler",
        "harness worker tcp://lab:8786 -d android:R5CT10XYZ",
        json=False,
    )
    worker.add_argument("scheduler", metavar="ADDRESS", help="of the scheduler, as 'dask scheduler' prints it")
    worker.add_argument(
        "-d", "--device", action="append", metavar="KIND[:ID]", help="may be repeated (default: all that are ready)"
    )
    farm = command(
        "farm",
        "write what a hosted farm needs to measure an app, or import what it gave back",
        "harness farm dist/android/app.apk --format aws -o aws-job",
        json=False,
    )
    farm.add_argument("package", metavar="APK", nargs="?", help="what 'builder package --target android' wrote")
    farm.add_argument(
        "--format",
        choices=["aws", "firebase"],
        default="aws",
        help="AWS Device Farm or Firebase Test Lab (default: aws)",
    )
    farm.add_argument(
        "--protocol", choices=["quick", "standard"], default="standard", help="how thoroughly (default: standard)"
    )
    farm.add_argument("--minutes", type=int, default=20, metavar="N", help="the longest on one device (default: 20)")
    farm.add_argument(
        "--import", dest="results", metavar="DIR", help="read the results that were fetched into DIR; -o is the store"
    )
    farm.add_argument("-o", "--output", metavar="DIR|RUNS", help="default: FORMAT-job, or runs.sqlite with --import")
    show = command("show", "show the runs of a store as a table", "harness show runs.sqlite")
    check = command(
        "check",
        "fail when an output is wrong or a variant became slower (5) or a measurement is not good enough (7)",
        "harness check runs.sqlite",
    )
    check.add_argument("--baseline", metavar="RUNS", help="also fail (5) when a variant is slower than in these runs")
    check.add_argument(
        "--max-regression",
        metavar="PERCENT",
        help="the slow-down that still passes, e.g. 3%%: against --baseline, or the first build of 'harness run BASE NEW'",
    )
    report = command(
        "report", "write a report of the latest runs", "harness report runs.sqlite -o report.html", json=False
    )
    for reader in (show, check, report):
        reader.add_argument("runs", metavar="RUNS", help="what 'harness run -o' wrote")
    report.add_argument("-o", "--output", metavar="FILE", help="default: report.html, or stdout for the other formats")
    report.add_argument(
        "--format",
        choices=["html", "json", "markdown", "junit", "jsonl"],
        default="html",
        help="junit is for CI servers; jsonl exports all records",
    )
    compare = command(
        "compare",
        "compare the last measurements of two stores, or the variants of one",
        "harness compare before.sqlite after.sqlite",
    )
    compare.add_argument("base", metavar="BASE", help="runs before the change")
    compare.add_argument(
        "new", metavar="NEW", nargs="?", help="runs after it; without it variants of BASE are compared"
    )
    for judge in (check, compare):
        judge.add_argument(
            "--format", choices=["table", "markdown", "html", "junit"], default="table", help="(default: table)"
        )
        judge.add_argument("-o", "--output", metavar="FILE", help="where a --format goes (default: stdout)")
    compare.add_argument(
        "--parity",
        action="store_true",
        help="compare the app with shell mode on each phone of BASE instead (5, 7: no parity)",
    )
    rank = command(
        "rank",
        "write the order of variants that phones measured into a bundle, so that apps take the fastest on such phones",
        "harness rank runs.sqlite dist/bundle -o dist/ranked",
    )
    rank.add_argument("runs", metavar="RUNS", help="what 'harness run -o' wrote")
    rank.add_argument("bundle", metavar="BUNDLE", help="the bundle that was measured")
    rank.add_argument("-o", "--output", required=True, metavar="DIR", help="where the ranked bundle goes")
    serve = command("serve", "show a store as a lab's page, read-only", "harness serve runs.sqlite", json=False)
    serve.add_argument("runs", metavar="RUNS", help="what 'harness run -o' wrote, or a database URL")
    serve.add_argument(
        "--host", default="127.0.0.1", help="who may look: 0.0.0.0 is everybody who reaches this computer"
    )
    serve.add_argument("--port", type=int, default=8700, metavar="N", help="(default: 8700; 0: any that is free)")
    for name, made in commands.choices.items():
        options = [option for action in made._actions for option in action.option_strings]
        made.set_defaults(parser=made, options=options, command=name)
    return parser


class ShowVersion(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *rest: object) -> None:
        from harness.version import version

        print(f"harness {version()}")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is DESIGN's table. Errors are one sentence on stderr."""
    words = list(sys.argv[1:] if argv is None else argv)
    signal.signal(signal.SIGTERM, _asked_to_end)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup asks for going on
        signal.signal(signal.SIGHUP, _asked_to_end)
    try:
        args = build_parser().parse(words)
        from harness.commands import COMMANDS

        _show_warnings(args)
        code = COMMANDS[args.command](args)
        sys.stdout.flush()  # so that a closed pipe shows here and not at exit
    except HarnessError as error:
        if "-v" in words or "--verbose" in words:
            import traceback

            traceback.print_exception(error)
        print(f"harness: error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        with suppress(OSError):  # the terminal may be gone: that is why it was interrupted
            print("harness: interrupted; what was measured before is kept.", file=sys.stderr, flush=True)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has seen enough
        return 0
    return code


def _show_warnings(args: argparse.Namespace) -> None:
    """What the library finds worth telling while it goes on."""
    handler = logging.NullHandler() if args.quiet else logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("harness: note: %(message)s."))
    logging.getLogger("harness").handlers = [handler]


def _asked_to_end(number: int, frame: FrameType | None) -> None:
    """As Ctrl-C. A terminal that closes says so twice, by its shell and by the kernel: the second must not stop what is set back."""
    for again in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(again, signal.SIG_IGN)
    raise KeyboardInterrupt
