"""Kotlin and Swift call the same thing by the same word; a word that only one of them has stands in a table with the reason."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KOTLIN = ROOT / "mobile" / "android" / "sdk" / "src"
SWIFT = (ROOT / "mobile" / "ios" / "edgebundle" / "Sources", ROOT / "mobile" / "ios" / "executorch" / "Sources")
PAGE = ROOT / "docs" / "sdk-rules.md"
HEADING = "## One word for one thing\n"
# Names beside the one word, which both SDKs keep for apps that were written before (docs/android.md, docs/ios.md).
ALIASES = {"StyleModel", "VideoStyler"}


def find_kotlin_types() -> dict[str, bool]:
    """Classes outside of others, in code that is no test; whether they are public."""
    found = {}
    for path in KOTLIN.rglob("*.kt"):
        if "test" not in path.relative_to(KOTLIN).parts[0].lower():
            for words, name in re.findall(
                r"^((?:\w+ )*)(?:class|interface|object|typealias) (\w+)", path.read_text(encoding="utf-8"), re.M
            ):
                found[name] = not {"internal", "private"} & set(words.split())
    return found


def find_swift_types() -> dict[str, bool]:
    """The same; a file that stands as a whole in `#if` has them one step to the right."""
    found = {}
    for folder in SWIFT:
        for path in folder.rglob("*.swift"):
            text = path.read_text(encoding="utf-8")
            types = r"((?:\w+ )*)(?:class|struct|enum|protocol|actor|typealias) (\w+)"
            for words, name in re.findall(f"^{types}", text, re.M) or re.findall(f"^    {types}", text, re.M):
                found[name] = "public" in words.split()
    return found


def find_words_of_one_language() -> set[str]:
    kotlin, swift = find_kotlin_types(), find_swift_types()
    alone = {name for name, public in kotlin.items() if public and name not in swift}
    return (alone | {name for name, public in swift.items() if public and name not in kotlin}) - ALIASES


def test_a_type_that_one_sdk_alone_has_stands_in_the_table() -> None:
    """With the reason why the platform asks for it; what both have, or neither has, does not."""
    section = PAGE.read_text(encoding="utf-8").partition(HEADING)[2]
    cells = [cell for row in re.findall(r"^\| (.*) \|$", section, re.M)[1:] for cell in row.split(" | ")[:2]]
    told = {word for cell in cells for word in re.findall(r"`([A-Z]\w+)`", cell)}
    assert find_words_of_one_language() - told == set()
    assert told & set(find_kotlin_types()) & set(find_swift_types()) == {
        "FrameProcessor"
    }  # whose `close` is Swift's `finish`


def test_both_have_the_types_that_apps_use() -> None:
    """The rule sees both languages: what every app names is there twice."""
    assert {"BundleError", "ScoredLabel", "ImageModel", "FrameProcessor", "ModelOrServer", "Tried"} <= {
        name for name, public in find_kotlin_types().items() if public and find_swift_types().get(name)
    }
