"""The public API of the Kotlin library as text: what `javap` says of its classes, without what Kotlin marks as internal.

`python -m tests.android.api` writes the file that the test compares.
"""

from __future__ import annotations

import re
from pathlib import Path

from builder import process
from builder.bundle import list_tree
from tests.android.jvm import SDK, compile_tests

FILE = SDK.parent / "api" / "sdk.api"
LIMIT_S = 60.0
MARKED = re.compile(r"^(?:@\w+(?:\(.*?\))?\s+)*(?:internal|private) (?:(?:inline|suspend|data|fun|const) )*(?:class|interface|object|fun|val) (?:<[^>]+> )?(?:[\w<>?]+\.)?(\w+)", re.M)  # fmt: skip
# What Kotlin and its coroutines write beside the declarations of the source.
MADE_BY_KOTLIN = re.compile(r"\$|DefaultConstructorMarker|\bcomponent\d|copy\(|hashCode\(|equals\(")


def list_public_api() -> str:
    """Each public class with its public members, both sorted; equal sources give equal text."""
    classes = compile_tests().classes[1]
    hidden = _hidden()
    names = sorted(path.relative_to(classes).with_suffix("").as_posix() for path in classes.rglob("*.class"))
    shown = [name for name in names if not hidden.intersection(name.rpartition("/")[2].split("$")) and not _made(name)]
    done = process.run(["javap", "-public", "-cp", classes, *(n.replace("/", ".") for n in shown)], timeout_s=LIMIT_S)
    blocks = re.findall(r"^(public .*?) \{\n(.*?)^\}", done.stdout, re.M | re.S)
    return "".join(_block(head, body, hidden) for head, body in sorted(blocks))


def _block(head: str, body: str, hidden: set[str]) -> str:
    lines = sorted(line.strip() for line in body.splitlines() if not MADE_BY_KOTLIN.search(line))
    top_level = "Kt" in head.rpartition(".")[2]
    kept = [line for line in lines if not hidden.intersection(_named(line, top_level))]
    members = "".join(f"    {line}\n" for line in kept)
    return f"{head}\n{members}" if kept or not top_level else ""


def _named(line: str, top_level: bool) -> list[str]:
    """The name of a constant, or of a function that stands in a file by itself."""
    return re.findall(r"static final \S+ (\w+);", line) + (re.findall(r"(\w+)\(", line) if top_level else [])


def _made(name: str) -> bool:
    """Lambdas, coroutines and tables of `when`."""
    return bool(re.search(r"\$(\d|\w+\$\d|WhenMappings|sam\$)", name))


def _hidden() -> set[str]:
    """Names that the sources declare as internal or private at the top level of a file."""
    texts = [path.read_text(encoding="utf-8") for path in _sources()]
    private = [
        block for text in texts for block in re.findall(r"private companion object \{(.*?)^    \}", text, re.M | re.S)
    ]
    constants = {name for block in private for name in re.findall(r"const val (\w+)", block)}
    return constants | {name for text in texts for name in MARKED.findall(text)}


def _sources() -> list[Path]:
    return [p for part in ("main", "tflite") for p in list_tree(SDK / part) if p.suffix == ".kt"]


def undocumented() -> list[str]:
    """Public classes and functions of the sources without a comment that says what they are for, as `file: line`."""
    found = []
    for path in _sources():
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            if re.match(
                r"(?:data |fun |abstract |open )*(?:class|interface|object|typealias|fun|val|const val) ", line
            ):
                above = number - 1
                while above >= 0 and lines[above].startswith("@"):
                    above -= 1
                if above < 0 or not lines[above].rstrip().endswith("*/"):
                    found.append(f"{path.name}: {line}")
    return found


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(list_public_api(), encoding="utf-8")
    print(f"{FILE}: written")
