"""Keys that sign packages: the user's, or a debug key that says so, made once and kept in the cache directory."""

from __future__ import annotations

import datetime
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.errors import ConfigError
from builder.storage import cache
from builder.targets.base import Keystore

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate

    PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey

DEBUG_NAME = "edgebundle debug key, not for release"
# Thirty years, as the debug key of Android Studio: a test device never outlives it.
DEBUG_DAYS = 365 * 30
PASSWORD_VARIABLE = "EDGEBUNDLE_KEYSTORE_PASSWORD"


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """A private key and its certificate chain, the key's own certificate first."""

    private: PrivateKey
    certificates: tuple[Certificate, ...]


def signing_key(keystore: Keystore | None) -> SigningKey:
    """The user's key, or the debug key of this machine. Raises ConfigError when the keystore cannot be used."""
    return _load_debug_key() if keystore is None else _read(keystore)


def is_debug(certificate: Certificate) -> bool:
    """Whether a certificate says that its key is for debugging (ours, or the Android tools' 'Android Debug')."""
    return "debug" in certificate.subject.rfc4514_string().lower()


def _read(keystore: Keystore) -> SigningKey:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    path = keystore.path
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"the keystore {path} cannot be read ({error.strerror}); correct 'keystore' in [package.android] of builder.toml."
        ) from error
    password = keystore.password.encode() if keystore.password is not None else None
    try:
        private, certificates = _pem(content, password) if b"-----BEGIN " in content else _pkcs12(content, password)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"the keystore {path} cannot be opened ({error}); it must be PKCS#12 or PEM, and its password is taken from the variable {PASSWORD_VARIABLE}."
        ) from error
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) or not certificates:
        raise ConfigError(
            f"the keystore {path} must hold an RSA or EC private key with its certificate; make one with 'keytool -genkeypair'."
        )
    if certificates[0].public_key() != private.public_key():
        raise ConfigError(
            f"the first certificate in the keystore {path} does not belong to its private key; put the key's own certificate first."
        )
    return SigningKey(private=private, certificates=tuple(certificates))


def _pem(content: bytes, password: bytes | None) -> tuple[object, list[Certificate]]:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509 import load_pem_x509_certificates

    # A password for a key that has none is an error of the library; the variable may be set for another keystore.
    private = load_pem_private_key(content, password if b"ENCRYPTED" in content else None)
    return private, load_pem_x509_certificates(content) if b"-----BEGIN CERTIFICATE-----" in content else []


def _pkcs12(content: bytes, password: bytes | None) -> tuple[object, list[Certificate]]:
    from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

    private, own, others = load_key_and_certificates(content, password)
    return private, ([own] if own else []) + others


def _load_debug_key() -> SigningKey:
    path = cache.find_cache_root() / "keys" / "android-debug.pem"
    with cache.hold_lock("android-debug-key"):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            work = path.with_suffix(f".{os.getpid()}")
            work.touch(mode=0o600)
            work.write_bytes(_make_debug_key())
            work.rename(path)
    return _read(Keystore(path=path))


def _make_debug_key() -> bytes:
    """PEM of a fresh RSA key and its self-signed certificate."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, DEBUG_NAME)])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(
        subject_name=name, issuer_name=name, public_key=private.public_key(), serial_number=x509.random_serial_number()
    )
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=DEBUG_DAYS))
    certificate = builder.sign(private, hashes.SHA256())
    key_pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return key_pem + certificate.public_bytes(serialization.Encoding.PEM)
