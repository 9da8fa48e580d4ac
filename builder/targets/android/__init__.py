"""Android: a library for app teams, a signed app, an app bundle for the store and the Gradle project, all from one source tree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from builder.targets.android.runtimes import RUNTIMES as RUNTIMES

if TYPE_CHECKING:
    from builder.bundle import Bundle
    from builder.targets.android.settings import AndroidSection
    from builder.targets.base import Finding, Need, PackageRequest, PackageResult, Runtime
    from builder.toml_file import Section

TITLE = "Android"
FORMATS: tuple[str, ...] = ("aar", "apk", "aab", "project")
DEFAULT_FORMATS: tuple[str, ...] = ("aar", "apk", "project")
AUDITED: tuple[str, ...] = (".apk", ".aar", ".aab")


def load_section_kind() -> type[Section] | None:
    """[package.android]."""
    from builder.targets.android.settings import AndroidSection

    return AndroidSection


def takes(runtime: Runtime | None, section: AndroidSection | None) -> tuple[str, ...]:
    """The files of the runtime that is packed. Raises ConfigError for an unknown one."""
    from builder.targets.android.host.flavours import find_flavour

    return (find_flavour(runtime).artifact,)


def make_request(bundle: Bundle, section: AndroidSection | None, folder: Path | None) -> PackageRequest:
    """Raises ConfigError for a keystore that is not there."""
    from builder.targets.android import settings

    return settings.make_request(bundle, section, folder)


def check_section(section: AndroidSection, folder: Path) -> None:
    """Raises ConfigError for names that no Android package can have, and for a keystore that is not there."""
    from builder.targets.android import settings

    settings.check_section(section, folder)


def doctor() -> list[Need]:
    """What packaging for Android needs on this machine, and what is there."""
    from builder.targets.android import gradle, tools

    return [*tools.needs(), *gradle.needs()]


def hash_sources() -> str:
    """Hash of all sources that decide a package: the Gradle project and this package's code."""
    from builder.targets.android.packaging import hash_sources as hash_sources

    return hash_sources()


def package(request: PackageRequest) -> PackageResult:
    """Make the requested formats in `request.out` and audit them.

    Raises ConfigError for a bad application id, format, runtime or keystore, MissingToolError, ConversionError, and VerificationError
    when the audit finds an error that was not allowed: such a package is not handed over.
    """
    from builder.targets.android.packaging import package as made

    return made(request)


def audit_package(path: Path) -> tuple[Finding, ...]:
    """What our own checks, and Android's verifier where it is installed, say of a package."""
    from builder.targets.android.audit import audit

    return audit(path)
