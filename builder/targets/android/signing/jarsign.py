"""JAR signatures (scheme v1), which stores ask of app bundles: hashes of all entries, signed as PKCS #7.

As in the JAR File Specification, "Signed JAR File": MANIFEST.MF holds a hash of every entry, the .SF file hashes of the manifest
and of its sections, the block file the signature of the .SF file.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from builder.targets.android import apkzip
from builder.targets.android.apkzip import OTHER_ALIGNMENT, Entry

if TYPE_CHECKING:
    from builder.targets.android.signing.keys import SigningKey

MANIFEST = "META-INF/MANIFEST.MF"
SIGNATURE = "META-INF/RELEASE.SF"
# Bytes of a line of a manifest with its end, before it must be continued.
LINE = 72


def sign(unsigned: Path, out: Path, key: SigningKey) -> None:
    """Write the archive with a JAR signature. Equal input and key give equal bytes."""
    with zipfile.ZipFile(unsigned) as archive:
        kept = [
            Entry(
                name=info.filename,
                source=archive.read(info),
                alignment=OTHER_ALIGNMENT if info.compress_type == zipfile.ZIP_STORED else None,
            )
            for info in archive.infolist()
            if not info.is_dir() and not info.filename.startswith("META-INF/")
        ]
    sections = {entry.name: _section(entry.name, entry.source) for entry in sorted(kept, key=lambda e: e.name)}
    manifest = _lines(["Manifest-Version: 1.0", "Created-By: edgebundle"]) + b"".join(sections.values())
    signature = _lines(
        ["Signature-Version: 1.0", "Created-By: edgebundle", f"SHA-256-Digest-Manifest: {_digest(manifest)}"]
    )
    signature += b"".join(
        _lines([f"Name: {name}", f"SHA-256-Digest: {_digest(text)}"]) for name, text in sections.items()
    )
    added = [
        Entry(name=MANIFEST, source=manifest),
        Entry(name=SIGNATURE, source=signature),
        Entry(name=f"META-INF/RELEASE.{_algorithm(key)}", source=_pkcs7(signature, key)),
    ]
    apkzip.write(out, [*kept, *added])


def _section(name: str, source: bytes | Path) -> bytes:
    content = source if isinstance(source, bytes) else source.read_bytes()
    return _lines([f"Name: {name}", f"SHA-256-Digest: {_digest(content)}"])


def _digest(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _lines(lines: Iterable[str]) -> bytes:
    """A section of a manifest: long lines continued by a space, an empty line at the end."""
    out = b""
    for line in lines:
        data, length = line.encode(), LINE - 2
        out += data[:length] + b"\r\n"
        for at in range(length, len(data), length - 1):
            out += b" " + data[at : at + length - 1] + b"\r\n"
    return out + b"\r\n"


def _algorithm(key: SigningKey) -> str:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    return "RSA" if isinstance(key.private, RSAPrivateKey) else "EC"


def _pkcs7(content: bytes, key: SigningKey) -> bytes:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.serialization import pkcs7

    builder = (
        pkcs7.PKCS7SignatureBuilder().set_data(content).add_signer(key.certificates[0], key.private, hashes.SHA256())
    )
    for certificate in key.certificates[1:]:
        builder = builder.add_certificate(certificate)
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoAttributes]
    return builder.sign(serialization.Encoding.DER, options)
