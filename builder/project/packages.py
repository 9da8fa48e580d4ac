"""[package] of builder.toml: settings of the Android and iOS packages."""

from __future__ import annotations

from pydantic import Field

from builder.toml_file import Section


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


class IosSection(Section):
    """`team`: the Apple team that signs (an empty one is chosen in Xcode). `app`: an .app or .ipa built before, which the formats
    `app` and `ipa` take where there is no Xcode. `executorch`: carry the bundle's ExecuTorch variants too, and in the project the
    runtime for them (from iOS 17 on)."""

    bundle_identifier: str
    """The bundle identifier, for example `org.example.tinystyle`."""
    version: str = "1.0"
    """The version that users see."""
    build: int = Field(default=1, ge=1, le=2_100_000_000)
    """The build number."""
    deployment_target: str = "16.0"
    """The oldest iOS that the app runs on."""
    team: str = Field(default="", pattern=r"^([A-Z0-9]{10})?$")
    """The ten characters of your Apple team; leave it empty to choose in Xcode."""
    app: str | None = None
    """An `.app` or `.ipa` that you built before, for the formats `app` and `ipa` on a machine without Xcode."""
    executorch: bool = False
    """Carry the ExecuTorch variants too, with their runtime (iOS 17 or later)."""


class PackageSection(Section):
    android: AndroidSection | None = None
    """Settings of the Android packages."""
    ios: IosSection | None = None
    """Settings of the iOS packages."""
