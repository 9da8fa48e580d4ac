"""Checking the v2 and v3 signatures of an APK against its bytes, independent of Android's own tools."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builder.targets.android.signing.signature import (
    ECDSA_SHA256,
    RSA_PKCS1_SHA256,
    V2_BLOCK,
    V3_BLOCK,
    digest_content,
    read_layout,
)

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

SCHEMES = {"v2": V2_BLOCK, "v3": V3_BLOCK}


@dataclass(frozen=True, kw_only=True)
class SchemeResult:
    """What was found of one scheme; `problem` is None when its signature holds."""

    scheme: str
    certificate: Certificate | None
    problem: str | None


def check_signatures(apk: Path) -> list[SchemeResult]:
    """The result for v2 and v3, each checked from the file alone."""
    with apk.open("rb") as stream:
        try:
            layout = read_layout(stream)
        except (ValueError, struct.error) as error:
            return [SchemeResult(scheme=name, certificate=None, problem=str(error)) for name in SCHEMES]
        digest = digest_content(stream, layout)
    return [_check(name, layout.block.get(number), digest) for name, number in SCHEMES.items()]


def _check(scheme: str, block: bytes | None, digest: bytes) -> SchemeResult:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    if block is None:
        return SchemeResult(scheme=scheme, certificate=None, problem="there is none")
    try:
        signer = _Reader(block).sequence().sequence()
        data = signer.bytes()
        if scheme == "v3":
            signer.skip(8)
        signatures, public = signer.sequence(), signer.bytes()
        signed = _Reader(data)
        digests, certificates = signed.sequence(), signed.sequence()
        stated = digests.sequence()
        stated.skip(4)
        certificate = x509.load_der_x509_certificate(certificates.bytes())
        one = signatures.sequence()
        algorithm = one.number()
        _verify(public, algorithm, one.bytes(), data)
    except (struct.error, ValueError) as error:
        return SchemeResult(scheme=scheme, certificate=None, problem=f"its block is damaged ({error})")
    except InvalidSignature:
        return SchemeResult(
            scheme=scheme, certificate=None, problem="the signature is not made by the key in the block"
        )
    if _read_public_der(certificate) != public:
        return SchemeResult(scheme=scheme, certificate=certificate, problem="the certificate is of another key")
    if stated.bytes() != digest:
        return SchemeResult(scheme=scheme, certificate=certificate, problem="the file was changed after it was signed")
    return SchemeResult(scheme=scheme, certificate=certificate, problem=None)


def _verify(public: bytes, algorithm: int, signature: bytes, data: bytes) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    key = load_der_public_key(public)
    if isinstance(key, rsa.RSAPublicKey) and algorithm == RSA_PKCS1_SHA256:
        key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
    elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm == ECDSA_SHA256:
        key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
    else:
        raise ValueError(f"signature algorithm {algorithm:#06x} is not known here")


def _read_public_der(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class _Reader:
    """Length-prefixed fields, one after the other. Raises ValueError or struct.error when the data ends early."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self) -> int:
        (value,) = struct.unpack_from("<I", self._data, self._at)
        self._at += 4
        return int(value)

    def skip(self, count: int) -> None:
        self._at += count

    def bytes(self) -> bytes:
        length = self.number()
        field = self._data[self._at : self._at + length]
        if len(field) != length:
            raise ValueError("a field is longer than the block")
        self._at += length
        return field

    def sequence(self) -> _Reader:
        return _Reader(self.bytes())
