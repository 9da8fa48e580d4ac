"""Names in builder.toml that become files."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_DEVICES = re.compile(r"(?i)con|prn|aux|nul|(com|lpt)[0-9]")


def _check_file_name(value: str) -> str:
    # a leading '-' reads as an option; Windows drops a last '.' and keeps the names of its devices to itself
    forbidden = any(c in '/\\:*?"<>|' or ord(c) < 32 for c in value) or value[:1] == "-" or value[-1:] == "."
    if not value or value.strip() != value or forbidden or _DEVICES.fullmatch(value.partition(".")[0]):
        raise ValueError(f"{value!r} cannot be used as a file name on every system")
    return value


FileName = Annotated[str, AfterValidator(_check_file_name)]
