"""Every command that a page shows is one: the verb is there, and so are its options. What the tutorial shows is run as well."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import pytest

from builder.cli import make_parser
from builder.errors import InputError
from harness.cli import build_parser

ROOT = Path(__file__).resolve().parent.parent
PARSERS = {"builder": make_parser(), "harness": build_parser()}
PAGES = sorted(
    path
    for path in [
        *ROOT.glob("*.md"),
        *(path for name in ("docs", "examples", "zoo") for path in (ROOT / name).rglob("*.md")),
    ]
    if re.search(r"\b(?:builder|harness) [a-z]", path.read_text(encoding="utf-8"))
)


def list_lines(text: str) -> list[str]:
    """The calls of both commands in a page's blocks of shell and of CI: up to a pipe, a redirection or the next command."""
    blocks = re.findall(r"```(?:sh|yaml)\n(.*?)```", text, re.S)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    calls = (re.search(r"(?:^|[\s/(])((?:builder|harness) [a-z].*)", line) for line in lines)
    return [re.split(r" (?:\||&&|>) ", call[1])[0] for call in calls if call]


def list_mentions(text: str) -> list[str]:
    """Those in the middle of a sentence, which may leave out what is needed."""
    return [
        code.replace("\n", " ")
        for code in re.findall(
            r"(?<!`)`((?:builder|harness) [a-z][^`]*)`(?!`)", re.sub(r"```.*?```", "", text, flags=re.S)
        )
    ]


def find_options(program: str, verb: str) -> set[str] | None:
    """None for a verb that the program does not have."""
    for action in PARSERS[program]._actions:
        if isinstance(action, argparse._SubParsersAction) and verb in action.choices:
            return {name for option in action.choices[verb]._actions for name in option.option_strings}
    return None


def find_unknown(code: str) -> list[str]:
    """Words of a mention that its command does not have: the verb, or options."""
    program, verb, *words = code.split()
    known = find_options(program, verb)
    if known is None:
        return [verb]
    bare = [word.strip("[](),.").split("=")[0] for word in words]
    return [word for word in bare if re.match(r"--?[a-z]", word) and word not in known]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_of_a_page_is_one(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for line in list_lines(text):
        program, *words = shlex.split(line, comments=True)
        PARSERS[program].parse(words)  # ends the test with the parser's own sentence
    assert [(code, wrong) for code in list_mentions(text) if (wrong := find_unknown(code))] == []


def test_a_wrong_command_is_seen() -> None:
    """In a block and in a sentence, by its verb and by an option."""
    page = "Run `builder cache --claer` and `harness mesure`.\n\n```sh\n.venv/bin/builder check --jsn | head\n```\n"
    assert [find_unknown(code) for code in list_mentions(page)] == [["--claer"], ["mesure"]]
    assert list_lines(page) == ["builder check --jsn"]
    with pytest.raises(InputError, match="--jsn"):
        PARSERS["builder"].parse(["check", "--jsn"])
