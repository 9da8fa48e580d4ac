"""What a target is to the pipeline: it turns a bundle into the packages that an app team adds, and says what it found in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from builder.bundle import Bundle
from builder.errors import VerificationError
from builder.toml_file import Section


@dataclass(frozen=True, kw_only=True)
class Keystore:
    """A key to sign with: PKCS#12 (`.p12`, `.pfx`, `.keystore`) or PEM (key and certificate in one file)."""

    path: Path
    password: str | None = None


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """The runtime inside a package, by the name of its backend.

    `file` is a local archive of it (an `.aar` for Android) to be taken instead of the published one.
    """

    name: str
    file: Path | None = None


@dataclass(frozen=True, kw_only=True)
class PackageOptions:
    """How to package.

    `allow` lists codes of findings that are accepted: they are reported as exceptions and fail nothing. `with_gradle` builds by Gradle
    and the platform's own SDK instead of the built-in path. `execute` runs every variant by the package's own libraries before it is
    handed over.
    """

    runtime: Runtime | None = None
    allow: tuple[str, ...] = ()
    with_gradle: bool = False
    execute: bool = True


@dataclass(frozen=True, kw_only=True)
class PackageRequest:
    """What to package. `out` is a fresh, empty directory of the caller; nothing is written outside it but the cache.

    For iOS alone: the oldest system that the app is installed on, the team that signs it, an .app or .ipa built before,
    and whether it carries its second runtime. For the web alone: the address of the server that a page may ask, or nothing.
    """

    bundle: Bundle
    application_id: str
    version_name: str
    version_code: int
    formats: tuple[str, ...] = ()
    out: Path = Path()
    keystore: Keystore | None = None
    deployment_target: str = "16.0"
    team: str = ""
    app: Path | None = None
    second_runtime: bool = False
    remote: str = ""
    options: PackageOptions = PackageOptions()


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that the audit of a produced file saw: `error` fails the packaging, `warning` and `info` are reported."""

    level: Literal["error", "warning", "info"]
    code: str
    file: str
    message: str


def judge(findings: Iterable[Finding], allow: Sequence[str]) -> tuple[Finding, ...]:
    """The findings, those of allowed codes as recorded exceptions that fail nothing: one rule for every target.

    Raises VerificationError for the first error that is not allowed.
    """
    marked = tuple(
        replace(finding, level="info", message=f"(allowed by --allow {finding.code}) {finding.message}")
        if finding.code in allow and finding.level != "info"
        else finding
        for finding in findings
    )
    for finding in marked:
        if finding.level == "error":
            raise VerificationError(f"{finding.file} {finding.message}")
    return marked


@dataclass(frozen=True, kw_only=True)
class PackageResult:
    """The files or directories that were made, in `out`, and what their audit found."""

    files: tuple[Path, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True)
class Need:
    """A program that a target uses; `install` is the command that adds it, `required` whether packaging fails without."""

    name: str
    found: bool
    version: str | None
    install: str
    required: bool = True


class Target(Protocol):
    """A package of `builder.targets`."""

    @property
    def TITLE(self) -> str:
        """As sentences name it, e.g. `Android`."""

    @property
    def FORMATS(self) -> tuple[str, ...]:
        """What it makes."""

    @property
    def DEFAULT_FORMATS(self) -> tuple[str, ...]:
        """What it makes when nothing is asked for."""

    @property
    def RUNTIMES(self) -> tuple[str, ...]:
        """Runtimes that a package can carry, by the name that `--runtime` takes, the usual one first; none where there is no choice."""

    @property
    def AUDITED(self) -> tuple[str, ...]:
        """Suffixes of the packages that `audited` looks into."""

    def load_section_kind(self) -> type[Section] | None:
        """The model of its section below [package], where it has one."""

    def takes(self, runtime: Runtime | None, section: Any) -> tuple[str, ...]:
        """Suffixes of the artifacts that its packages execute; other variants are left out. Raises ConfigError for an unknown runtime."""

    def make_request(self, bundle: Bundle, section: Any, folder: Path | None) -> PackageRequest:
        """What its section asks for, without formats and places; without a section what suits the bundle. Raises ConfigError."""

    def check_section(self, section: Any, folder: Path) -> None:
        """Raises ConfigError for a section that no package can have."""

    def doctor(self) -> list[Need]:
        """What the target needs on this machine, and what is there."""

    def hash_sources(self) -> str:
        """Hash of all that decides a package beside the request, so that a changed source never returns an old package."""

    def package(self, request: PackageRequest) -> PackageResult:
        """Make the packages. Raises ConfigError, MissingToolError, ConversionError, VerificationError."""

    def audit_package(self, path: Path) -> tuple[Finding, ...]:
        """What is found in a package that was made before."""


def sample_identifier(bundle: Bundle) -> str:
    """An identifier of an app, for a bundle that comes without one."""
    word = re.sub(r"[^a-z0-9]", "", bundle.manifest.model.name.lower())
    return f"org.edgebundle.sample.{word if word[:1].isalpha() else f'm{word}'}"
