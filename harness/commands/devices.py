"""`harness devices` and `harness pair`: what can be measured on."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from builder.command_line import console, print_document
from harness.commands.output import say


def devices(args: argparse.Namespace) -> int:
    from harness.devices import find_devices

    devices_found = find_devices()
    if args.json:
        print_document({"devices": [asdict(line) for line in devices_found]})
        return 0
    from rich.markup import escape

    table = console.make_table("", "device", "what it is", "state")
    for line in devices_found:
        colour = "green" if line.state == "ready" else "yellow"
        table.add_row(
            escape(f"{line.kind}:{line.id}"), escape(line.description), f"[{colour}]{escape(line.state)}[/{colour}]"
        )
    console.results.print(table)
    return 0


def pair(args: argparse.Namespace) -> int:
    """The code comes from the terminal, unseen, or from a pipe; never from the command line, which every user can read."""
    from getpass import getpass

    from harness.devices.android.wireless import check_address
    from harness.devices.android.wireless import pair as pair_with

    check_address(args.address)
    code = getpass("code that the phone shows: ") if sys.stdin.isatty() else sys.stdin.readline()
    pair_with(args.address, code.strip())
    print(f"paired with {args.address}")
    say(
        args,
        "measure with '-d android:HOST:PORT', both from the phone's page 'Wireless debugging' (it is another port than for pairing); "
        "the phone is connected then",
    )
    return 0
