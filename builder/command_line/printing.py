"""What `--json` and files on stdout are written with, whatever the terminal's encoding is."""

from __future__ import annotations

import json
import sys
from typing import Any


def print_document(document: object) -> None:
    """One JSON document on stdout, as `--json` of every command writes it; what the stream's encoding lacks is escaped as JSON does."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False)
    sys.stdout.write(text + "\n")


def print_file(text: str) -> None:
    """A file's text on stdout, in UTF-8 whatever the terminal has: the file says so of itself, and is redirected more often than read."""
    sys.stdout.flush()
    bytes_of = getattr(sys.stdout, "buffer", None)
    if bytes_of is None:
        sys.stdout.write(text)
    else:
        bytes_of.write(text.encode())


def print_json(value: object, kind: Any, *, named: str = "") -> None:
    """One JSON object on stdout: `value` as pydantic writes an object of this type, a list by its name."""
    from pydantic import TypeAdapter

    data = TypeAdapter(kind).dump_python(value, mode="json", by_alias=True)
    print_document({named: data} if named else data)
