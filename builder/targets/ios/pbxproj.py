"""`project.pbxproj`: Xcode's object graph as an old-style property list, written so that equal objects give equal bytes.

The format is undocumented; its form here is what Xcode 16 writes (objectVersion 77): `isa` first, then keys in order, objects
in sections by kind. Ids are 24 hexadecimal digits made from a name of ours, so that they never change.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

Value = str | list["Value"] | dict[str, "Value"]
# The form of projects that Xcode 16 writes, the first with folders that need no list of files.
OBJECT_VERSION = 77
_PLAIN = re.compile(r"[A-Za-z0-9_$./]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


@dataclass
class Objects:
    """The objects of a project by id. `add` gives the id back, for others to refer to."""

    by_id: dict[str, dict[str, Value]] = field(default_factory=dict)

    def add(self, isa: str, name: str, /, **fields: Value) -> str:
        """Add an object; `name` tells it from others of its kind. Raises ValueError for a name that is taken."""
        key = make_identifier(isa, name)
        if key in self.by_id:
            raise ValueError(f"two objects {isa} are named {name}")
        self.by_id[key] = {"isa": isa, **fields}
        return key


def make_identifier(isa: str, name: str) -> str:
    """Id of an object, known before it is added."""
    return hashlib.sha256(f"{isa} {name}".encode()).hexdigest()[:24].upper()


def write_project(objects: Objects, root: str) -> str:
    """The whole file; `root` is the id of the project object."""
    lines = ["// !$*UTF8*$!", "{", "\tarchiveVersion = 1;", "\tclasses = {", "\t};"]
    lines += [f"\tobjectVersion = {OBJECT_VERSION};", "\tobjects = {"]
    for isa in sorted({str(fields["isa"]) for fields in objects.by_id.values()}):
        lines += ["", f"/* Begin {isa} section */"]
        of_kind = {key: fields for key, fields in objects.by_id.items() if fields["isa"] == isa}
        lines += [f"\t\t{key} = {_value(of_kind[key], 2)};" for key in sorted(of_kind)]
        lines.append(f"/* End {isa} section */")
    lines += ["\t};", f"\trootObject = {root};", "}"]
    return "\n".join(lines) + "\n"


def _value(value: Value, depth: int) -> str:
    tabs = "\t" * depth
    if isinstance(value, Mapping):
        keys = sorted(value, key=lambda key: (key != "isa", key))
        inside = "".join(f"{tabs}\t{quote(key)} = {_value(value[key], depth + 1)};\n" for key in keys)
        return f"{{\n{inside}{tabs}}}"
    if isinstance(value, list):
        inside = "".join(f"{tabs}\t{_value(entry, depth + 1)},\n" for entry in value)
        return f"(\n{inside}{tabs})"
    return quote(value)


def quote(text: str) -> str:
    """A string as the format has it: bare where it may be (`//` would begin a comment), else in quotes."""
    if _PLAIN.fullmatch(text) and "//" not in text and "___" not in text:
        return text
    return '"' + "".join(_ESCAPES.get(c, c) for c in text) + '"'
