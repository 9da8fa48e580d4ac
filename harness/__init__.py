"""Measure bundles on devices and keep what was seen: the Python side of the `harness` command.

    >>> import harness
    >>> result = harness.measure("out/bundle", devices=["host"], protocol="quick", store="runs.sqlite")
    >>> verdicts = [run.verdict.words for run in result.runs]

Nothing here prints; everything raises the errors of `harness.errors`. Importing this package loads no runtime.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from harness.release import version

if TYPE_CHECKING:
    from harness.analysis.comparison import Comparison
    from harness.devices.base import Device
    from harness.session.outcome import SessionResult

__all__ = ["compare", "measure", "open_device", "version"]


def open_device(name: str) -> Device:
    """Open `KIND` or `KIND:ID` (`host`, `android:R5CT10XYZ`); a context manager. Raises UsageError and DeviceError."""
    from harness.devices import open_device as open_by_name

    return open_by_name(name)


def measure(
    bundle: str | Path, *, devices: Sequence[str] = ("host",), protocol: str = "quick", store: str | None = None
) -> SessionResult:
    """Measure every variant of a bundle or package on each device; with `store`, append each record at once.

    A device or variant that fails is in the result with its reason. Raises UsageError and StoreError.
    """
    from harness.protocol import find_protocol
    from harness.records.store import fill_store
    from harness.session.session import open_bundle_or_package, run_session

    plan = find_protocol(protocol)
    with (
        open_bundle_or_package(Path(bundle)) as opened,
        fill_store(store) if store is not None else nullcontext() as kept,
    ):
        return run_session(opened, devices, plan, kept)


def compare(base: str, new: str | None = None) -> tuple[Comparison, ...]:
    """Compare the last measurements of two stores, each a path or a URL.

    Of one store it compares the two builds that its newest sessions measured in turns, else its variants against the first. Raises
    UsageError and StoreError.
    """
    from harness.analysis.comparison import compare_builds, compare_runs, compare_variants
    from harness.records.store import read_runs

    if new is None:
        runs = read_runs(base)
        return compare_builds(runs) or compare_variants(runs)
    return compare_runs(read_runs(base), read_runs(new))
