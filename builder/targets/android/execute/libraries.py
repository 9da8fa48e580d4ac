"""The x86_64 libraries of a package, taken out of it as they are: phones get the same sources for arm64-v8a."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

from builder.errors import BundleError
from builder.targets.android.audit.layout import LIBRARY

ABI = "x86_64"
TFLITE, TFLITE_GPU = "libtensorflowlite_jni.so", "libtensorflowlite_gpu_jni.so"
KNOWN = (TFLITE, TFLITE_GPU)
# Of one library; none that is known has a tenth.
MOST_BYTES = 1 << 30


def take_libraries(package: Path, folder: Path) -> tuple[Path, ...]:
    """Those that can be run here, written into `folder`; none where the package has no x86_64. Raises BundleError."""
    taken = []
    try:
        with zipfile.ZipFile(package) as archive:
            for info in archive.infolist():
                match = LIBRARY.fullmatch(info.filename)
                if match is None or match[1] != ABI or match[2] not in KNOWN:
                    continue
                if info.file_size > MOST_BYTES:
                    raise BundleError(
                        f"{package} is refused: {info.filename} unpacks to more than {MOST_BYTES >> 30} GB."
                    )
                path = folder / PurePosixPath(info.filename).name
                path.write_bytes(archive.read(info))
                taken.append(path)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise BundleError(f"{package} is not a readable archive ({error}).") from error
    return tuple(sorted(taken))
