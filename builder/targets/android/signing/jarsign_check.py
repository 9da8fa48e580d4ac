"""Checking the JAR signature of an app bundle against its bytes: every entry's hash, the manifest's, and the signature itself."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from builder.targets.android.signing.jarsign import MANIFEST
from builder.targets.android.signing.signature_check import SchemeResult

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

SCHEME = "v1 (JAR)"
# DER's tag of a string of bytes (X.690).
OCTET_STRING = 0x04


def check_jar(archive: Path) -> SchemeResult:
    """The result for the first signature of the archive."""
    with zipfile.ZipFile(archive) as opened:
        names = [name for name in opened.namelist() if not name.endswith("/")]
        block = next((n for n in names if n.startswith("META-INF/") and n.endswith((".RSA", ".EC", ".DSA"))), None)
        if block is None or MANIFEST not in names:
            return SchemeResult(scheme=SCHEME, certificate=None, problem="there is none")
        stated = opened.read(block.rsplit(".", 1)[0] + ".SF")
        manifest = opened.read(MANIFEST)
        try:
            certificate = _verify_block(opened.read(block), stated)
        except ValueError as error:
            return SchemeResult(scheme=SCHEME, certificate=None, problem=str(error))
        hashes = {
            section["Name"]: section.get("SHA-256-Digest", "") for section in _sections(manifest) if "Name" in section
        }
        head = next(_sections(stated), {})
        if head.get("SHA-256-Digest-Manifest") != _digest(manifest):
            return SchemeResult(scheme=SCHEME, certificate=certificate, problem="its list of entries was changed")
        for name in names:
            if not name.startswith("META-INF/") and hashes.get(name) != _digest(opened.read(name)):
                return SchemeResult(
                    scheme=SCHEME, certificate=certificate, problem=f"{name} was changed after it was signed"
                )
    return SchemeResult(scheme=SCHEME, certificate=certificate, problem=None)


def _verify_block(block: bytes, content: bytes) -> Certificate:
    """The signer's certificate. Raises ValueError when the signature at the end of the PKCS #7 block does not hold."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates

    signature = _read_last_octets(block)
    for certificate in load_der_pkcs7_certificates(block):
        key = certificate.public_key()
        try:
            if isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, content, padding.PKCS1v15(), hashes.SHA256())
            elif isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(signature, content, ec.ECDSA(hashes.SHA256()))
            else:
                continue
        except InvalidSignature:
            continue
        return certificate
    raise ValueError("the signature is not made by a key in its block")


def _read_last_octets(data: bytes) -> bytes:
    """The last OCTET STRING at the end of nested DER values: a signature without attributes stands there. Raises ValueError."""
    while data:
        start, tag, body = 0, 0, b""
        while start < len(data):  # the last value of this level
            tag, body, start = _value(data, start)
        if tag == OCTET_STRING:
            return body
        if not tag & 0x20:  # not made of other values
            break
        data = body
    raise ValueError("its block is damaged")


def _value(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Tag, content and end of the DER value at `at`."""
    if at + 2 > len(data):
        raise ValueError("its block is cut short")
    length, start = data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(data[start : start + size]), start + size
    if start + length > len(data):
        raise ValueError("its block is cut short")
    return data[at], data[start : start + length], start + length


def _sections(text: bytes) -> Iterator[dict[str, str]]:
    for part in text.replace(b"\r\n ", b"").split(b"\r\n\r\n"):
        fields = dict(line.split(": ", 1) for line in part.decode().splitlines() if ": " in line)
        if fields:
            yield fields


def _digest(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()
