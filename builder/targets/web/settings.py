"""[package.web] of builder.toml: the server that a page may ask as its last resort."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from builder.errors import ConfigError
from builder.toml_file import Section


class WebSection(Section):
    """Without it, pictures never leave the device."""

    remote: str | None = None
    """The address of the server target, which the page uses where no variant works. It asks the user first."""


def check_remote_origin(address: str) -> str:
    """Scheme, host and port of a server's address. Raises ConfigError for one over which others could see the pictures."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    host = parts.hostname or ""
    safe = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    if not (host and safe and plain and address.isascii() and not set(address) & set(" \t\n\"'<>;,&")):
        raise ConfigError(
            f"'remote' in [package.web] is {address!r}; write an https address without a login or a query, "
            "such as https://example.org/model/ (http is for localhost alone)."
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
