"""Class names of a classifier: a text file with one name a line."""

from __future__ import annotations

from pathlib import Path

from builder.errors import ConfigError


def read_labels(path: Path, classes: int) -> tuple[str, ...]:
    """The names, as many as the output has classes. Raises ConfigError."""
    try:
        names = tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} cannot be read as class names ({error}); correct 'labels' in builder.toml."
        ) from error
    if len(names) != classes:
        raise ConfigError(
            f"{path} holds {len(names)} names but the output has {classes} classes; write one name a line."
        )
    return names
