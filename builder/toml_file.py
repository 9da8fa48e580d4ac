"""A TOML file that a person wrote: what its sections are, and their problems as one sentence."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError

from builder.suggest import did_you_mean


class Section(BaseModel):
    """A table of the file: frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def describe(error: ValidationError, known: set[str]) -> str:
    """First problem of a pydantic error as `where.key: what`, with the near key for an unknown one."""
    problems = error.errors()
    # A misspelt key shows up as unknown and, where it is required, as missing too: the former says what to do.
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown key '{where}'{did_you_mean(str(first['loc'][-1]), known)}"
    if first["type"] == "missing":
        return f"'{where}' is missing."
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message[:1].lower()}{message[1:]}.".removeprefix(": ")
