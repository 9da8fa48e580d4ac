"""`builder cache`: what is kept between runs, and removing some of it."""

from __future__ import annotations

from argparse import Namespace

from builder.command_line import print_json
from builder.command_line.console import add_row, format_size, make_table, print_line, results
from builder.errors import InputError
from builder.project.budgets import parse_size
from builder.storage.content import CacheContent, clear, look, trim


def cache(arguments: Namespace) -> None:
    if arguments.clear and arguments.limit:
        raise InputError("--clear removes everything: leave out --limit.")
    try:
        limit = None if arguments.limit is None else parse_size(arguments.limit)
    except ValueError as error:
        raise InputError(f"--limit: {error}.") from error
    removed = clear() if arguments.clear else 0 if limit is None else trim(limit)
    content = look()
    if arguments.json:
        print_json(content, CacheContent)
        return
    print_line(f"{content.root}: {format_size(content.bytes)}")
    rows = make_table("", "step", "results>", "size>")
    for step in content.steps:
        add_row(rows, step.name, str(step.results), format_size(step.bytes))
    results.print(rows)
    if arguments.clear or limit is not None:
        print_line(f"removed: {format_size(removed)}")
