"""Targets: from a bundle to packages for one kind of device. A new one is a package here and a line in TARGETS."""

from __future__ import annotations

from builder.targets import android, ios, web
from builder.targets.base import Finding, Keystore, Need, PackageOptions, PackageRequest, PackageResult, Runtime, Target

TARGETS: dict[str, Target] = {
    "android": android,
    "ios": ios,
    "web": web,
}

__all__ = [
    "TARGETS",
    "Finding",
    "Keystore",
    "Need",
    "PackageOptions",
    "PackageRequest",
    "PackageResult",
    "Runtime",
    "Target",
]
