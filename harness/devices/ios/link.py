"""How an iPhone or a simulator is reached, and which app is run there."""

from __future__ import annotations

import os
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from harness.errors import UsageError
from harness.records.run import DeviceInfo, Reading, TextReading

APP = "EDGEBUNDLE_IOS_APP"  # environment: the .app or .ipa to install; without it the app must be there
IDENTIFIER = "EDGEBUNDLE_IOS_BUNDLE_ID"
DEFAULT_IDENTIFIER = "org.edgebundle.benchmark"


class Link(Protocol):
    """How one device is reached. All methods end within a time limit and raise DeviceError with a cure."""

    simulated: str | None

    @property
    def info(self) -> DeviceInfo: ...

    def prepare(self) -> None:
        """Make it ready for an app: booted, unlocked."""

    def install(self, app: Path) -> None: ...

    def push(self, folder: Path, name: str, identifier: str) -> None:
        """Copy a directory into the app's Documents folder under a name."""

    def pull(self, name: str, target: Path, identifier: str) -> bool:
        """Copy a file of the app's Documents folder; False when it is not there."""

    def remove(self, names: list[str], identifier: str) -> None:
        """Remove files and directories of the app's Documents folder, as far as the device lets us."""

    def launch(self, identifier: str, arguments: list[str], timeout_s: float) -> str:
        """Run the app to its end; what it printed. A launch that fails is an error, an app that dies is not."""

    def explain(self, identifier: str) -> str:
        """What the device's log says of an app that died, in one line, or nothing."""

    def battery(self) -> tuple[Reading, TextReading, Reading]:
        """Percent, charging and temperature, read from outside of the app."""


@runtime_checkable
class Inducing(Protocol):
    """A link through which a device can be made to behave as if a condition held."""

    def condition(self, profile: str) -> AbstractContextManager[None]: ...


@dataclass(frozen=True, kw_only=True)
class App:
    """The benchmark app: where it is to be installed from (None: it is there), and its identifier."""

    path: Path | None
    identifier: str


def choose_app() -> App:
    """The app that the environment names. Raises UsageError when it does not exist."""
    identifier = os.environ.get(IDENTIFIER, DEFAULT_IDENTIFIER)
    text = os.environ.get(APP)
    if text is None:
        return App(path=None, identifier=identifier)
    path = Path(text)
    if not path.exists():
        raise UsageError(
            f"${APP} names {text}, which does not exist; make it with 'builder package --target ios --format app'."
        )
    return App(path=path, identifier=os.environ.get(IDENTIFIER) or read_identifier(path))


def read_identifier(app: Path) -> str:
    """Bundle identifier of an .app or .ipa, from its Info.plist. Raises UsageError."""
    import plistlib
    import zipfile

    try:
        if app.is_dir():
            content = (app / "Info.plist").read_bytes()
        else:
            with zipfile.ZipFile(app) as archive:
                name = next(n for n in archive.namelist() if re.fullmatch(r"Payload/[^/]+\.app/Info\.plist", n))
                content = archive.read(name)
        return str(plistlib.loads(content)["CFBundleIdentifier"])
    except (OSError, KeyError, StopIteration, ValueError, zipfile.BadZipFile, plistlib.InvalidFileException) as error:
        raise UsageError(
            f"{app} has no readable Info.plist ({error}); give an .app or .ipa that Xcode built."
        ) from error
