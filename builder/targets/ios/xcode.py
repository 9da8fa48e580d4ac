"""Xcode's programs, where they are: only a Mac has them. Found on PATH, each call with a time limit."""

from __future__ import annotations

from pathlib import Path

from builder import process
from builder.errors import ConversionError, MissingToolError
from builder.targets.base import Need

# Xcode's first start after an update takes some time; then its tools answer within a second.
FIND_S = 60.0
# coremlcompiler takes seconds for a large network: what takes minutes hangs.
COMPILE_S = 300.0
# A first build of an app on a slow machine: what takes longer hangs.
BUILD_S = 1800.0
INSTALL = (
    "install Xcode 16 or newer from the App Store, then run 'sudo xcode-select -s /Applications/Xcode.app' (macOS only)"
)


def needs() -> list[Need]:
    """Xcode is optional: package and project are made without it, app and ipa from an app that was built before."""
    installed = read_version()
    return [Need(name="xcodebuild", found=installed is not None, version=installed, install=INSTALL, required=False)]


def read_version() -> str | None:
    """Xcode's version, None where there is none or its licence is not accepted."""
    if process.find("xcodebuild") is None:
        return None
    done = process.run(["xcodebuild", "-version"], timeout_s=FIND_S, check=False)
    return " ".join(done.stdout.split()) if done.returncode == 0 else None


def compiles() -> bool:
    """Whether `xcrun coremlcompiler` can compile models here."""
    if process.find("xcrun") is None:
        return False
    return process.run(["xcrun", "--find", "coremlcompiler"], timeout_s=FIND_S, check=False).returncode == 0


def compile_model(model: Path, out: Path) -> None:
    """Compile an .mlpackage to the new directory `out`. Raises ConversionError."""
    work = out.parent / f".{out.name}"
    work.mkdir(parents=True)
    try:
        process.run(["xcrun", "coremlcompiler", "compile", model, work], timeout_s=COMPILE_S)
        made = list(work.glob("*.mlmodelc"))
        if len(made) != 1:
            raise ConversionError(
                f"coremlcompiler made {len(made)} models of {model.name}, not one; check it with Xcode."
            )
        made[0].rename(out)
    except process.ToolError as error:
        raise ConversionError(f"coremlcompiler cannot compile {model.name}: {error}.") from error
    finally:
        work.rmdir() if not any(work.iterdir()) else None


def build(project: Path, scheme: str, team: str, work: Path) -> Path:
    """Build a project for devices; the .app. Without a team it is not signed. Raises MissingToolError, ConversionError."""
    if read_version() is None:
        raise MissingToolError(
            f"an app is built by Xcode, which is not here: {INSTALL}; or set 'app' in [package.ios] to an .app or .ipa that was built before."
        )
    signing = [f"DEVELOPMENT_TEAM={team}", "-allowProvisioningUpdates"] if team else ["CODE_SIGNING_ALLOWED=NO"]
    argv: list[str | Path] = ["xcodebuild", "-project", project, "-scheme", scheme, "-configuration", "Release"]
    argv += ["-destination", "generic/platform=iOS", "-derivedDataPath", work / "derived", *signing, "build"]
    try:
        process.run(argv, timeout_s=BUILD_S)
    except process.ToolError as error:
        raise ConversionError(
            f"xcodebuild failed: {error}; open the project (--format project) in Xcode to see more."
        ) from error
    app = work / "derived" / "Build" / "Products" / "Release-iphoneos" / f"{scheme}.app"
    if not app.is_dir():
        raise ConversionError(
            f"xcodebuild ended well but made no {app.name}; open the project (--format project) in Xcode."
        )
    return app
