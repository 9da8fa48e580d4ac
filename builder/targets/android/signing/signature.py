"""The APK Signature Schemes v2 and v3: signing, and reading back what a signed file holds.

Layout and digests as in the Android documentation, "APK Signature Scheme v2" and "v3": the signing block stands between the
entries and the central directory; entries, central directory and end record are hashed in pieces of 1 MB.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from builder.targets.android.signing.keys import SigningKey

MAGIC = b"APK Sig Block 42"
END_RECORD = struct.Struct("<IHHHHIIH")
# Of the zip specification: what the end record begins with.
END_MAGIC = 0x06054B50
# 1 MiB, the piece that the schemes v2 and v3 hash by themselves.
CHUNK = 1 << 20
# Ids of the blocks of the schemes v2 and v3 (source.android.com/docs/security/features/apksigning).
V2_BLOCK, V3_BLOCK = 0x7109871A, 0xF05368C0
# Attribute of v2: the file was also signed with v3, so v3 must not be missing.
STRIPPING_PROTECTION = 0xBEEFF00D
# Ids of signature algorithms in these schemes.
RSA_PKCS1_SHA256, ECDSA_SHA256 = 0x0103, 0x0201
# v3 is read from Android 9 on.
V3_MIN_SDK, V3_MAX_SDK = 28, 0x7FFFFFFF


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where the parts of an APK are; `block` is the pairs of its signing block, by ID."""

    entries_end: int
    directory: int
    end_record: int
    end: bytes
    block: dict[int, bytes]


def sign(apk: Path, out: Path, key: SigningKey) -> None:
    """Write the APK with a v2 and a v3 signature, which replace those that it may have. RSA signatures and, since nonces are derived (RFC 6979), EC ones repeat exactly."""
    with apk.open("rb") as source:
        layout = read_layout(source)
        digest = digest_content(source, layout)
        block = signing_block(digest, key)
        with out.open("wb") as target:
            source.seek(0)
            _copy(source, target, layout.entries_end)
            target.write(block)
            source.seek(layout.directory)
            _copy(source, target, layout.end_record - layout.directory)
            target.write(_end_with_directory(layout.end, layout.entries_end + len(block)))


def signing_block(digest: bytes, key: SigningKey) -> bytes:
    """The signing block for a file with this content digest."""
    from cryptography.hazmat.primitives import serialization

    algorithm = _algorithm(key)
    digests = _prefix_length(_prefix_length(struct.pack("<I", algorithm) + _prefix_length(digest)))
    certificates = _prefix_length(
        b"".join(_prefix_length(c.public_bytes(serialization.Encoding.DER)) for c in key.certificates)
    )
    public = key.private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    protection = _prefix_length(_prefix_length(struct.pack("<II", STRIPPING_PROTECTION, 3)))
    sdks = struct.pack("<II", V3_MIN_SDK, V3_MAX_SDK)
    v2_data = digests + certificates + protection
    v3_data = digests + certificates + sdks + _prefix_length(b"")
    pairs = b"".join(
        struct.pack("<QI", 4 + len(value), number) + value
        for number, value in (
            (V2_BLOCK, _signers(v2_data, b"", algorithm, _signature(v2_data, key), public)),
            (V3_BLOCK, _signers(v3_data, sdks, algorithm, _signature(v3_data, key), public)),
        )
    )
    size = struct.pack("<Q", len(pairs) + 8 + len(MAGIC))
    return size + pairs + size + MAGIC


def digest_content(apk: BinaryIO, layout: Layout) -> bytes:
    """SHA-256 over the pieces of the three parts that a signature covers."""
    pieces = [
        hashlib.sha256(b"\xa5" + struct.pack("<I", len(piece)) + piece).digest()
        for start, end in ((0, layout.entries_end), (layout.directory, layout.end_record))
        for piece in _pieces(apk, start, end)
    ]
    # The end record counts as it was before the signing block moved the central directory.
    end = _end_with_directory(layout.end, layout.entries_end)
    pieces.append(hashlib.sha256(b"\xa5" + struct.pack("<I", len(end)) + end).digest())
    return hashlib.sha256(b"\x5a" + struct.pack("<I", len(pieces)) + b"".join(pieces)).digest()


def read_layout(apk: BinaryIO) -> Layout:
    """Find the parts of an APK, signed or not. Raises ValueError when it is not one."""
    size = apk.seek(0, 2)
    tail_at = max(0, size - END_RECORD.size - 0xFFFF)
    apk.seek(tail_at)
    tail = apk.read()
    at = tail.rfind(struct.pack("<I", END_MAGIC))
    if at < 0 or len(tail) - at < END_RECORD.size:
        raise ValueError("it has no end of central directory")
    end = tail[at:]
    directory = END_RECORD.unpack_from(end)[6]
    end_record = tail_at + at
    entries_end, block = _read_block(apk, directory)
    return Layout(entries_end=entries_end, directory=directory, end_record=end_record, end=end, block=block)


def _read_block(apk: BinaryIO, directory: int) -> tuple[int, dict[int, bytes]]:
    """Start and pairs of the signing block that ends at the central directory; none when the file is not signed."""
    footer = struct.Struct("<Q16s")
    if directory < footer.size:
        return directory, {}
    apk.seek(directory - footer.size)
    size, magic = footer.unpack(apk.read(footer.size))
    if magic != MAGIC:
        return directory, {}
    start = directory - size - 8
    if start < 0:
        raise ValueError("its signing block is longer than the file")
    apk.seek(start + 8)
    pairs = apk.read(size - footer.size)
    values, at = {}, 0
    while at < len(pairs):
        length, number = struct.unpack_from("<QI", pairs, at)
        if length < 4 or at + 8 + length > len(pairs):
            raise ValueError("its signing block is damaged")
        values[number] = pairs[at + 12 : at + 8 + length]
        at += 8 + length
    return start, values


def _algorithm(key: SigningKey) -> int:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    return RSA_PKCS1_SHA256 if isinstance(key.private, RSAPrivateKey) else ECDSA_SHA256


def _signature(data: bytes, key: SigningKey) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    if isinstance(key.private, rsa.RSAPrivateKey):
        return key.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
    return key.private.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def _signers(data: bytes, sdks: bytes, algorithm: int, signature: bytes, public: bytes) -> bytes:
    """A sequence of one signer: signed data, its SDK versions (v3), signatures, public key."""
    signatures = _prefix_length(_prefix_length(struct.pack("<I", algorithm) + _prefix_length(signature)))
    return _prefix_length(_prefix_length(_prefix_length(data) + sdks + signatures + _prefix_length(public)))


def _prefix_length(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


def _end_with_directory(end: bytes, directory: int) -> bytes:
    return end[:16] + struct.pack("<I", directory) + end[20:]


def _pieces(apk: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    apk.seek(start)
    for at in range(start, end, CHUNK):
        yield apk.read(min(CHUNK, end - at))


def _copy(source: BinaryIO, target: BinaryIO, count: int) -> None:
    while count:
        piece = source.read(min(CHUNK, count))
        if not piece:
            raise ValueError("it is shorter than its central directory says")
        target.write(piece)
        count -= len(piece)
