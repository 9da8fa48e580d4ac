"""Server: the bundle behind HTTP, for phones that can run no variant of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.bundle import Bundle
    from builder.targets.base import Finding, Need, PackageRequest, PackageResult, Runtime
    from builder.toml_file import Section

TITLE = "server"
FORMATS: tuple[str, ...] = ("folder",)
DEFAULT_FORMATS: tuple[str, ...] = FORMATS
RUNTIMES: tuple[str, ...] = ()
AUDITED: tuple[str, ...] = ()
ARTIFACT, DELEGATE = ".tflite", "xnnpack"  # what LiteRT executes on a processor


def load_section_kind() -> type[Section] | None:
    """A server is set up by its environment."""
    return None


def takes(runtime: Runtime | None, section: object) -> tuple[str, ...]:
    """What LiteRT for Python executes."""
    return (ARTIFACT,)


def make_request(bundle: Bundle, section: object, folder: Path | None) -> PackageRequest:
    """A server has no identifier of its own; one of the model's name stands for it."""
    from builder.targets.base import PackageRequest, sample_identifier

    return PackageRequest(bundle=bundle, application_id=sample_identifier(bundle), version_name="1.0", version_code=1)


def check_section(section: object, folder: Path) -> None:
    """There is none."""


def doctor() -> list[Need]:
    """Packaging needs nothing; running does, where the server runs."""
    return []


def hash_sources() -> str:
    """Hash of all that decides a package: the application, its files, and what it takes of this code."""
    from builder.targets.server.packaging import hash_sources as hash_sources

    return hash_sources()


def package(request: PackageRequest) -> PackageResult:
    """Write the server's folder in `request.out`. Raises ConfigError for a bundle without a TFLite variant for processors."""
    from builder.targets.server.packaging import package as made

    return made(request)


def audit_package(path: Path) -> tuple[Finding, ...]:
    """A server checks its golden when it starts."""
    return ()
