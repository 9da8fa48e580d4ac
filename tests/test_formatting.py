"""Kotlin, Swift and C++ have one form, and its check can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.process import run
from scripts.formatting import languages

ROOT = Path(__file__).resolve().parent.parent
CROWDED = {
    "kotlin": ("A.kt", "fun  f( a:Int )=a+1\n", "fun f(a: Int) = a + 1\n"),
    "swift": ("A.swift", "func  f( a:Int )->Int{ a+1 }\n", "func f(a: Int) -> Int { a + 1 }\n"),
    "cpp": ("a.cpp", "int  f( int a ){return a+1;}\n", "int f(int a) { return a + 1; }\n"),
}


@pytest.mark.parametrize("language", CROWDED)
def test_every_source_is_formatted_and_a_crowded_one_is_not(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the real formatters, in one run: the tracked sources stay as they are, and a crowded file gets its spaces."""
    if language == "swift":
        run([languages.SWIFT, "prepare"], timeout_s=1200)
    name, before, after = CROWDED[language]
    crowded = tmp_path / name
    crowded.write_text(before, encoding="utf-8")
    tracked = languages.list_sources
    monkeypatch.setattr(languages, "list_sources", lambda *patterns: [*tracked(*patterns), crowded])
    formatted = getattr(languages, f"format_{language}")()
    assert formatted.pop(crowded) == after
    assert [path for path, text in formatted.items() if path.read_text(encoding="utf-8") != text] == []
    assert formatted


def test_long_comments_of_swift_are_wrapped_and_code_in_them_is_not() -> None:
    """Paragraphs and items of lists become lines of 120; code, marks of SwiftPM and comments that fit stay."""
    word = "word " * 30
    text = f"// swift-tools-version: 6.0\n/// {word}\n/// more.\n/// - {word}\n///\n///     let code = {'x' * 120}\n/// Short.\n"
    wrapped = languages.with_short_comments(text).splitlines()
    assert wrapped[0] == "// swift-tools-version: 6.0"
    assert wrapped[-2:] == [f"///     let code = {'x' * 120}", "/// Short."]
    assert all(len(line) <= 120 for line in wrapped if "let code" not in line)
    assert " ".join(line.removeprefix("///").strip() for line in wrapped[1:-3]) == f"{word}more. - {word}".strip()
    assert languages.with_short_comments("\n".join(wrapped)) == "\n".join(wrapped)
