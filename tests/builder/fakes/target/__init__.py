"""A fake target: a folder with the bundle's fake variants."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.targets.fake.settings import FakeSection

    from builder.bundle import Bundle
    from builder.targets.base import Finding, Need, PackageRequest, PackageResult, Runtime
    from builder.toml_file import Section

TITLE = "Fake"
FORMATS: tuple[str, ...] = ("box",)
DEFAULT_FORMATS: tuple[str, ...] = ("box",)
RUNTIMES: tuple[str, ...] = ()
AUDITED: tuple[str, ...] = ()
ARTIFACT = ".fake"


def load_section_kind() -> type[Section] | None:
    from builder.targets.fake.settings import FakeSection

    return FakeSection


def takes(runtime: Runtime | None, section: FakeSection | None) -> tuple[str, ...]:
    return (ARTIFACT,)


def make_request(bundle: Bundle, section: FakeSection | None, folder: Path | None) -> PackageRequest:
    from builder.targets.base import PackageRequest, sample_identifier

    name = sample_identifier(bundle) if section is None else section.owner
    return PackageRequest(bundle=bundle, application_id=name, version_name="1", version_code=1)


def check_section(section: FakeSection, folder: Path) -> None:
    from builder.errors import ConfigError

    if not section.owner.isalpha():
        raise ConfigError(f"'owner' in [package.fake] is {section.owner!r}; use letters alone.")


def doctor() -> list[Need]:
    from builder.targets.base import Need

    return [Need(name="cardboard", found=True, version="2", install="")]


def hash_sources() -> str:
    return "1"


def package(request: PackageRequest) -> PackageResult:
    from builder.targets.base import PackageResult
    from builder.targets.subset import write_subset

    box = request.out / f"{request.application_id}-box"
    write_subset(request.bundle, (ARTIFACT,), box)
    return PackageResult(files=(box,), findings=())


def audit_package(path: Path) -> tuple[Finding, ...]:
    return ()
