"""The version of the installed distribution."""

from __future__ import annotations


def version() -> str:
    """Version of the installed distribution."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as find_version

    try:
        return find_version("edgebundle")
    except PackageNotFoundError:
        return "source tree, not installed"
