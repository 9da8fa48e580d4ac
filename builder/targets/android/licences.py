"""Licences of what a package carries: the texts inside the libraries' archives, and names where an archive has none."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from builder.bundle import name_bundle_folder
from builder.targets.android import runtimes

# Libraries whose archives carry no licence text, by the start of their file's name: what their poms in Maven say.
NAMED = {
    "kotlin-stdlib": "Apache-2.0",
    "kotlinx-coroutines": "Apache-2.0",
    "annotations-": "Apache-2.0",  # org.jetbrains:annotations
    "fbjni": "Apache-2.0",
    "nativeloader": "Apache-2.0",
    runtimes.EXECUTORCH: "BSD-3-Clause",
    "tensorflow-lite": "Apache-2.0",
    "litert": "Apache-2.0",
}
TEXTS = ("LICENSE", "LICENSE.txt", "META-INF/LICENSE", "META-INF/LICENSE.txt", "NOTICE", "META-INF/NOTICE")
UNKNOWN = "unknown"
OWN = "Apache-2.0"
_OWN_LINE = f"edgebundle SDK: {OWN}"
SDK_NOTICES = "sdk/edgebundle.txt"  # in a folder of its own: no model's file is there
NOTICES_FOLDER = "edgebundle-notices"  # in the assets; one file a bundle, for an app may have several


def read_licence(archive: Path) -> tuple[str, str]:
    """Name of an archive's licence, `unknown` when neither it nor our table tells, and its text when it carries one."""
    with zipfile.ZipFile(archive) as opened:
        names = set(opened.namelist())
        texts = [opened.read(name).decode(errors="replace") for name in TEXTS if name in names]
    text = "\n".join(texts)
    named = _name_licence(archive.name)
    if named is None and "Apache License" in text:
        named = "Apache-2.0"
    return named or UNKNOWN, text


def write_runtime_licences(archives: Sequence[Path]) -> str:
    """One text for all archives: a line each with name and licence, then every different licence text once."""
    licences = [(archive.name, *read_licence(archive)) for archive in archives]
    lines = [f"{name}: {licence}" for name, licence, _ in licences]
    texts = dict.fromkeys(text.strip() for _, _, text in licences if text.strip())
    return "\n".join(["Libraries in this app and their licences", "", *lines, ""]) + "\n\n".join(["", *texts]) + "\n"


def write_sdk_licences(project: Path, needed: Sequence[str]) -> str:
    """The text of the SDK as a library: its own licence, and those of what its pom brings."""
    lines = [_OWN_LINE, *(f"{name} (comes by the pom): {_name_licence(name) or UNKNOWN}" for name in needed)]
    text = (project / "LICENSE").read_text(encoding="utf-8").strip()
    return "\n".join(["Libraries in this app and their licences", "", *lines, ""]) + "\n\n\n" + text + "\n"


def write_bundle_licences(model: str, licences: Sequence[str]) -> str:
    """The text of a bundle as a library: the licences of the model, whose files are inside."""
    return "\n".join(["Parts of this library and their licences", "", *_list_model(model, licences), ""])


def write_app_licences(libraries: str, model: str, licences: Sequence[str]) -> str:
    """The text of an app: that of its libraries, with the SDK and the model on top."""
    head, _, rest = libraries.partition("\n\n")
    own = [_OWN_LINE, *_list_model(model, licences)]
    return f"{head}\n\n" + "".join(f"{line}\n" for line in own) + rest


def _list_model(model: str, licences: Sequence[str]) -> list[str]:
    return [f"model {model}: {licence}" for licence in dict.fromkeys(licences)]


def name_notices(model: str) -> str:
    """Where a package of this model tells its licences."""
    return f"assets/{NOTICES_FOLDER}/{PurePosixPath(name_bundle_folder(model)).name}.txt"


def name_sdk_notices() -> str:
    """Where the SDK as a library tells its licences."""
    return f"assets/{NOTICES_FOLDER}/{SDK_NOTICES}"


def _name_licence(file: str) -> str | None:
    return next((licence for start, licence in NAMED.items() if file.startswith(start)), None)


def parse_list(notices: str) -> dict[str, str]:
    """Library -> licence, from the first lines of such a text."""
    head = notices.split("\n\n\n", 1)[0].splitlines()[2:]
    return dict(line.split(": ", 1) for line in head if ": " in line)
