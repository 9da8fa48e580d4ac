"""`builder convert`: a bundle from builder.toml."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from builder.bundle import Manifest
from builder.commands.console import listening, print_json, print_line
from builder.commands.tables import show_variants
from builder.pipeline import story

if TYPE_CHECKING:
    pass


def convert(arguments: Namespace) -> None:
    with listening(quiet=arguments.quiet) as listener:
        bundle = story.convert(arguments.config, out=arguments.output, backends=arguments.backend, listener=listener)
    if arguments.json:
        print_json(bundle.manifest, Manifest)
        return
    show_variants(bundle.manifest)
    print_line(f"bundle: {arguments.output}")
