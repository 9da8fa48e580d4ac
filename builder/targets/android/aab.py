"""The app bundle for a store: the app as a base module, large models as an install-time asset pack, checked by bundletool."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from builder import process
from builder.bundle import Bundle, name_bundle_folder
from builder.errors import ConversionError
from builder.targets.android import apkzip, tools
from builder.targets.android.apk import link, list_bundle_entries, list_code_entries, make_notices_entry
from builder.targets.android.apkzip import Entry
from builder.targets.android.catalogue import Catalogue
from builder.targets.android.host import HostApp, aapt2, compiler, maven
from builder.targets.android.host.flavours import FLAVOURS
from builder.targets.android.host.maven import Wanted
from builder.targets.android.signing import jarsign, keys
from builder.targets.base import PackageRequest

# Bytes of models from which on they get a pack of their own: Play takes 200 MB of a base module.
LARGE = 100_000_000
PACK = "models"
# bundletool takes seconds for a large package: what takes minutes hangs.
LIMIT_S = 300.0
MAIN = "com.android.tools.build.bundletool.BundleToolMain"
# Models are mapped from the APKs that a store makes, and libraries loaded from them, so neither may be compressed there.
_MODELS = ", ".join(f'"assets/**{artifact}"' for artifact in dict.fromkeys(f.artifact for f in FLAVOURS.values()))
CONFIG = (
    '{"compression": {"uncompressedGlob": ['
    + _MODELS
    + ']}, "optimizations": {"uncompressNativeLibraries": {"enabled": true, "alignment": "PAGE_ALIGNMENT_16K"}}}'
)
PACK_MANIFEST = """<?xml version="1.0" encoding="utf-8"?>
<manifest xmlns:android="http://schemas.android.com/apk/res/android" xmlns:dist="http://schemas.android.com/apk/distribution" package="{id}" split="{pack}">
    <dist:module dist:type="asset-pack">
        <dist:fusing dist:include="true" />
        <dist:delivery>
            <dist:install-time />
        </dist:delivery>
    </dist:module>
</manifest>
"""


def build_aab(request: PackageRequest, bundle: Bundle, host: HostApp, project: Path, out: Path) -> None:
    """Write the signed app bundle to `out`. Raises MissingToolError, ConversionError when bundletool refuses it."""
    key = keys.signing_key(request.keystore)
    with tempfile.TemporaryDirectory(prefix="edgebundle-aab-") as folder:
        work = Path(folder)
        write_unsigned(request, bundle, host, project, work / "unsigned.aab")
        jarsign.sign(work / "unsigned.aab", out, key)
    bundletool(project, "validate", f"--bundle={out}")


def write_unsigned(request: PackageRequest, bundle: Bundle, host: HostApp, project: Path, out: Path) -> None:
    """The app bundle without a signature. Equal requests give equal bytes."""
    models = sum(v.bytes for v in bundle.manifest.variants)
    with tempfile.TemporaryDirectory(prefix="edgebundle-modules-") as folder:
        work = Path(folder)
        link(request, host, work / "base.apk", "--proto-format")
        packed = models >= LARGE
        assets = list(list_bundle_entries(bundle))
        folder_name = name_bundle_folder(bundle.manifest.model.name)
        own = {f"assets/{folder_name}/{v.file}" for v in bundle.manifest.variants} if packed else set()
        base = [entry for entry in assets if entry.name not in own]
        apkzip.write(
            work / "base.zip",
            [*_list_linked(work / "base.apk"), *_code(host, bundle), *base, make_notices_entry(host, bundle)],
        )
        modules = [work / "base.zip"]
        if packed:
            modules.append(work / f"{PACK}.zip")
            apkzip.write(modules[-1], [_pack_manifest(request, host, work), *(e for e in assets if e.name in own)])
        (work / "config.json").write_text(CONFIG, encoding="utf-8")
        bundletool(
            project,
            "build-bundle",
            f"--modules={','.join(map(str, modules))}",
            f"--config={work / 'config.json'}",
            f"--output={work / 'made.aab'}",
        )
        _normalise(work / "made.aab", out)


def bundletool(project: Path, *words: str) -> str:
    """What bundletool printed. Raises MissingToolError, ConversionError with its last lines."""
    tools.require("java", "mvn")
    jars = maven.resolve(Catalogue.read(project), {"bundletool": (Wanted(alias="bundletool"),)})["bundletool"]
    argv: list[str | Path] = ["java", *compiler.JVM, "-cp", compiler.join_class_path(jars), MAIN, *words]
    try:
        done = process.run(argv, timeout_s=LIMIT_S, check=False)
    except process.ToolError as error:
        raise ConversionError(f"could not run bundletool {words[0]}: {error}") from error
    if done.returncode:  # the sentence stands before a long stack
        said = next(
            (line for line in (done.stderr + done.stdout).splitlines() if "Error: " in line), done.quote_last_lines(2)
        )
        raise ConversionError(f"bundletool {words[0]} refuses the app bundle: {said.partition('Error: ')[2] or said}")
    return done.stdout


def _list_linked(apk: Path) -> Iterator[Entry]:
    """aapt2's output in a module's layout."""
    with zipfile.ZipFile(apk) as archive:
        for name in archive.namelist():
            place = "manifest/AndroidManifest.xml" if name == "AndroidManifest.xml" else name
            yield Entry(name=place, source=archive.read(name))


def _code(host: HostApp, bundle: Bundle) -> Iterator[Entry]:
    for entry in list_code_entries(host, bundle):
        yield Entry(name=f"dex/{entry.name}" if entry.name.endswith(".dex") else entry.name, source=entry.source)


def _pack_manifest(request: PackageRequest, host: HostApp, work: Path) -> Entry:
    source = work / "pack.xml"
    source.write_text(PACK_MANIFEST.format(id=request.application_id, pack=PACK), encoding="utf-8")
    aapt2.link(
        resources=None,
        manifest=source,
        framework=host.framework,
        out=work / "pack.apk",
        versions=None,  # a pack may not name any
        more=["--proto-format"],
    )
    with zipfile.ZipFile(work / "pack.apk") as archive:
        return Entry(name="manifest/AndroidManifest.xml", source=archive.read("AndroidManifest.xml"))


def _normalise(made: Path, out: Path) -> None:
    """The archive with sorted names and fixed times: bundletool writes neither."""
    with zipfile.ZipFile(made) as archive:
        entries = [
            Entry(
                name=info.filename,
                source=archive.read(info),
                alignment=apkzip.OTHER_ALIGNMENT if info.compress_type == zipfile.ZIP_STORED else None,
            )
            for info in archive.infolist()
            if not info.is_dir()
        ]
    apkzip.write(out, entries)
