"""The keys of a fake variant."""

from __future__ import annotations

from typing import Literal

from builder.backends.options import Options


class FakeOptions(Options):
    """Fake alone: `flavour` is written into the file."""

    flavour: Literal["plain", "sweet"] = "plain"
    """Fake only: what is written into the file."""

    def form(self) -> str:
        """`-sweet`."""
        return "" if self.flavour == "plain" else f"-{self.flavour}"
