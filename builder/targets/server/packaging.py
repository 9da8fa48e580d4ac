"""How the server's folder is made: application, bundle, and the few modules of the builder that read a bundle."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from builder.backends import list_backends
from builder.bundle import Manifest, hash_file, list_tree
from builder.errors import ConfigError
from builder.storage import cache
from builder.suggest import did_you_mean
from builder.targets.base import Finding, PackageRequest, PackageResult, judge
from builder.targets.server import ARTIFACT, DELEGATE, FORMATS
from builder.targets.subset import write_subset

HERE = Path(__file__).parent
BUILDER = HERE.parents[1]
NEEDED = ("errors.py", "bundle")  # of the builder, in a package of its name
MODULE = "edgebundle_server"
ABOUT = '"""The part of edgebundle\'s builder that reads a bundle."""\n'


def hash_sources() -> str:
    folders = (HERE, *(BUILDER / name for name in NEEDED))
    files = [path for folder in folders for path in list_tree(folder) if path.suffix != ".pyc"]
    return cache.make_content_key([f"{hash_file(path)} {path.relative_to(BUILDER).as_posix()}" for path in files])


def package(request: PackageRequest) -> PackageResult:
    """Write `NAME-server/` in `request.out`. Raises ConfigError for a bundle that a server cannot run."""
    for name in request.formats:
        if name not in FORMATS:
            raise ConfigError(f"unknown server format {name!r}{did_you_mean(name, FORMATS)}")
    _require_pictures(request.bundle.manifest)
    model = request.bundle.manifest.model
    out = request.out / f"{model.name}-server"
    out.mkdir()
    bundle = write_subset(request.bundle, (ARTIFACT,), out / "bundle")
    runnable = [variant.id for variant in bundle.manifest.variants if variant.delegate == DELEGATE]
    if not runnable:
        raise ConfigError(
            "the bundle has no TFLite variant for processors, which is what a server runs; add a [[variant]] with "
            f'backend = "{list_backends((ARTIFACT,))[0]}" and delegate = "{DELEGATE}" to builder.toml.'
        )
    _copy(HERE / "app", out / MODULE)
    for name in NEEDED:
        _copy(BUILDER / name, out / "builder" / name)
    (out / "builder" / "__init__.py").write_text(ABOUT, encoding="utf-8")
    name = _label(model.name)
    for path in list_tree(HERE / "files"):
        text = path.read_text(encoding="utf-8").replace("@NAME@", name)
        (out / path.name).write_text(text, encoding="utf-8")
    left = sorted({v.id for v in request.bundle.manifest.variants} - set(runnable))
    message = f"serves {runnable[0]}" + (f", and has no use for {', '.join(left)}." if left else ".")
    finding = Finding(level="info", code="served", file=out.name, message=message)
    return PackageResult(files=(out,), findings=judge([finding], request.options.allow))


def _require_pictures(manifest: Manifest) -> None:
    """Raises ConfigError for a network that is not what a server serves."""
    for side, specs in (("takes", manifest.inputs), ("gives", manifest.outputs)):
        if not any(spec.kind == "image" for spec in specs):
            names = ", ".join(spec.name for spec in specs)
            raise ConfigError(
                f"a server takes a picture and gives one, but {manifest.model.name} {side} {names} alone; "
                "package it for phones or the web, whose 'classify' and 'run' give every output."
            )


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(source, target)


def _label(name: str) -> str:
    """A name that Kubernetes takes: RFC 1123, and at most 50 characters, which leaves room for what it appends."""
    label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:50].strip("-")
    return label if label[:1].isalpha() else f"model-{label}".strip("-")
