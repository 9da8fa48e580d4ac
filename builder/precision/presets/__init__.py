"""Plans for the common cases: plain plan files beside this one, named `preset:NAME` where a plan is asked for."""

from __future__ import annotations

from pathlib import Path

from builder.errors import ConfigError
from builder.suggest import did_you_mean

PREFIX = "preset:"
_FOLDER = Path(__file__).resolve().parent


def list_presets() -> list[str]:
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def plan_path(reference: str, folder: Path) -> Path:
    """The plan file that `plan` in builder.toml names: a preset, or a path relative to `folder`.

    Raises ConfigError for an unknown preset.
    """
    if not reference.startswith(PREFIX):
        return folder / reference
    name = reference.removeprefix(PREFIX)
    if name not in list_presets():
        raise ConfigError(f"unknown preset {name!r}{did_you_mean(name, list_presets())}")
    return _FOLDER / f"{name}.toml"
