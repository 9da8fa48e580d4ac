"""[package.android] of builder.toml: what it says, what no package can have, and the key to sign with."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pydantic import Field

from builder.bundle import Bundle
from builder.errors import ConfigError
from builder.targets.base import Keystore, PackageRequest, sample_identifier
from builder.toml_file import Section

# Java package names: https://developer.android.com/build/configure-app-module, "Set the application ID"
APPLICATION_ID = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+")
VERSION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
KEYSTORE_PASSWORD = "EDGEBUNDLE_KEYSTORE_PASSWORD"


class AndroidSection(Section):
    """`keystore`: a PKCS#12 or PEM key to sign with (password from the environment variable EDGEBUNDLE_KEYSTORE_PASSWORD)."""

    application_id: str
    """The application id, for example `org.example.tinystyle`."""
    version_name: str = "1.0"
    """The version that users see."""
    version_code: int = Field(default=1, ge=1, le=2_100_000_000)
    """The number by which Android knows a newer version."""
    keystore: str | None = None
    """A PKCS#12 or PEM key to sign with. Its password comes from the environment variable EDGEBUNDLE_KEYSTORE_PASSWORD."""


def make_request(bundle: Bundle, section: AndroidSection | None, folder: Path | None) -> PackageRequest:
    """The request that the section makes, or an id made of the model's name. Raises ConfigError for a keystore that is not there."""
    app = section or AndroidSection(application_id=sample_identifier(bundle))
    return PackageRequest(
        bundle=bundle,
        application_id=app.application_id,
        version_name=app.version_name,
        version_code=app.version_code,
        keystore=find_keystore(app, folder),
    )


def check_section(section: AndroidSection, folder: Path) -> None:
    """Raises ConfigError for names that no Android package can have, and for a keystore that is not there."""
    check_names(section.application_id, section.version_name)
    find_keystore(section, folder)


def find_keystore(app: AndroidSection, folder: Path | None) -> Keystore | None:
    """The key that builder.toml names, with its password from the environment; None for the debug key."""
    if folder is None or app.keystore is None:
        return None
    path = folder / app.keystore
    if not path.is_file():
        raise ConfigError(
            f"the keystore {path} does not exist; correct 'keystore' in [package.android] of builder.toml."
        )
    return Keystore(path=path, password=os.environ.get(KEYSTORE_PASSWORD))


def check_names(application_id: str, version_name: str) -> None:
    """Raises ConfigError for names that no Android package can have."""
    if not APPLICATION_ID.fullmatch(application_id):
        raise ConfigError(
            f"'{application_id}' is not an Android application id; 'application_id' in [package.android] needs two or more words "
            "of letters, digits and '_' joined by dots, each starting with a letter, as in org.example.app."
        )
    if not VERSION_NAME.fullmatch(version_name):
        raise ConfigError(
            f"'{version_name}' cannot be a version name; 'version_name' in [package.android] takes letters, digits and . _ + -, as in 1.0."
        )
