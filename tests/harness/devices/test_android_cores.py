"""A benchmark that is kept on one cluster of a phone's CPUs: which that is, that it ran there, and what is told where it cannot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.devices.android.cores import parse_clusters
from harness.errors import DeviceError
from tests.emulated_phone import EmulatedPhone
from tests.harness.devices.conftest import make_request
from tests.harness.devices.test_android_pins import opened
from tests.small_models import SmallModels

THREE = "0 1 2 3 \t1803000\n7 \t2802000\n4 5 6 \t2253000\n"


def test_clusters_by_their_highest_clock() -> None:
    """The slowest first, each with the mask that taskset takes; denied and empty lines are none."""
    found = parse_clusters(f"{THREE}\t\n8 9\tcat: Permission denied\n")
    assert [(cluster.cpus, cluster.mhz, cluster.mask) for cluster in found] == [
        ((0, 1, 2, 3), 1803.0, "f"),
        ((4, 5, 6), 2253.0, "70"),
        ((7,), 2802.0, "80"),
    ]
    assert parse_clusters("no policies\n") == []


def test_a_benchmark_runs_on_the_cluster_that_is_asked_for(phone: EmulatedPhone, models: SmallModels) -> None:
    """The emulated phone has one cluster, CPUs 0 and 1: it is taken for big and little, and read back from the runner."""
    with opened(phone) as device:
        for cores in ("big", "little"):
            device.measure(replace(make_request(models, "tflite"), cores=cores))
        with pytest.raises(
            DeviceError, match=r"has no middle cores that it tells of \(its clusters: CPUs 0 1 at 2802 MHz\)"
        ):
            device.measure(replace(make_request(models, "tflite"), cores="middle"))


def test_cpusets_that_do_not_allow_it_are_told(phone: EmulatedPhone, models: SmallModels) -> None:
    """A phone that tells other CPUs than the runner was let run on gives no result."""
    (phone.root / "sys/devices/system/cpu/cpufreq/policy0/related_cpus").write_text("0 1 2 3\n")
    with pytest.raises(DeviceError, match="its cpusets do not allow them"), opened(phone) as device:
        device.measure(replace(make_request(models, "tflite"), cores="big"))
