"""`builder doctor`: what is installed, what is missing, and the command that adds it. Starts no converter."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from builder.backends import BACKENDS
from builder.storage.cache import read_versions
from builder.targets import TARGETS


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a part of the product needs, or (not `required`) can use; `cure` is the command that adds it, empty when it is there."""

    part: str
    name: str
    version: str | None
    cure: str
    required: bool = True


def examine() -> tuple[Finding, ...]:
    """Python, the converters of every backend, the tools of every target."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    supported = sys.version_info[:2] == (3, 11)
    findings = [
        Finding(
            part="python",
            name="python",
            version=python,
            cure="" if supported else "use Python 3.11: the converters' pinned set exists for it only",
        )
    ]
    for name, backend in BACKENDS.items():
        for package, version in read_versions(backend.SPEC.packages).items():
            missing = version == "missing"
            cure = f"pip install 'edgebundle[{name}]'" if missing else ""
            findings.append(Finding(part=name, name=package, version=None if missing else version, cure=cure))
    for name, backend in BACKENDS.items():
        for extra in backend.needs():
            findings.append(
                Finding(
                    part=f"{name} {extra.delegate}",
                    name=extra.name,
                    version=extra.version,
                    cure=extra.install if extra.version is None else "",
                    required=False,
                )
            )
    for name, target in TARGETS.items():
        for need in target.doctor():
            findings.append(
                Finding(
                    part=name,
                    name=need.name,
                    version=need.version if need.found else None,
                    cure="" if need.found else need.install,
                    required=need.required,
                )
            )
    return tuple(findings)
