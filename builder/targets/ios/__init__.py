"""iOS: a Swift package, an Xcode project with the sample and benchmark app, and the app itself, all from one source tree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.bundle import Bundle
    from builder.targets.base import Finding, Need, PackageRequest, PackageResult, Runtime
    from builder.targets.ios.settings import IosSection
    from builder.toml_file import Section

TITLE = "iOS"
FORMATS: tuple[str, ...] = ("package", "project", "app", "ipa")
DEFAULT_FORMATS: tuple[str, ...] = ("package", "project")
RUNTIMES: tuple[str, ...] = ()
AUDITED: tuple[str, ...] = (".ipa",)
ARTIFACT, OPTIONAL = ".mlpackage", ".pte"  # the latter by a package of its own, for apps that ask for it


def load_section_kind() -> type[Section] | None:
    """[package.ios]."""
    from builder.targets.ios.settings import IosSection

    return IosSection


def takes(runtime: Runtime | None, section: IosSection | None) -> tuple[str, ...]:
    """What the system itself executes, and what the app asks for beside it."""
    return (ARTIFACT, OPTIONAL) if section is not None and section.executorch else (ARTIFACT,)


def make_request(bundle: Bundle, section: IosSection | None, folder: Path | None) -> PackageRequest:
    """What the section asks for, or an identifier made of the model's name."""
    from builder.targets.ios import settings

    return settings.make_request(bundle, section, folder)


def check_section(section: IosSection, folder: Path) -> None:
    """Raises ConfigError for names and systems that no app can have."""
    from builder.targets.ios.settings import check_names

    check_names(
        section.bundle_identifier, section.version, section.deployment_target, second_runtime=section.executorch
    )


def doctor() -> list[Need]:
    """What packaging for iOS needs on this machine, and what is there: nothing for a package or a project."""
    from builder.targets.ios import xcode

    return xcode.needs()


def hash_sources() -> str:
    """Hash of all that decides a package: the Swift sources, this code, and the Xcode that would build an app."""
    from builder.targets.ios.packaging import hash_sources as hash_sources

    return hash_sources()


def package(request: PackageRequest) -> PackageResult:
    """Make the requested formats in `request.out` and audit them.

    Raises ConfigError for settings that Xcode would refuse and for a bundle without a Core ML variant, MissingToolError,
    ConversionError when xcodebuild fails, and VerificationError when the audit finds an error.
    """
    from builder.targets.ios.packaging import package as made

    return made(request)


def audit_package(path: Path) -> tuple[Finding, ...]:
    """What our own checks say of an .ipa."""
    from builder.targets.ios.audit import audit_ipa

    return tuple(audit_ipa(path))
