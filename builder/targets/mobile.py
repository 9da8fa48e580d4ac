"""Where the sources of the mobile projects are: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path

from builder.errors import MissingToolError


def find_mobile_root() -> Path:
    """The directory that holds `android/` (and the other mobile projects)."""
    package = Path(__file__).resolve().parents[1]
    for root in (package / "_mobile", package.parent / "mobile"):
        if (root / "android" / "settings.gradle.kts").is_file():
            return root
    raise MissingToolError(
        "the Android sources of edgebundle are not installed; install it again with 'pip install --force-reinstall edgebundle'."
    )
