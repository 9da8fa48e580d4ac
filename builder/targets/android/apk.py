"""The APK: the prebuilt host app, an application id and a bundle, aligned and signed. No Java runs here."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from builder.bundle import BUNDLE_FOLDER, Bundle, tree_files
from builder.targets.android import apkzip, keys, signature
from builder.targets.android.apkzip import LIBRARY_ALIGNMENT, MODEL_ALIGNMENT, OTHER_ALIGNMENT, Entry
from builder.targets.android.host import HostApp, aapt2
from builder.targets.base import PackageRequest


def build_apk(request: PackageRequest, bundle: Bundle, host: HostApp, out: Path) -> None:
    """Write the signed APK of this bundle to `out`. Equal requests with one RSA or EC key give equal bytes."""
    key = keys.signing_key(request.keystore)
    with tempfile.TemporaryDirectory(prefix="edgebundle-apk-") as folder:
        linked, unsigned = Path(folder) / "linked.apk", Path(folder) / "unsigned.apk"
        aapt2.link(
            resources=host.resources,
            manifest=host.manifest,
            framework=host.framework,
            out=linked,
            versions=host.versions,
            more=[
                *("--rename-manifest-package", request.application_id),
                *("--version-code", str(request.version_code)),
                *("--version-name", request.version_name),
                *("--stable-ids", host.ids),  # the dex was compiled against these
            ],
        )
        apkzip.write(unsigned, [*_linked(linked), *_code(host), *bundle_entries(bundle)])
        signature.sign(unsigned, out, key)


def bundle_entries(bundle: Bundle) -> Iterator[Entry]:
    """The bundle as assets; artifacts are stored, so that the app maps them."""
    prefix = f"assets/{BUNDLE_FOLDER}/"
    artifacts = tuple(v.file for v in bundle.manifest.variants)
    for path in tree_files(bundle.root):
        name = path.relative_to(bundle.root).as_posix()
        mapped = any(name == file or name.startswith(file + "/") for file in artifacts)
        yield Entry(name=prefix + name, source=path, alignment=MODEL_ALIGNMENT if mapped else _alignment(name))


def _linked(apk: Path) -> Iterator[Entry]:
    with zipfile.ZipFile(apk) as archive:
        for name in archive.namelist():
            yield Entry(name=name, source=archive.read(name), alignment=_alignment(name))


def _code(host: HostApp) -> Iterator[Entry]:
    for dex in host.dex:
        yield Entry(name=dex.name, source=dex)
    for name, path in host.libraries.items():
        yield Entry(name=name, source=path, alignment=LIBRARY_ALIGNMENT)


def _alignment(name: str) -> int | None:
    """Stored are the resource table, which Android maps, and pictures, which do not shrink."""
    return OTHER_ALIGNMENT if name == "resources.arsc" or name.endswith(".png") else None
