"""Whole sessions on a phone that fails in the middle and is well again by the next try: nothing lost, nothing wrong, nothing left."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from builder.process import Completed
from harness.config import Pins, Protocol
from harness.devices.adb import Adb
from harness.session import opened_bundle, run_session
from tests.emulated_phone import AdbServer, EmulatedPhone

PLAN = Protocol(name="faults", warmup=1, runs=3, threads=1, timeout_s=60, pins=Pins(stay_awake=True))
CALLS = 40  # a session of these two variants makes more adb calls than this
MOMENTS = 2  # for each kind, drawn by its name


def drop(phone: EmulatedPhone) -> None:
    phone.drop()


def full(phone: EmulatedPhone) -> None:
    phone.faults.storage_bytes = 1


def corrupt(phone: EmulatedPhone) -> None:
    phone.faults.corrupt_pushes = True


def wrong_status(phone: EmulatedPhone) -> None:
    phone.faults.exit_status = 137


KINDS: dict[str, Callable[[EmulatedPhone], None]] = {
    "connection drops": drop,
    "storage full": full,
    "pushes corrupted": corrupt,
    "wrong exit status": wrong_status,
}


@pytest.mark.parametrize("moment", range(MOMENTS))
@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_at_a_random_moment(
    kind: str,
    moment: int,
    phone: EmulatedPhone,
    adb_environment: AdbServer,
    small_bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both variants are measured once with their goldens reached, settings are back, and the phone holds none of our files."""
    at, calls = random.Random(f"{kind} {moment}").randrange(CALLS), 0
    run = Adb._run

    def counted(self: Adb, words: Sequence[str], *, doing: str, timeout_s: float) -> Completed:
        nonlocal calls
        if calls == at:
            KINDS[kind](phone)
        calls += 1
        return run(self, words, doing=doing, timeout_s=timeout_s)

    class Mended:
        """A clock on which the phone is well again after each pause."""

        seconds = 0.0

        def now(self) -> float:
            return self.seconds

        def sleep(self, seconds: float) -> None:
            self.seconds += seconds
            phone.faults.storage_bytes, phone.faults.corrupt_pushes, phone.faults.exit_status = None, False, None
            adb_environment.disconnect(phone.address)
            adb_environment.connect(phone.address)

    monkeypatch.setattr(Adb, "_run", counted)
    with opened_bundle(small_bundle) as bundle:
        result = run_session(bundle, [f"android:{phone.address}"], PLAN, None, clock=Mended())
    assert calls > at, "the fault never happened"
    assert [entry.variant for entry in result.skipped] == ["coreml-fp32"], result.skipped
    assert sorted(entry.variant for entry in result.runs) == ["executorch-fp32", "tflite-fp32"]
    assert all(entry.golden is not None and entry.golden.passed for entry in result.runs)
    assert phone.state == {}
    assert phone.files == []


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
    with opened_bundle(small_bundle) as bundle:
        result = run_session(bundle, [f"android:{phone.address}"], plan, None)
    assert len(result.runs) == 2
    assert ("run the benchmark",) in together
    assert all(len(calls) == 1 for calls in together)
