"""[package.fake] of builder.toml."""

from __future__ import annotations

from builder.toml_file import Section


class FakeSection(Section):
    owner: str
    """Whose box it is."""
