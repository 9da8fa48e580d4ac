"""What [package.ios] says; refused here with the line to change, before Xcode refuses it with a page of its own."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import Field

from builder.bundle import Bundle
from builder.errors import ConfigError
from builder.targets.base import PackageRequest, sample_identifier
from builder.toml_file import Section

# CFBundleIdentifier: letters, digits, '-' and '.' only; developer.apple.com/documentation/bundleresources/information-property-list
IDENTIFIER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+")
# Characters of an identifier that the App Store takes.
LONGEST_IDENTIFIER = 155
VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,2}")  # CFBundleShortVersionString: at most three numbers
TARGET = re.compile(r"(\d{1,2})\.(\d{1,2})")
# MLModel.compileModel(at:) as the SDK calls it.
OLDEST = (16, 0)
# Its Swift package's oldest system.
SECOND_RUNTIME_SYSTEM = 17


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


def make_request(bundle: Bundle, section: IosSection | None, folder: Path | None) -> PackageRequest:
    """The request that the section makes, or an identifier made of the model's name."""
    app = section or IosSection(bundle_identifier=sample_identifier(bundle))
    return PackageRequest(
        bundle=bundle,
        application_id=app.bundle_identifier,
        version_name=app.version,
        version_code=app.build,
        deployment_target=app.deployment_target,
        second_runtime=app.executorch,
        team=app.team,
        app=folder / app.app if folder is not None and app.app else None,
    )


def check_names(identifier: str, version: str, deployment_target: str, *, second_runtime: bool) -> tuple[int, int]:
    """The oldest system, as numbers. Raises ConfigError for an identifier, a version or a system that an app cannot have."""
    if not IDENTIFIER.fullmatch(identifier) or len(identifier) > LONGEST_IDENTIFIER:
        raise ConfigError(
            f"{identifier!r} is no bundle identifier that Xcode takes; 'bundle_identifier' in [package.ios] needs two or more words of "
            "letters, digits and '-' joined by dots, as in org.example.app."
        )
    if not VERSION.fullmatch(version):
        raise ConfigError(
            f"{version!r} cannot be an app's version; 'version' in [package.ios] takes up to three numbers, as in 1.2.0."
        )
    match = TARGET.fullmatch(deployment_target)
    if match is None or (int(match[1]), int(match[2])) < OLDEST:
        raise ConfigError(
            f"{deployment_target!r} cannot be the deployment target; 'deployment_target' in [package.ios] takes a version of iOS "
            f"from {OLDEST[0]}.{OLDEST[1]} on, as in 17.0."
        )
    if second_runtime and int(match[1]) < SECOND_RUNTIME_SYSTEM:
        raise ConfigError(
            f"ExecuTorch needs iOS {SECOND_RUNTIME_SYSTEM} and the app would be installed from iOS {deployment_target} on; "
            f'set deployment_target = "{SECOND_RUNTIME_SYSTEM}.0" in [package.ios], or executorch = false.'
        )
    return int(match[1]), int(match[2])


def check_settings(request: PackageRequest, bundle: Bundle) -> None:
    """Raises ConfigError for names that an app cannot have, and for a system that is too old for a variant."""
    oldest, _ = check_names(
        request.application_id, request.version_name, request.deployment_target, second_runtime=request.second_runtime
    )
    for variant in bundle.manifest.variants:
        needed = re.fullmatch(r"iOS (\d+)", variant.minimum_runtime)
        if needed is not None and int(needed[1]) > oldest:
            raise ConfigError(
                f"variant {variant.id!r} needs {variant.minimum_runtime} but the app would be installed from iOS {request.deployment_target} on; "
                f'set deployment_target = "{needed[1]}.0" in [package.ios], or give the variant a scheme that older systems have.'
            )
