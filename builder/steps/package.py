"""The packaging step, cached like the others: a bundle and the section of its target become the files of a package."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter

from builder.bundle import Bundle, hash_file, hash_tree
from builder.errors import ConfigError
from builder.project.project import Project
from builder.steps.listener import Listener
from builder.storage.cache import keep_entry, make_content_key
from builder.targets import TARGETS
from builder.targets.base import PackageOptions, PackageRequest, PackageResult
from builder.workers.messages import RESULT

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
    section = project.config.package.of(target_name) if project is not None else None
    asked = target.make_request(bundle, section, project.folder if project is not None else None)
    key = make_content_key(
        {
            "bundle": bundle.sha256,
            "target": target_name,
            "formats": formats,
            **_make_request_key(asked),
            "options": _make_options_key(options),
            "code": target.hash_sources(),
        }
    )
    what = f"the {target_name} package"

    def make(work: Path) -> None:
        listener.stage(what, "build")
        (work / "files").mkdir()
        request = replace(
            asked,
            formats=formats or target.DEFAULT_FORMATS,
            out=work / "files",
            options=options,
        )
        result = target.package(request)
        relative = PackageResult(
            files=tuple(f.relative_to(work / "files") for f in result.files), findings=result.findings
        )
        (work / RESULT).write_bytes(_PACKAGE_RESULT.dump_json(relative, indent=1))

    forget = project is not None and project.fresh.first("package", key)
    folder, cached = keep_entry("package", key, make, forget=forget)
    listener.finish(what, cached=cached)
    return folder / "files", _PACKAGE_RESULT.validate_json((folder / RESULT).read_bytes())


def _make_request_key(asked: PackageRequest) -> dict[str, object]:
    """Of what a section asks for; files by their content."""
    there = asked.app is not None and asked.app.exists()
    return {
        "app": [asked.application_id, asked.version_name, asked.version_code],
        "system": [asked.deployment_target, asked.team, asked.second_runtime],
        "remote": asked.remote,
        "keystore": hash_file(asked.keystore.path) if asked.keystore else None,
        "prebuilt": hash_tree(asked.app) if asked.app is not None and there else None,
    }


def _make_options_key(options: PackageOptions) -> list[object]:
    runtime = options.runtime
    if runtime is not None and runtime.file is not None and not runtime.file.is_file():
        raise ConfigError(f"the runtime {runtime.file} does not exist; correct --runtime {runtime.name}=FILE.")
    local = hash_file(runtime.file) if runtime is not None and runtime.file is not None else None
    return [runtime.name if runtime else None, local, sorted(options.allow), options.with_gradle, options.execute]
