"""A TOML file that a person wrote: what its sections are, and their problems as one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from builder.suggest import did_you_mean


class Section(BaseModel):
    """A table of the file: frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def describe(error: ValidationError, root: type[BaseModel]) -> str:
    """First problem of a pydantic error as `where.key: what`, with the near key of its section for an unknown one."""
    problems = error.errors()
    # A misspelt key shows up as unknown and, where it is required, as missing too: the former says what to do.
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown key '{where}'{did_you_mean(str(first['loc'][-1]), list_keys(root, first['loc']))}"
    if first["type"] == "missing":
        return f"'{where}' is missing."
    if first["type"] == "tuple_type" and isinstance(first["input"], str):
        return f'{where}: it is a list, also of one: write {first["loc"][-1]} = ["{first["input"]}"].'
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message[:1].lower()}{message[1:]}.".removeprefix(": ")


def list_keys(root: type[BaseModel], place: Sequence[str | int]) -> set[str]:
    """The keys of the section that the last part of `place` stands in."""
    sections: list[type[BaseModel]] = [root]
    for part in place[:-1]:
        fields = [
            section.model_fields[part] for section in sections if isinstance(part, str) and part in section.model_fields
        ]
        sections = [found for field in fields for found in list_sections(field.annotation)] or sections
    return {name for section in sections for name, field in section.model_fields.items() if not field.exclude}


def list_sections(annotation: Any) -> list[type[BaseModel]]:
    """The sections that a field may hold, whatever lists and alternatives are around them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in list_sections(part)]
