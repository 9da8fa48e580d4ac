"""The packaging step, cached like the others: a bundle and the section of its target become the files of a package."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter

from builder.bundle import Bundle, file_sha256, tree_sha256
from builder.errors import ConfigError
from builder.project.packages import AndroidSection, IosSection
from builder.project.project import Project
from builder.steps.listener import Listener
from builder.storage.cache import content_key, kept
from builder.targets import TARGETS
from builder.targets.base import Keystore, PackageOptions, PackageRequest, PackageResult
from builder.workers.messages import RESULT

KEYSTORE_PASSWORD = "EDGEBUNDLE_KEYSTORE_PASSWORD"
_PACKAGE_RESULT = TypeAdapter(PackageResult)


def build_package(
    bundle: Bundle,
    project: Project | None,
    target_name: str,
    formats: tuple[str, ...],
    options: PackageOptions,
    listener: Listener,
) -> tuple[Path, PackageResult]:
    """The packages of a bundle, kept in the cache: their directory, and their files relative to it."""
    target = TARGETS[target_name]
    app = ios_settings(bundle, project) if target_name == "ios" else app_settings(bundle, project)
    keystore = find_keystore(app, project) if isinstance(app, AndroidSection) else None
    prebuilt = project.folder / app.app if project and isinstance(app, IosSection) and app.app else None
    key = content_key(
        {
            "bundle": bundle.sha256,
            "target": target_name,
            "formats": formats,
            "app": app.model_dump(mode="json"),
            "keystore": file_sha256(keystore.path) if keystore else None,
            "prebuilt": tree_sha256(prebuilt) if prebuilt and prebuilt.exists() else None,
            "options": _options_key(options),
            "code": target.sources_sha256(),
        }
    )
    what = f"the {target_name} package"

    def make(work: Path) -> None:
        listener.stage(what, "build")
        (work / "files").mkdir()
        request = replace(
            requested(bundle, app),
            formats=formats or target.DEFAULT_FORMATS,
            out=work / "files",
            keystore=keystore,
            app=prebuilt,
            options=options,
        )
        result = target.package(request)
        relative = PackageResult(
            files=tuple(f.relative_to(work / "files") for f in result.files), findings=result.findings
        )
        (work / RESULT).write_bytes(_PACKAGE_RESULT.dump_json(relative, indent=1))

    forget = project is not None and project.fresh.first("package", key)
    folder, cached = kept("package", key, make, forget=forget)
    listener.done(what, cached=cached)
    return folder / "files", _PACKAGE_RESULT.validate_json((folder / RESULT).read_bytes())


def _options_key(options: PackageOptions) -> list[object]:
    runtime = options.runtime
    if runtime is not None and runtime.file is not None and not runtime.file.is_file():
        raise ConfigError(f"the runtime {runtime.file} does not exist; correct --runtime {runtime.name}=FILE.")
    local = file_sha256(runtime.file) if runtime is not None and runtime.file is not None else None
    return [runtime.name if runtime else None, local, sorted(options.allow), options.with_gradle, options.execute]


def find_keystore(app: AndroidSection, project: Project | None) -> Keystore | None:
    """The key that builder.toml names, with its password from the environment; None for the debug key."""
    if project is None or app.keystore is None:
        return None
    path = project.folder / app.keystore
    if not path.is_file():
        raise ConfigError(
            f"the keystore {path} does not exist; correct 'keystore' in [package.android] of builder.toml."
        )
    return Keystore(path=path, password=os.environ.get(KEYSTORE_PASSWORD))


def app_settings(bundle: Bundle, project: Project | None) -> AndroidSection:
    """[package.android] of builder.toml, or an id made from the model's name for a bundle that comes without one."""
    if project is not None and project.config.package.android is not None:
        return project.config.package.android
    return AndroidSection(application_id=sample_identifier(bundle))


def requested(bundle: Bundle, app: AndroidSection | IosSection) -> PackageRequest:
    """The request that a section of builder.toml makes; whoever packages adds formats and places."""
    if isinstance(app, IosSection):
        return PackageRequest(
            bundle=bundle,
            application_id=app.bundle_identifier,
            version_name=app.version,
            version_code=app.build,
            formats=(),
            out=Path(),
            deployment_target=app.deployment_target,
            executorch=app.executorch,
            team=app.team,
        )
    return PackageRequest(
        bundle=bundle,
        application_id=app.application_id,
        version_name=app.version_name,
        version_code=app.version_code,
        formats=(),
        out=Path(),
    )


def ios_settings(bundle: Bundle, project: Project | None) -> IosSection:
    """[package.ios] of builder.toml, or an identifier made from the model's name for a bundle that comes without one."""
    if project is not None and project.config.package.ios is not None:
        return project.config.package.ios
    return IosSection(bundle_identifier=sample_identifier(bundle))


def sample_identifier(bundle: Bundle) -> str:
    word = re.sub(r"[^a-z0-9]", "", bundle.manifest.model.name.lower())
    return f"org.edgebundle.sample.{word if word[:1].isalpha() else f'm{word}'}"
