"""The documents: generated pages are fresh, translations keep the commands, sentences are short, links and commands work."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
LIMIT_S = 900.0


def list_shell_lines(path: Path) -> list[str]:
    """Every line of the page's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", path.read_text(encoding="utf-8"), re.S)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def sentences(text: str) -> list[str]:
    """Of a page, without its code and headings: each item of a list and each cell of a table is one or more of its own."""
    parts = [""]
    for line in re.sub(r"^( *)```.*?^\1```", "", text, flags=re.S | re.M).splitlines():
        words = line.strip()
        item = re.match(r"(?:[-*]|\d+\.)\s+(.*)", words)
        if words.startswith("|"):
            parts += [*re.split(r"(?<!\\)\|", words), ""]
        elif not words or words.startswith(("#", "!!!")):
            parts.append("")
        elif item:
            parts.append(item[1])
        else:
            parts[-1] += f" {words}"
    return [one for part in parts for one in re.split(r"(?<=[.?!])\s+", part) if re.search(r"\w", one)]


def count_words(sentence: str) -> int:
    """A link counts by what is shown of it."""
    return len(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", sentence).split())


def test_the_generated_reference_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change of a model, a parser or a public docstring `make reference` was run."""
    monkeypatch.setenv("COLUMNS", "100")
    sys.path.insert(0, os.fspath(ROOT))
    from scripts.reference.pages import make_pages

    for name, text in make_pages().items():
        assert (DOCS / "reference" / name).read_text(encoding="utf-8") == text, f"{name}: run 'make reference'"


@pytest.mark.parametrize("section", ["builder-toml", "plan-toml", "protocol-toml"])
def test_every_key_that_a_person_writes_is_explained(section: str) -> None:
    """No row of the table of a file format has an empty last column."""
    text = (DOCS / "reference" / f"{section}.md").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("| `") and line.endswith("|  |")] == []


@pytest.mark.parametrize(
    ("english", "chinese"),
    [("README.md", "README.zh.md"), ("docs/getting-started.md", "docs/zh/getting-started.md")],
)
def test_a_translation_has_the_same_commands(english: str, chinese: str) -> None:
    """Whoever follows the Chinese page types what the English page says."""
    assert list_shell_lines(ROOT / chinese) == list_shell_lines(ROOT / english)


@pytest.mark.parametrize(
    "path",
    sorted(p for p in [*DOCS.rglob("*.md"), *ROOT.glob("*.md")] if "zh" not in p.parts and ".zh" not in p.suffixes),
    ids=lambda p: p.name,
)
def test_sentences_are_short(path: Path) -> None:
    """At most one sentence in twenty has more than 25 words."""
    found = sentences(path.read_text(encoding="utf-8"))
    long = [text for text in found if count_words(text) > 25]
    assert len(long) <= 0.05 * len(found), long


def test_items_and_cells_are_sentences() -> None:
    """A list of long items, or a table with long cells, is no short page; a colon ends no sentence."""
    page = (
        "# Head\n\nOne: two.\n\n- Three. Four\n- five\n  six\n\n| seven | eight |\n|---|---|\n\n```sh\nnine ten\n```\n"
    )
    assert [text.strip() for text in sentences(page)] == ["One: two.", "Three.", "Four", "five six", "seven", "eight"]
    assert count_words("[a b](c.md) d") == 3


@pytest.mark.parametrize("path", [*sorted(DOCS.rglob("*.md")), ROOT / "README.md"], ids=lambda p: p.name)
def test_printed_things_are_printed(path: Path) -> None:
    """No page says that something 'is told': what a command prints is printed, and what a phone reports is reported."""
    assert re.findall(r"[^.]*\b(?:is|are|was|were|be|been) told\b", path.read_text(encoding="utf-8")) == []


def test_every_heading_that_a_source_names_is_there() -> None:
    """`docs/sdk-rules.md, "Cancel"` in Kotlin, Swift, TypeScript or Python leads to a heading of that page."""
    named = set()
    for folder in ("builder", "harness", "mobile"):
        for path in (ROOT / folder).rglob("*.*"):
            if path.suffix in {".py", ".kt", ".swift", ".ts", ".cpp", ".h"} and "node_modules" not in path.parts:
                text = re.sub(r"\n\s*(///|\*|//|#) ?", " ", path.read_text(encoding="utf-8"))
                named |= set(re.findall(r'(docs/[a-z/-]+\.md), "([^"]+)"', text))
    assert named
    for page, heading in sorted(named):
        headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.M)
        assert heading in headings, page


def test_the_navigation_has_the_four_kinds() -> None:
    """Each page but the front page is a tutorial, a how-to, reference or an explanation."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:\n")[1]
    nav = re.findall(r"^  - ([^:\n]+):(.*)$", text, re.M)
    assert [(name, page.strip()) for name, page in nav] == [
        ("Home", "index.md"), ("Tutorials", ""), ("How-to", ""), ("Reference", ""), ("Explanation", ""),
    ]  # fmt: skip


def test_the_site_builds_without_a_dead_link(tmp_path: Path) -> None:
    """`make docs` is strict: an unknown page or anchor fails it."""
    done = build_site(ROOT / "mkdocs.yml", tmp_path / "site")
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_dead_link_fails_the_site(tmp_path: Path) -> None:
    """The check above can fail: a page with a wrong anchor is refused."""
    shutil.copytree(DOCS, tmp_path / "docs")
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    page = tmp_path / "docs" / "glossary.md"
    page.write_text(page.read_text(encoding="utf-8") + "\n[dead](plans.md#nowhere)\n", encoding="utf-8")
    done = build_site(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert done.returncode != 0
    assert "nowhere" in done.stderr


def build_site(config: Path, out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", config, "-d", out],
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.usefixtures("adb_environment")
def test_every_command_of_the_tutorial_works(tmp_path: Path) -> None:
    """The commands of getting-started, in order, in a copy of the repository's layout."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    ours = [line for line in list_shell_lines(DOCS / "getting-started.md") if not line.startswith("make ")]
    assert len(ours) >= 12
    for line in ours:
        words = shlex.split(line)
        if words[0].startswith(".venv/bin/"):
            words = [sys.executable, "-m", Path(words[0]).name, *words[1:]]
        done = subprocess.run(
            words,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": os.fspath(ROOT)},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, (line, done.stderr[-2000:])


def test_every_file_that_contributing_names_is_there() -> None:
    """A newcomer finds each place that the steps name."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = [
        name
        for name in re.findall(r"`([\w./]+/[\w./]*)`", text)
        if "NAME" not in name and not name.startswith("build/")
    ]
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
