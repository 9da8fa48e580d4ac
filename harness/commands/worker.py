"""`harness worker`: this machine's phones, offered to a cluster."""

from __future__ import annotations

import argparse

from harness.commands.output import say
from harness.errors import UsageError


def worker(args: argparse.Namespace) -> int:
    from harness.devices import find_device_kind, find_devices
    from harness.session.cluster_worker import serve

    for name in args.device or ():
        find_device_kind(name.partition(":")[0])
    names = [line.name for line in find_devices() if line.state == "ready"]
    offered = list(dict.fromkeys(args.device or names))
    if not offered:
        raise UsageError("no device is ready here; see 'harness devices', or name one with -d.")
    serve(args.scheduler, offered, lambda address: say(args, f"{address} offers {', '.join(offered)}; Ctrl-C ends it"))
    return 0
