"""The APK: the prebuilt host app, an application id and a bundle, aligned and signed. No Java runs here."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from builder.bundle import Bundle, list_tree, name_bundle_folder
from builder.targets.android import apkzip
from builder.targets.android.apkzip import LIBRARY_ALIGNMENT, MODEL_ALIGNMENT, OTHER_ALIGNMENT, Entry
from builder.targets.android.host import HostApp, aapt2
from builder.targets.android.licences import name_notices, write_app_licences
from builder.targets.android.signing import keys, signature
from builder.targets.base import PackageRequest


def build_apk(request: PackageRequest, bundle: Bundle, host: HostApp, out: Path) -> None:
    """Write the signed APK of this bundle to `out`. Equal requests with one RSA or EC key give equal bytes."""
    key = keys.signing_key(request.keystore)
    with tempfile.TemporaryDirectory(prefix="edgebundle-apk-") as folder:
        unsigned = Path(folder) / "unsigned.apk"
        write_unsigned(request, bundle, host, unsigned)
        signature.sign(unsigned, out, key)


def write_unsigned(request: PackageRequest, bundle: Bundle, host: HostApp, out: Path) -> None:
    """The APK without a signature. Equal requests give equal bytes, whatever the key."""
    with tempfile.TemporaryDirectory(prefix="edgebundle-link-") as folder:
        linked = Path(folder) / "linked.apk"
        link(request, host, linked)
        apkzip.write(
            out,
            [
                *_list_linked(linked),
                *list_code_entries(host, bundle),
                make_notices_entry(host, bundle),
                *list_bundle_entries(bundle),
            ],
        )


def link(request: PackageRequest, host: HostApp, out: Path, *more: str) -> None:
    """Resources and manifest with the request's id and versions, as an APK without code. `more` goes to aapt2."""
    with tempfile.TemporaryDirectory(prefix="edgebundle-manifest-") as folder:
        manifest = Path(folder) / "AndroidManifest.xml"
        label = aapt2.make_app_label(request.bundle.manifest.model.name)
        aapt2.write_named_manifest(host.manifest, request.application_id, label, manifest)
        aapt2.link(
            resources=host.resources,
            manifest=manifest,
            framework=host.framework,
            out=out,
            versions=host.versions,
            more=[
                *("--rename-manifest-package", request.application_id),
                *("--version-code", str(request.version_code)),
                *("--version-name", request.version_name),
                *("--stable-ids", host.ids),  # the dex was compiled against these
                *more,
            ],
        )


def list_bundle_entries(bundle: Bundle) -> Iterator[Entry]:
    """The bundle as assets; artifacts are stored, so that the app maps them."""
    prefix = f"assets/{name_bundle_folder(bundle.manifest.model.name)}/"
    artifacts = tuple(v.file for v in bundle.manifest.variants)
    for path in list_tree(bundle.root):
        name = path.relative_to(bundle.root).as_posix()
        mapped = any(name == file or name.startswith(file + "/") for file in artifacts)
        yield Entry(name=prefix + name, source=path, alignment=MODEL_ALIGNMENT if mapped else _alignment(name))


def _list_linked(apk: Path) -> Iterator[Entry]:
    with zipfile.ZipFile(apk) as archive:
        for name in archive.namelist():
            yield Entry(name=name, source=archive.read(name), alignment=_alignment(name))


def list_code_entries(host: HostApp, bundle: Bundle) -> Iterator[Entry]:
    """The dex, and the native libraries that the bundle's variants need."""
    for dex in host.dex:
        yield Entry(name=dex.name, source=dex)
    needed = find_needed_libraries(host, bundle)
    for name, path in host.libraries.items():
        if PurePosixPath(name).name in needed:
            yield Entry(name=name, source=path, alignment=LIBRARY_ALIGNMENT)


def find_needed_libraries(host: HostApp, bundle: Bundle) -> set[str]:
    """All of the runtime but what serves delegates that no variant asks for."""
    delegates = {v.delegate for v in bundle.manifest.variants}
    unneeded = {
        lib.name for lib in host.flavour.libraries if lib.delegates and not delegates.intersection(lib.delegates)
    }
    return {PurePosixPath(name).name for name in host.libraries} - unneeded


def make_notices_entry(host: HostApp, bundle: Bundle) -> Entry:
    """The licences of everything inside: the SDK, the model, the libraries."""
    manifest = bundle.manifest
    licences = (manifest.model.licence, *manifest.licences)
    text = write_app_licences(host.notices.read_text(encoding="utf-8"), manifest.model.name, licences)
    return Entry(name=name_notices(manifest.model.name), source=text.encode())


def _alignment(name: str) -> int | None:
    """Stored are the resource table, which Android maps, and pictures, which do not shrink."""
    return OTHER_ALIGNMENT if name == "resources.arsc" or name.endswith(".png") else None
