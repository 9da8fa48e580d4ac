"""The published JSON Schemas say what the models say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def script() -> object:
    spec = importlib.util.spec_from_file_location("schemas", ROOT / "scripts" / "schemas.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["builder.schema.json", "plan.schema.json", "manifest.schema.json"])
def test_a_schema_is_up_to_date(name: str) -> None:
    """After a change of a contract `python scripts/schemas.py` was run."""
    module = script()
    expected = module.write_schema(module.SCHEMAS[name])  # type: ignore[attr-defined]
    assert (ROOT / "docs" / "formats" / name).read_text(encoding="utf-8") == expected
