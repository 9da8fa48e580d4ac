"""What [package.ios] may say: refused here with the line to change, before Xcode refuses it with a page of its own."""

from __future__ import annotations

import re

from builder.bundle import Bundle
from builder.errors import ConfigError
from builder.targets.base import PackageRequest

# CFBundleIdentifier: letters, digits, '-' and '.' only; developer.apple.com/documentation/bundleresources/information-property-list
IDENTIFIER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+")
LONGEST_IDENTIFIER = 155
VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,2}")  # CFBundleShortVersionString: at most three numbers
TARGET = re.compile(r"(\d{1,2})\.(\d{1,2})")
OLDEST = (16, 0)  # MLModel.compileModel(at:) as the SDK calls it
EXECUTORCH = 17  # its Swift package's oldest system


def check_names(identifier: str, version: str, deployment_target: str, *, executorch: bool) -> tuple[int, int]:
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
    found = TARGET.fullmatch(deployment_target)
    if found is None or (int(found[1]), int(found[2])) < OLDEST:
        raise ConfigError(
            f"{deployment_target!r} cannot be the deployment target; 'deployment_target' in [package.ios] takes a version of iOS "
            f"from {OLDEST[0]}.{OLDEST[1]} on, as in 17.0."
        )
    if executorch and int(found[1]) < EXECUTORCH:
        raise ConfigError(
            f"ExecuTorch needs iOS {EXECUTORCH} and the app would be installed from iOS {deployment_target} on; "
            f'set deployment_target = "{EXECUTORCH}.0" in [package.ios], or executorch = false.'
        )
    return int(found[1]), int(found[2])


def check_settings(request: PackageRequest, bundle: Bundle) -> None:
    """Raises ConfigError for names that an app cannot have, and for a system that is too old for a variant."""
    oldest, _ = check_names(
        request.application_id, request.version_name, request.deployment_target, executorch=request.executorch
    )
    for variant in bundle.manifest.variants:
        needed = re.fullmatch(r"iOS (\d+)", variant.minimum_runtime)
        if needed is not None and int(needed[1]) > oldest:
            raise ConfigError(
                f"variant {variant.id!r} needs {variant.minimum_runtime} but the app would be installed from iOS {request.deployment_target} on; "
                f'set deployment_target = "{needed[1]}.0" in [package.ios], or give the variant a scheme that older systems have.'
            )
