"""The `harness` command: what it takes. Errors are caught and shown by `builder.command_line`."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from builder.command_line import Parser, run
from harness.devices import DEVICES
from harness.release import version

PROTOCOL_NAMES = ("quick", "standard", "sustained")  # of harness.protocol, which takes long to import
FINDING_FORMS = ("table", "markdown", "html", "junit")  # of harness.commands.forms, likewise
REPORT_FORMS = ("html", "json", "markdown", "junit", "jsonl")

EXAMPLES = """examples:
  harness devices
  harness run dist/bundle -d host -d arm64 --protocol standard -o runs.sqlite
  harness report runs.sqlite -o report.html
  harness compare before.sqlite after.sqlite
  harness check runs.sqlite --baseline before.sqlite --max-regression 3%
"""


def build_parser() -> Parser:
    parser = Parser(
        version=f"harness {version()}",
        prog="harness",
        description="Measure a bundle on devices, with the conditions that make the numbers mean something.",
        epilog=EXAMPLES,
    )

    _add_devices(parser)
    _add_run(parser)
    _add_profile(parser)
    _add_lab(parser)
    _add_judging(parser)
    _add_using(parser)
    return parser


def _add_devices(parser: Parser) -> None:
    """What can be measured on."""
    parser.verb(
        "devices", "list the devices that can be measured on, and why one cannot", example="harness devices --json"
    )
    pair = parser.verb(
        "pair",
        "pair with a phone over the network by the code that it shows, which is asked for",
        example="harness pair 192.168.1.20:37045",
        json=False,
    )
    pair.add_argument(
        "address", metavar="HOST:PORT", help="as the phone's dialog 'Pair device with pairing code' shows it"
    )


def _add_run(parser: Parser) -> None:
    measure = parser.verb(
        "run", "measure every variant of a bundle on devices", example="harness run dist/bundle -d host -o runs.sqlite"
    )
    measure.add_argument(
        "bundle",
        metavar="PACKAGE|BUNDLE",
        help="bundle directory or .zip, or an .apk, .aab, .aar or .ipa that carries one",
    )
    measure.add_argument(
        "new",
        metavar="NEW",
        nargs="?",
        help="a second build: both are measured in turns, the first as the baseline of this one",
    )
    measure.add_argument(
        "-d",
        "--device",
        action="append",
        required=True,
        metavar="KIND[:ID]",
        help=f"{', '.join(DEVICES)}; may be repeated",
    )
    measure.add_argument(
        "--protocol",
        default="quick",
        metavar="NAME|FILE.toml",
        help=f"how thoroughly: {', '.join(PROTOCOL_NAMES)}, or one of your own (default: quick)",
    )
    measure.add_argument(
        "-o",
        "--output",
        default="runs.sqlite",
        metavar="RUNS",
        help="where records go: FILE.sqlite, FILE.jsonl or a database URL",
    )
    measure.add_argument(
        "--variant", action="append", default=[], metavar="ID", help="only this variant; may be repeated (default: all)"
    )
    measure.add_argument(
        "--threads",
        metavar="N[,N...]",
        help="measure each variant with so many threads in turns, e.g. 1,2,4 (default: the protocol's)",
    )
    measure.add_argument(
        "--cores",
        metavar="NAME[,NAME...]",
        help="measure each variant on each of these clusters of a phone's CPUs: little, middle, big (default: the protocol's)",
    )
    measure.add_argument(
        "--resume", action="store_true", help="go on with the last session of this bundle and protocol in the store"
    )
    measure.add_argument(
        "--lan",
        action="store_true",
        help="let a phone of this network open the link of '-d browser:link' (default: this computer alone)",
    )
    measure.add_argument(
        "--cluster", metavar="ADDRESS", help="measure on the workers of this Dask scheduler, see 'harness worker'"
    )


def _add_profile(parser: Parser) -> None:
    profile = parser.verb(
        "profile",
        "show the time of each layer of a bundle's variants",
        example="harness profile dist/bundle -d host -o profile.json",
    )
    profile.add_argument(
        "bundle",
        metavar="PACKAGE|BUNDLE",
        help="as 'harness run' takes it, with the names of the layers in its manifest",
    )
    profile.add_argument(
        "-d",
        "--device",
        action="append",
        required=True,
        metavar="KIND[:ID]",
        help="host, arm64 or android; may be repeated",
    )
    profile.add_argument(
        "--variant", action="append", default=[], metavar="ID", help="only this variant; may be repeated (default: all)"
    )
    profile.add_argument(
        "--inferences", type=int, default=20, metavar="N", help="how many are profiled; times are medians (default: 20)"
    )
    profile.add_argument("--threads", type=int, default=1, metavar="N", help="of the runtime (default: 1)")
    profile.add_argument(
        "--damage",
        metavar="FILE.json",
        help="show each layer's damage too: what 'builder search -o' wrote beside its plan",
    )
    profile.add_argument(
        "-o", "--output", metavar="FILE.json", help="keep it for 'harness report --profile' (default: only shown)"
    )


def _add_lab(parser: Parser) -> None:
    """Other machines."""
    worker = parser.verb(
        "worker",
        "offer the devices of this machine to the sessions of a Dask scheduler",
        example="harness worker tcp://lab:8786 -d android:R5CT10XYZ",
        json=False,
    )
    worker.add_argument("scheduler", metavar="ADDRESS", help="of the scheduler, as 'dask scheduler' prints it")
    worker.add_argument(
        "-d", "--device", action="append", metavar="KIND[:ID]", help="may be repeated (default: all that are ready)"
    )
    farm = parser.verb(
        "farm",
        "write what a hosted farm needs to measure an app, or import what it gave back",
        example="harness farm dist/android/app.apk --format aws -o aws-job",
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


def _add_judging(parser: Parser) -> None:
    """What a store says."""
    show = parser.verb("show", "show the runs of a store as a table", example="harness show runs.sqlite")
    check = parser.verb(
        "check",
        "fail when an output is wrong or a variant became slower (5) or a measurement is not good enough (7)",
        example="harness check runs.sqlite",
    )
    check.add_argument("--baseline", metavar="RUNS", help="also fail (5) when a variant is slower than in these runs")
    check.add_argument(
        "--max-regression",
        metavar="PERCENT",
        help="the slow-down that still passes, e.g. 3%%: against --baseline, or the first build of 'harness run BASE NEW'",
    )
    report = parser.verb(
        "report", "write a report of the latest runs", example="harness report runs.sqlite -o report.html", json=False
    )
    for reader in (show, check, report):
        reader.add_argument("runs", metavar="RUNS", help="what 'harness run -o' wrote")
    report.add_argument("-o", "--output", metavar="FILE", help="default: report.html, or stdout for the other formats")
    report.add_argument(
        "--format",
        choices=REPORT_FORMS,
        help="default: by the ending of -o, else html; junit is for CI servers; jsonl exports all records",
    )
    report.add_argument(
        "--profile",
        action="append",
        default=[],
        metavar="FILE.json",
        help="show the time of each layer too: what 'harness profile -o' wrote; may be repeated",
    )
    compare = parser.verb(
        "compare",
        "compare the last measurements of two stores, or the variants of one",
        example="harness compare before.sqlite after.sqlite",
    )
    compare.add_argument("base", metavar="BASE", help="runs before the change")
    compare.add_argument(
        "new", metavar="NEW", nargs="?", help="runs after it; without it variants of BASE are compared"
    )
    for judge in (check, compare):
        judge.add_argument(
            "--format", choices=FINDING_FORMS, help="default: by the ending of -o, else a table in the terminal"
        )
        judge.add_argument("-o", "--output", metavar="FILE", help="where a --format goes (default: stdout)")
    compare.add_argument(
        "--parity",
        action="store_true",
        help="compare the app with shell mode on each phone of BASE instead (5, 7: no parity)",
    )


def _add_using(parser: Parser) -> None:
    """What is done with a store."""
    bisect = parser.verb(
        "bisect", "show which build made a variant slower", example="harness bisect runs.sqlite --max-regression 5%"
    )
    bisect.add_argument(
        "runs", metavar="RUNS", help="runs of several builds, as 'harness run -o' wrote them into one store"
    )
    bisect.add_argument(
        "--max-regression", default="5%", metavar="PERCENT", help="the slow-down that is none (default: 5%%)"
    )
    rank = parser.verb(
        "rank",
        "write the order of variants that phones measured into a bundle, so that apps take the fastest on such phones",
        example="harness rank runs.sqlite dist/bundle -o dist/ranked",
    )
    rank.add_argument("runs", metavar="RUNS", help="what 'harness run -o' wrote")
    rank.add_argument("bundle", metavar="BUNDLE", help="the bundle that was measured")
    rank.add_argument("-o", "--output", required=True, metavar="DIR", help="where the ranked bundle goes")
    serve = parser.verb(
        "serve", "show a store as a lab's page, read-only", example="harness serve runs.sqlite", json=False
    )
    serve.add_argument("runs", metavar="RUNS", help="what 'harness run -o' wrote, or a database URL")
    serve.add_argument(
        "--host", default="127.0.0.1", help="who may look: 0.0.0.0 is everybody who reaches this computer"
    )
    serve.add_argument("--port", type=int, default=8700, metavar="N", help="(default: 8700; 0: any that is free)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit codes are those of `builder.command_line`."""
    return run(build_parser(), argv, _call, interrupted="what was measured before is kept")


def _call(arguments: argparse.Namespace) -> int:
    from harness.commands import COMMANDS

    _show_warnings(arguments)
    return COMMANDS[arguments.command](arguments)


def _show_warnings(args: argparse.Namespace) -> None:
    """What the library finds worth telling while it goes on."""
    handler = logging.NullHandler() if args.quiet else logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("harness: note: %(message)s."))
    logging.getLogger("harness").handlers = [handler]
