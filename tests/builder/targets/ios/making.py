"""Requests for iOS packages, and apps as Xcode leaves them, as far as packing looks."""

from __future__ import annotations

import plistlib
import struct
import zipfile
from pathlib import Path

from builder.bundle import Bundle, list_tree
from builder.targets.base import PackageRequest

ODD = "a b'c\"d 模型 $(x)"  # spaces, quotes and Chinese: in a model's name, and in every directory


def request(bundle: Bundle, out: Path, *formats: str, **changes: object) -> PackageRequest:
    out.mkdir(parents=True, exist_ok=True)
    fields: dict[str, object] = {
        "application_id": "org.example.small",
        "version_name": "1.2",
        "version_code": 3,
        "formats": formats,
        **changes,
    }
    return PackageRequest(bundle=bundle, out=out, **fields)  # type: ignore[arg-type]


def make_app(folder: Path, *, platform: int = 2, processor: int = 0x0100000C, minimum: str = "16.0") -> Path:
    """An app as Xcode leaves it, as far as packing looks: Info.plist, a Mach-O head, seals, the bundle of another model."""
    app = folder / "Edgebundle.app"
    (app / "_CodeSignature").mkdir(parents=True)
    (app / "_CodeSignature" / "CodeResources").write_text("old")
    (app / "embedded.mobileprovision").write_text("old")
    (app / "edgebundle").mkdir()
    (app / "edgebundle" / "manifest.json").write_text("old")
    head = struct.pack("<IIIIIIII", 0xFEEDFACF, processor, 0, 2, 1, 24, 0, 0)
    (app / "Edgebundle").write_bytes(head + struct.pack("<IIIIII", 0x32, 24, platform, 0, 0, 0))
    (app / "Edgebundle").chmod(0o755)
    info = {
        "CFBundlePackageType": "APPL",
        "CFBundleExecutable": "Edgebundle",
        "CFBundleIdentifier": "org.example.old",
        "MinimumOSVersion": minimum,
    }
    (app / "Info.plist").write_bytes(plistlib.dumps(info, fmt=plistlib.FMT_BINARY))
    return app


def zipped(app: Path, out: Path, extra: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(out, "w") as archive:
        for path in list_tree(app):
            archive.write(path, f"Payload/{app.name}/{path.relative_to(app)}")
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    return out
