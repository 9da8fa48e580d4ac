"""The page of one command: its help, as the parser prints it."""

from __future__ import annotations

import argparse
import re


def write_command_page(title: str, intro: str, parser: argparse.ArgumentParser) -> str:
    """Markdown with the help of the command and of each verb, 100 columns wide."""
    parts = [f"# {title}", intro, _block(parser)]
    for verb, made in _verbs(parser).items():
        parts += [f"## {parser.prog} {verb}", _block(made)]
    return "\n\n".join(parts) + "\n"


def _verbs(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    return next(action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction))


def _block(parser: argparse.ArgumentParser) -> str:
    text = re.sub(r"[ \t]+$", "", parser.format_help(), flags=re.M).strip()
    return f"```text\n{text}\n```"
