"""Ctrl-C in a session: whatever it waits for ends at once, and what was changed on a phone is set back."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder import interrupt
from harness.clock import Ended, WallClock, end_by, take_back
from harness.protocol import Pins, Wanted
from harness.records.run import Conditions
from harness.session.conditions import wait_for
from harness.session.outcome import Step
from harness.session.session import open_bundle_or_package, run_session
from tests.emulated_phone import PIXEL, AdbServer, EmulatedPhone
from tests.harness.devices.fault_kinds import PLAN
from tests.harness.runs import conditions


@pytest.fixture(autouse=True)
def _listening() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    interrupt.listen()
    yield
    interrupt._heard.at = None
    for number, handler in before.items():
        signal.signal(number, handler)


def strike() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_slow_phone_is_set_back(adb_environment: AdbServer, small_bundle: Path, tmp_path: Path) -> None:
    """Over a bad network each of the answers that set it back takes longer than the pause between two looks at what is to be killed."""
    with EmulatedPhone(tmp_path / "phone", PIXEL) as phone, open_bundle_or_package(small_bundle) as bundle:
        adb_environment.connect(phone.address)

        def told(step: Step) -> None:
            assert phone.state["fixed_performance"] == "true"
            phone.faults.slow_s = 0.4
            strike()

        plan = PLAN.model_copy(update={"pins": Pins(fixed_performance=True, stay_awake=True), "rounds": 50})
        with pytest.raises(KeyboardInterrupt):
            run_session(bundle, [f"android:{phone.address}"], plan, None, told)
        assert phone.state == {"fixed_performance": "false"}
        assert phone.files == []
        adb_environment.disconnect(phone.address)


def test_nobody_opens_the_link(small_bundle: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A person has five minutes to open it; Ctrl-C does not wait for them."""

    class Strikes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "in a browser of this computer" in record.getMessage():
                strike()

    handler = Strikes()
    logging.getLogger("harness").addHandler(handler)
    try:
        with open_bundle_or_package(small_bundle) as bundle, pytest.raises(KeyboardInterrupt):
            run_session(bundle, ["browser:link"], PLAN, None)
    finally:
        logging.getLogger("harness").removeHandler(handler)


def test_a_phone_that_does_not_come_back(small_bundle: Path, adb_environment: AdbServer) -> None:
    """Nor does it wait for the pauses before another try."""

    def told(step: Step) -> None:
        if step.waiting is not None:
            strike()

    with open_bundle_or_package(small_bundle) as bundle, pytest.raises(KeyboardInterrupt):
        run_session(bundle, ["android:127.0.0.1:1"], PLAN, None, told)


def test_conditions_that_do_not_come() -> None:
    """A hot phone is waited for a quarter of an hour, but not in a session that ends; what takes back goes on waiting."""
    stop = threading.Event()

    def look() -> Conditions:
        stop.set()
        return conditions(60.0)

    with end_by(stop):
        with pytest.raises(Ended):
            wait_for(look, Wanted(max_temperature_c=30, wait_s=900), None, WallClock())
        take_back()
        WallClock().sleep(0.01)
