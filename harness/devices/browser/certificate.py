"""A certificate for one session, and the link as a QR code. Without https a page has no threads, no hashes and no WebGPU."""

from __future__ import annotations

import io
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from harness.errors import MissingToolError

INSTALL = "pip install 'edgebundle[browser]'"
VALID = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """Key and certificate as PEM. `fingerprint` is how its SHA-256 begins, as browsers show it."""

    pem: bytes
    fingerprint: str


def make_certificate(host: str) -> Certificate:
    """A self-signed one for an IP address. Raises MissingToolError without the extra."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ModuleNotFoundError as error:
        raise MissingToolError(f"--lan needs https: {INSTALL}.") from error
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "edgebundle harness")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - VALID)
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    digest = made.fingerprint(hashes.SHA256()).hex(":").upper()
    return Certificate(pem=private + made.public_bytes(serialization.Encoding.PEM), fingerprint=digest[:23])


def make_tls_context(made: Certificate) -> ssl.SSLContext:
    """Python reads keys from files alone: this one is for its user only, and gone at once."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory(prefix="edgebundle-key-") as folder:
        path = Path(folder) / "key.pem"
        path.touch(0o600)
        path.write_bytes(made.pem)
        context.load_cert_chain(path)
    return context


def draw_qr_code(text: str) -> str:
    """As lines for a terminal. Raises MissingToolError without the extra."""
    try:
        import segno
    except ModuleNotFoundError as error:
        raise MissingToolError(f"a QR code needs segno: {INSTALL}.") from error
    lines = io.StringIO()
    segno.make(text, error="m").terminal(lines, compact=True)
    return lines.getvalue()
