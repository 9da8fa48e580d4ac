"""What each language's formatter makes of our sources: the text of every file, nothing is written in place."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
import textwrap
from pathlib import Path

from builder.errors import MissingToolError
from builder.process import ToolFailed, find, run

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
POM = HERE / "pom.xml"
SWIFT = ROOT / "scripts" / "swift.sh"
SWIFT_FORMAT = "/usr/libexec/swift/bin/swift-format"  # in the chroot, where Debian's swiftlang has it
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"
LIMIT_S = 600.0
WIDTH = 120
# Lines of one comment that begin with a word, after one that begins with a word or a list's mark; never SwiftPM's first line.
_PARAGRAPH = re.compile(
    r"^(?P<mark> *///?) (?!swift-tools-version)\S.*(?:\n(?P=mark) (?![-*]|\d+\.)\S.*)*", re.MULTILINE
)

Formatted = dict[Path, str]


def format_kotlin() -> Formatted:
    """By ktfmt, started from source with our line length. Raises MissingToolError without Java or Maven."""
    for program, package in (("java", "openjdk-17-jdk-headless"), ("mvn", "maven")):
        if find(program) is None:
            raise MissingToolError(
                f"ktfmt needs {program}: install with 'apt-get install --no-install-recommends {package}'."
            )
    with tempfile.TemporaryDirectory(prefix="edgebundle-formatting-") as name:
        copies = _copies(list_sources("*.kt", "*.kts"), Path(name))
        words: list[str | Path] = ["java", "-XX:TieredStopAtLevel=1", "-cp", _find_class_path(), HERE / "Ktfmt.java"]
        run([*words, *copies.values()], timeout_s=LIMIT_S)
        return _texts(copies)


def format_cpp() -> Formatted:
    """By the clang-format of this environment."""
    program = Path(sys.executable).with_name("clang-format")
    if not program.is_file():
        raise MissingToolError("clang-format is not installed: pip install -c constraints.txt -e '.[dev]'.")
    with tempfile.TemporaryDirectory(prefix="edgebundle-formatting-") as name:
        copies = _copies(list_sources("*.c", "*.cpp", "*.h"), Path(name))
        run([program, f"--style=file:{ROOT / '.clang-format'}", "-i", *copies.values()], timeout_s=LIMIT_S)
        return _texts(copies)


def format_swift() -> Formatted | None:
    """By the toolchain's own swift-format; None where no toolchain was made yet."""
    try:
        run([SWIFT, "find"], timeout_s=LIMIT_S)
    except ToolFailed:
        return None
    with tempfile.TemporaryDirectory(prefix="edgebundle-formatting-") as name:
        work = Path(name)
        copies = _copies(list_sources("*.swift"), work)
        shutil.copy(ROOT / ".swift-format", work / "configuration.json")
        inside = [f"/work/{copy.relative_to(work)}" for copy in copies.values()]
        words: list[str | Path] = [SWIFT, "run", work, work, "--", SWIFT_FORMAT, "format", "--in-place", "--parallel"]
        run([*words, "--configuration", "/work/configuration.json", *inside], timeout_s=LIMIT_S)
        return {file: with_short_comments(text) for file, text in _texts(copies).items()}


def with_short_comments(text: str) -> str:
    """The paragraphs of `//` and `///` comments with a line over WIDTH, wrapped anew: swift-format leaves comments as they are."""
    return _PARAGRAPH.sub(_wrapped, text)


def _wrapped(paragraph: re.Match[str]) -> str:
    lines = paragraph[0].splitlines()
    if all(len(line) <= WIDTH for line in lines):
        return paragraph[0]
    mark = paragraph["mark"]
    words = " ".join(line.removeprefix(mark).strip() for line in lines)
    return textwrap.fill(
        words,
        WIDTH,
        initial_indent=f"{mark} ",
        subsequent_indent=f"{mark} ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def list_sources(*patterns: str) -> list[Path]:
    """Tracked files of these patterns."""
    listed = run(["git", "ls-files", "-z", *patterns], timeout_s=LIMIT_S, cwd=ROOT).stdout
    return [ROOT / name for name in sorted(filter(None, listed.split("\0"))) if (ROOT / name).is_file()]


def _copies(files: list[Path], folder: Path) -> dict[Path, Path]:
    """Each file beside all others, by number: names may repeat, and formatters look at the ending alone."""
    copies = {file: folder / f"{number}{file.suffix}" for number, file in enumerate(files)}
    for file, copy in copies.items():
        shutil.copyfile(file, copy)
    return copies


def _texts(copies: dict[Path, Path]) -> Formatted:
    return {file: copy.read_text(encoding="utf-8") for file, copy in copies.items()}


def _find_class_path() -> str:
    """ktfmt with all that it needs, in Maven's local repository; asked once for each pom."""
    kept = ROOT / "build" / "formatting" / f"{hashlib.sha256(POM.read_bytes()).hexdigest()[:16]}.txt"
    if kept.is_file() and all(Path(jar).is_file() for jar in kept.read_text(encoding="utf-8").split(os.pathsep)):
        return kept.read_text(encoding="utf-8")
    kept.parent.mkdir(parents=True, exist_ok=True)
    found = kept.with_suffix(".part")
    run(["mvn", "-q", "-B", "-f", POM, f"{PLUGIN}:build-classpath", f"-Dmdep.outputFile={found}"], timeout_s=LIMIT_S)
    found.replace(kept)
    return kept.read_text(encoding="utf-8")
