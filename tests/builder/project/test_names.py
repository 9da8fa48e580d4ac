"""Names that become files: those that some system does not take are refused when builder.toml is read."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from builder.project.file_name import FileName

NAME: TypeAdapter[str] = TypeAdapter(FileName)


@pytest.mark.parametrize("name", ["-x", "nul", "CON", "con.tflite", "com1", "ends.", "a/b", "a\nb", " a", "..", "a:b"])
def test_names_that_are_no_files_somewhere(name: str) -> None:
    """A device of Windows, an option of a command, a path."""
    with pytest.raises(ValidationError, match="cannot be used as a file name on every system"):
        NAME.validate_python(name)


@pytest.mark.parametrize("name", ["my-style", "Тест", "o'x y", "console", "com", "x.y"])
def test_names_that_every_system_takes(name: str) -> None:
    """Other alphabets and blanks inside are names."""
    assert NAME.validate_python(name) == name
