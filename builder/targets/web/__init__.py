"""Web: a page of static files that runs the bundle in the phone's browser, from any host and offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.bundle import Bundle
    from builder.targets.base import Finding, Need, PackageRequest, PackageResult, Runtime
    from builder.targets.web.settings import WebSection
    from builder.toml_file import Section

TITLE = "web"
FORMATS: tuple[str, ...] = ("site", "npm")
DEFAULT_FORMATS: tuple[str, ...] = ("site",)
RUNTIMES: tuple[str, ...] = ()
AUDITED: tuple[str, ...] = ()
ARTIFACT = ".tflite"  # LiteRT.js runs the same files as the phone's apps


def load_section_kind() -> type[Section] | None:
    """What a page may be told, beside the bundle."""
    from builder.targets.web.settings import WebSection

    return WebSection


def takes(runtime: Runtime | None, section: object) -> tuple[str, ...]:
    """What LiteRT.js executes. Raises ConfigError for ONNX Runtime, with what stands against it."""
    from builder.errors import ConfigError

    if runtime is not None and runtime.name.startswith("onnxruntime"):
        raise ConfigError(
            "a page cannot run ONNX Runtime: a bundle has no ONNX variant, since no backend lowers a plan to ONNX, reads it back and gives it a "
            "golden; leave out --runtime, or write the source model alone by 'builder export --format onnx -o DIR' for a page of your own."
        )
    return (ARTIFACT,)


def make_request(bundle: Bundle, section: WebSection | None, folder: Path | None) -> PackageRequest:
    """A page has no identifier of its own; one of the model's name stands for it."""
    from builder.targets.base import PackageRequest, sample_identifier

    return PackageRequest(
        bundle=bundle,
        application_id=sample_identifier(bundle),
        version_name="1.0",
        version_code=1,
        remote=(section.remote if section is not None else None) or "",
    )


def check_section(section: WebSection, folder: Path) -> None:
    """Raises ConfigError for a server over whose address others could see the pictures."""
    from builder.targets.web.settings import check_remote_origin

    if section.remote:
        check_remote_origin(section.remote)


def doctor() -> list[Need]:
    """What packaging for the web needs on this machine, and what is there."""
    from builder.targets.web import node

    return node.needs()


def hash_sources() -> str:
    """Hash of all that decides a page: its sources with the pinned packages, and this code."""
    from builder.targets.web.packaging import hash_sources as hash_sources

    return hash_sources()


def package(request: PackageRequest) -> PackageResult:
    """Make the page in `request.out` and audit it; with the format `npm` the package for other people's pages, which carries no bundle.

    Raises ConfigError for a bundle without a TFLite variant, MissingToolError, ConversionError when npm or esbuild fails, and
    VerificationError when the audit finds an error.
    """
    from builder.targets.web.packaging import package as made

    return made(request)


def audit_package(path: Path) -> tuple[Finding, ...]:
    """A page is audited when it is made."""
    return ()
