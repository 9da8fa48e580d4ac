"""What is read from a device's own words: pure functions from a command's output to readings.

None of them raises, and none returns a number for something that could not be read: a value that is missing, is one of the
sentinels that drivers report for an absent sensor, or is outside what the quantity can be, is null with the reason.

A new probe is one file and one line here.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from harness.probes.probe import Probe

# modules with PROBES; their order is that of reports
MODULES: list[str] = [
    "harness.probes.temperature",
    "harness.probes.battery",
    "harness.probes.clocks",
    "harness.probes.power",
    "harness.probes.headroom",
    "harness.probes.screen",
    "harness.probes.load",
]


def list_probes() -> tuple[Probe, ...]:
    """Every probe, in order."""
    modules = (importlib.import_module(name) for name in MODULES)
    return tuple(probe for module in modules for probe in cast("tuple[Probe, ...]", module.PROBES))
