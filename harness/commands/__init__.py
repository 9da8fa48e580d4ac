"""The commands of `harness`, one file a verb: they call the library, then print. Results on stdout, messages on stderr."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from harness.commands.bisect import bisect
from harness.commands.check import check
from harness.commands.compare import compare
from harness.commands.devices import devices, pair
from harness.commands.farm import farm
from harness.commands.profile import profile
from harness.commands.rank import rank
from harness.commands.report import report, show
from harness.commands.run import run
from harness.commands.serve import serve
from harness.commands.worker import worker

COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "devices": devices,
    "pair": pair,
    "run": run,
    "profile": profile,
    "show": show,
    "check": check,
    "compare": compare,
    "bisect": bisect,
    "report": report,
    "worker": worker,
    "farm": farm,
    "rank": rank,
    "serve": serve,
}
