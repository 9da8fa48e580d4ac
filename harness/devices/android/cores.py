"""The clusters of a phone's processor by the clock that each may take, and the mask that keeps a program on one of them.

A run that lands on a big or a middle core by chance has two levels; held on one cluster it has one. Format: the kernel's cpufreq policies.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.devices.android.adb import Adb
from harness.errors import DeviceError
from harness.records.way import Cores

CLUSTERS = (
    "for p in /sys/devices/system/cpu/cpufreq/policy*; do "
    'echo "$(cat "$p/related_cpus" 2>/dev/null)\t$(cat "$p/cpuinfo_max_freq" 2>/dev/null)"; done'
)
LINE = re.compile(r"^([0-9]{1,3}(?: [0-9]{1,3}){0,63}) ?\t([0-9]{4,9})$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """CPUs that share a clock, and the highest of it in MHz."""

    cpus: tuple[int, ...]
    mhz: float

    @property
    def mask(self) -> str:
        """As `taskset` takes it: hexadecimal, a bit for each CPU."""
        return f"{sum(1 << cpu for cpu in self.cpus):x}"


def parse_clusters(text: str) -> list[Cluster]:
    """The slowest first."""
    clusters = [
        Cluster(cpus=tuple(sorted({int(cpu) for cpu in cpus.split()})), mhz=int(khz) / 1000)
        for cpus, khz in LINE.findall(text)
    ]
    return sorted(clusters, key=lambda cluster: (cluster.mhz, cluster.cpus))


def find_cluster(adb: Adb, cores: Cores) -> Cluster:
    """`little`: the slowest; `big`: the fastest; `middle`: the fastest but one. Raises DeviceError for a phone that does not tell, or has no such."""
    clusters = parse_clusters(adb.shell(CLUSTERS, doing="tell its clusters of CPUs").stdout)
    needed = {"little": 1, "big": 1, "middle": 3}[cores]
    if len(clusters) < needed:
        told = (
            ", ".join(f"CPUs {' '.join(map(str, cluster.cpus))} at {cluster.mhz:.0f} MHz" for cluster in clusters)
            or "none"
        )
        raise DeviceError(
            f"{adb.serial} has no {cores} cores that it tells of (its clusters: {told}); choose others with 'cores' in the protocol, or leave it out."
        )
    return (
        {"little": clusters[0], "big": clusters[-1], "middle": clusters[-2]}[cores]
        if needed == 3
        else clusters[0 if cores == "little" else -1]
    )
