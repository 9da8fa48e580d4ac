"""Signing keys: the user's in each form, and what is said when one cannot be used."""

from __future__ import annotations

import datetime
import struct
import zipfile
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from builder import process
from builder.bundle import Bundle
from builder.errors import ConfigError
from builder.targets import TARGETS
from builder.targets.android.signing import keys, signature
from builder.targets.android.signing.signature_check import check_signatures
from builder.targets.base import Keystore
from tests.builder.targets.conftest import make_request

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def make_certificate(private: PrivateKey, name: str) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, private.public_key(), x509.random_serial_number())
    start = datetime.datetime(2026, 1, 1)
    return builder.not_valid_before(start).not_valid_after(start.replace(year=2050)).sign(private, hashes.SHA256())


def make_key(kind: str) -> PrivateKey:
    return rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())


def pem(private: PrivateKey, certificate: x509.Certificate, password: bytes | None = None) -> bytes:
    protection = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    text = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
    return text + certificate.public_bytes(serialization.Encoding.PEM)


def p12(private: PrivateKey, certificate: x509.Certificate, password: bytes) -> bytes:
    protection = serialization.BestAvailableEncryption(password)
    return pkcs12.serialize_key_and_certificates(b"release", private, certificate, None, protection)


@pytest.mark.parametrize("form", ["p12", "pem", "pem-password"])
@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_user_key_signs(bundle: Bundle, tmp_path: Path, kind: str, form: str) -> None:
    """A user's RSA or EC key from PKCS#12 or PEM signs, Android's verifier names it, and nothing is said of debug keys."""
    private = make_key(kind)
    certificate = make_certificate(private, "Example Team")
    path = tmp_path / "release.key"
    password = None if form == "pem" else "hunter2 ü"
    secret = password.encode() if password else b""
    path.write_bytes(p12(private, certificate, secret) if form == "p12" else pem(private, certificate, secret or None))
    keystore = Keystore(path=path, password=password)
    results = [
        TARGETS["android"].package(make_request(bundle, tmp_path / name, formats=("apk",), keystore=keystore))
        for name in "ab"
    ]
    first, second = (result.files[0] for result in results)
    text = process.run(["apksigner", "verify", "--verbose", "--print-certs", first], timeout_s=60).stdout
    assert "scheme v3): true" in text.replace("Scheme", "scheme")
    assert "CN=Example Team" in text
    assert "debug-key" not in {f.code for f in results[0].findings}
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("content", "password", "said"),
    [
        ("p12", "wrong", "EDGEBUNDLE_KEYSTORE_PASSWORD"),
        ("p12", None, "EDGEBUNDLE_KEYSTORE_PASSWORD"),
        ("pem-password", "wrong", "EDGEBUNDLE_KEYSTORE_PASSWORD"),
        ("text", None, "must be PKCS#12 or PEM"),
        ("no-certificate", None, "with its certificate"),
        ("other-certificate", None, "does not belong to its private key"),
        ("absent", None, "cannot be read"),
    ],
)
def test_unusable_keystore(tmp_path: Path, content: str, password: str | None, said: str) -> None:
    """A keystore that cannot be used is a configuration error that says why."""
    private = make_key("rsa")
    certificate = make_certificate(private, "x")
    path = tmp_path / "release.key"
    contents = {
        "p12": p12(private, certificate, b"right"),
        "pem-password": pem(private, certificate, b"right"),
        "text": b"hello",
        "no-certificate": pem(private, certificate).split(b"-----BEGIN CERT")[0],
        "other-certificate": pem(private, make_certificate(make_key("rsa"), "y")),
    }
    if content in contents:
        path.write_bytes(contents[content])
    with pytest.raises(ConfigError, match=said.replace("#", r"\#")):
        keys.signing_key(Keystore(path=path, password=password))


def test_debug_key_is_made_once_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The debug key is made on first use, readable by its owner only, kept, and says that it is one."""
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path))
    first, second = keys.signing_key(None), keys.signing_key(None)
    assert first.certificates == second.certificates
    assert keys.is_debug(first.certificates[0])
    assert (tmp_path / "keys" / "android-debug.pem").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("size", [0, 1, signature.CHUNK - 1, signature.CHUNK, 2 * signature.CHUNK + 5])
def test_signature_at_chunk_borders(tmp_path: Path, size: int) -> None:
    """Files that end just before, at and after a 1 MB piece are signed so that a second check agrees; a cut file is refused."""
    unsigned, signed = tmp_path / "unsigned.zip", tmp_path / "signed.zip"
    with zipfile.ZipFile(unsigned, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a", (1981, 1, 1, 0, 0, 0)), b"x" * size)
    signature.sign(unsigned, signed, keys.signing_key(None))
    assert [r.problem for r in check_signatures(signed)] == [None, None]
    with zipfile.ZipFile(signed) as archive:
        assert archive.testzip() is None
    assert all(r.problem == "there is none" for r in check_signatures(unsigned))
    cut = tmp_path / "cut.zip"
    cut.write_bytes(signed.read_bytes()[:-30])
    assert all(r.problem for r in check_signatures(cut))


def test_signing_again_replaces_the_signature(tmp_path: Path) -> None:
    """An APK that another tool has signed gets our signature instead, as if it had none."""
    unsigned = tmp_path / "unsigned.zip"
    with zipfile.ZipFile(unsigned, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a", (1981, 1, 1, 0, 0, 0)), b"x" * 5000)
    private = make_key("ec")
    other = keys.SigningKey(private=private, certificates=(make_certificate(private, "other"),))
    signature.sign(unsigned, tmp_path / "other.apk", other)
    signature.sign(tmp_path / "other.apk", tmp_path / "again.apk", keys.signing_key(None))
    signature.sign(unsigned, tmp_path / "direct.apk", keys.signing_key(None))
    assert (tmp_path / "again.apk").read_bytes() == (tmp_path / "direct.apk").read_bytes()


def test_foreign_signature_block_is_refused(tmp_path: Path) -> None:
    """A signature taken from another file does not hold for this one."""
    files = []
    for name in ("a", "b"):
        unsigned, signed = tmp_path / f"{name}.zip", tmp_path / f"{name}.apk"
        with zipfile.ZipFile(unsigned, "w") as archive:
            archive.writestr(zipfile.ZipInfo(name, (1981, 1, 1, 0, 0, 0)), name)
        signature.sign(unsigned, signed, keys.signing_key(None))
        files.append(signed)
    parts = []
    for path in files:
        with path.open("rb") as stream:
            parts.append((path.read_bytes(), signature.read_layout(stream)))
    (first, at), (second, other) = parts
    mixed = first[: at.entries_end] + second[other.entries_end : other.directory] + first[at.directory :]
    forged = tmp_path / "forged.apk"
    forged.write_bytes(mixed)
    assert [r.problem for r in check_signatures(forged)] == ["the file was changed after it was signed"] * 2
    assert struct.unpack_from("<I", mixed)[0] == 0x04034B50
