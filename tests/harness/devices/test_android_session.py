"""Whole sessions on a phone that fails in the middle: nothing lost, nothing wrong accepted, nothing left behind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from builder.process import Completed
from harness.devices.android.adb import Adb
from harness.session.session import open_bundle_or_package, run_session
from tests.emulated_phone import PIXEL, AdbServer, EmulatedPhone
from tests.harness.devices.fault_kinds import KINDS, PLAN, Calls, Lab, calls_of_a_session, complaints, run_session_with


@pytest.fixture(scope="module")
def calls(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Calls:
    """The calls of a session without a fault, among which moments are drawn."""
    folder = tmp_path_factory.mktemp("calls")
    with pytest.MonkeyPatch.context() as patch, AdbServer(folder) as server:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        with EmulatedPhone(folder / "phone", PIXEL) as phone:
            server.connect(phone.address)
            return calls_of_a_session(Lab(phone=phone, server=server), small_bundle)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_at_a_random_moment(
    kind: str, phone: EmulatedPhone, adb_environment: AdbServer, small_bundle: Path, calls: Calls
) -> None:
    """Each variant is measured with its golden reached or told with the reason; settings are back, and no file of ours is left.

    `scripts/bench faults` does the same at 20 moments of each kind.
    """
    lab = Lab(phone=phone, server=adb_environment)
    outcome = run_session_with(kind, 0, calls, lab, small_bundle)
    assert complaints(kind, outcome, lab) == []


def test_there_are_eighty_kinds_of_faults() -> None:
    """The figure that the harness is measured by."""
    assert len(KINDS) >= 80


def test_nothing_is_polled_inside_a_timed_pass(
    phone: EmulatedPhone, small_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the benchmark runs on the phone no other call to it is under way, lasting load included."""
    active: list[str] = []
    together: list[tuple[str, ...]] = []
    run = Adb._run

    def watched(self: Adb, words: Sequence[str], *, doing: str, timeout_s: float) -> Completed:
        active.append(doing)
        together.append(tuple(active))
        try:
            return run(self, words, doing=doing, timeout_s=timeout_s)
        finally:
            active.remove(doing)

    monkeypatch.setattr(Adb, "_run", watched)
    plan = PLAN.model_copy(update={"duration_s": 1.0})
    with open_bundle_or_package(small_bundle) as bundle:
        result = run_session(bundle, [f"android:{phone.address}"], plan, None)
    assert len(result.runs) == 2
    assert ("run the benchmark",) in together
    assert all(len(calls) == 1 for calls in together)
