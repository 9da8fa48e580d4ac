"""Sessions on an emulated phone that fails: every kind of fault at 20 random moments, and what became of each."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from bench.table import ROOT, Row

sys.path.insert(0, str(ROOT))

from tests.emulated_phone import PIXEL, AdbServer, EmulatedPhone
from tests.harness.devices.fault_kinds import KINDS, Lab, calls_of_a_session, complaints, run_session_with
from tests.harness.small_bundle import make_small_bundle

MOMENTS = int(os.environ.get("BENCH_MOMENTS", "20"))
LIMIT_S = 120.0  # of a session; every wait in it has a limit of its own


def measure() -> list[Row]:
    """About an hour on two free cores: 960 sessions with the real adb and real runners under QEMU; each kind is told when it is done."""
    wrong: list[str] = []
    longest = 0.0
    with tempfile.TemporaryDirectory(prefix="edgebundle-bench-") as name:
        folder = Path(name)
        bundle = make_small_bundle(folder / "small")
        (folder / "adb").mkdir()
        with AdbServer(folder / "adb") as server:
            os.environ.update(server.environment)
            calls = _on_a_phone(folder / "clean", server, lambda lab: calls_of_a_session(lab, bundle))
            for kind in KINDS:
                for moment in range(MOMENTS):
                    start = time.monotonic()
                    place = folder / f"{len(list(folder.iterdir()))}"
                    said = _on_a_phone(
                        place,
                        server,
                        lambda lab, kind=kind, moment=moment: complaints(
                            kind, run_session_with(kind, moment, calls, lab, bundle), lab
                        ),
                    )
                    longest = max(longest, time.monotonic() - start)
                    wrong += [f"{kind}, moment {moment}: {text}" for text in said]
                print(f"{kind}: {MOMENTS} moments, {len(wrong)} wrong so far", file=sys.stderr, flush=True)
    for text in wrong:
        print(text, file=sys.stderr)
    return [
        Row(
            what=f"{len(KINDS)} kinds of faults, each at {MOMENTS} random moments of a session",
            figure=">= 40 kinds; no run lost, no wrong number accepted, the phone as it was",
            measured=f"{len(wrong)} of {len(KINDS) * MOMENTS} sessions ended wrongly",
            reached=len(KINDS) >= 40 and not wrong,
        ),
        Row(
            what="the longest of these sessions",
            figure=f"<= {LIMIT_S:.0f} s",
            measured=f"{longest:.0f} s",
            reached=longest <= LIMIT_S,
        ),
    ]


def _on_a_phone(folder, server, use):  # type: ignore[no-untyped-def]
    with EmulatedPhone(folder, PIXEL) as phone:
        server.connect(phone.address)
        try:
            return use(Lab(phone=phone, server=server))
        finally:
            server.disconnect(phone.address)
