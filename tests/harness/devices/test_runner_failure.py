"""A runner that gives no result is told by what the device said, its status and its signal, with what to do."""

from __future__ import annotations

import signal

import pytest

from harness.devices.runner.failure import explain_no_result
from harness.errors import DeviceError
from tests.emulated_phone import EmulatedPhone
from tests.harness.devices.conftest import make_request
from tests.harness.devices.test_android_pins import opened
from tests.small_models import SmallModels

COUNTERS = "\nedgebundle-counters\ncpu  1 2 3 4\ncat: /proc/stat: Permission denied\npolicy0\t0 1\n300000 71000\n0m0.02s 0m0.01s\n"


@pytest.mark.parametrize(
    ("status", "said", "words"),
    [
        (126, "/system/bin/sh: ./ld-linux-aarch64.so.1: can't execute: Permission denied", "does not let the shell execute"),
        (126, "sh: ./ld-linux-aarch64.so.1: Exec format error", "does not execute arm64 programs"),
        (127, "/system/bin/sh: ./ld-linux-aarch64.so.1: inaccessible or not found", "does not let the shell execute"),
        (127, "", "was not found (status 127, it said nothing)"),
        (139, "Segmentation fault ", "crashed (status 139, SIGSEGV, it said 'Segmentation fault')"),
        (132, "Illegal instruction ", "an instruction that this processor does not have (status 132, SIGILL"),
        (134, "terminate called without an active exception\nAborted ", "gave up (status 134, SIGABRT"),
        (137, "Killed ", "was killed, most likely because memory ran out (status 137, SIGKILL"),
        (159, "Bad system call ", "a system call that the device forbids (status 159, SIGSYS"),
        (127, "./runner: error while loading shared libraries: libLiteRt.so: ELF load command address/offset not properly aligned", "do not fit the device's page size"),
        (127, "error while loading shared libraries: libLiteRt.so: cannot open shared object file", "a library is missing"),
        (127, "error while loading shared libraries: libc.so.6: failed to map segment from shared object", "ran out of memory"),
        (1, "FATAL: kernel too old", "kernel is too old"),
        (134, "terminate called after throwing an instance of 'std::bad_alloc'", "ran out of memory (status 134, SIGABRT"),
        (3, "strange\x00\xff words", "ended without a result (status 3, it said 'strange"),
    ],
)  # fmt: skip
def test_what_the_device_said_becomes_a_reason(status: int, said: str, words: str) -> None:
    """Each with status and signal; the counters around the benchmark, which may be denied, are not taken for its words."""
    told = explain_no_result(status, f"{COUNTERS}{said}\n")
    assert words in told
    assert "; " in told
    assert "cpu " not in told


@pytest.mark.parametrize(
    ("fault", "value", "words"),
    [
        ("start", ("/system/bin/sh: ./ld-linux-aarch64.so.1: can't execute: Permission denied", 126), "does not let the shell execute"),
        ("start", ("ELF load command address/offset not properly aligned", 127), "page size"),
        ("crash", int(signal.SIGILL), "status 132, SIGILL"),
        ("crash", int(signal.SIGKILL), "status 137, SIGKILL"),
    ],
)  # fmt: skip
def test_a_phone_that_does_not_run_it_says_why(
    fault: str, value: object, words: str, phone: EmulatedPhone, models: SmallModels
) -> None:
    """Over adb, from a real shell's status."""
    setattr(phone.faults, fault, value)
    with pytest.raises(DeviceError) as caught, opened(phone) as device:
        device.measure(make_request(models, "tflite"))
    assert words in str(caught.value)
    assert "result lines" not in str(caught.value)
    assert phone.files == []
