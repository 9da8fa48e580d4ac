"""`builder convert`: a bundle from builder.toml."""

from __future__ import annotations

from argparse import Namespace

from builder.bundle import Manifest
from builder.command_line import print_json
from builder.command_line.console import print_line
from builder.commands.progress import listening
from builder.commands.tables import show_variants
from builder.commands.watch import convert_and_watch
from builder.errors import ConversionError
from builder.pipeline import story
from builder.pipeline.pictures import place_page


def convert(arguments: Namespace) -> None:
    if arguments.watch:
        convert_and_watch(arguments)
        return
    with listening(quiet=arguments.quiet) as listener:
        bundle = story.convert(
            arguments.config,
            out=arguments.output,
            backends=arguments.backend,
            listener=listener,
            fresh=arguments.fresh,
            keep_going=arguments.keep_going,
        )
    if arguments.json:
        print_json(bundle.manifest, Manifest)
    else:
        show_variants(bundle.manifest)
        print_line(f"bundle: {arguments.output}")
        if (pictures := place_page(arguments.output)).is_file():
            print_line(f"pictures: {pictures}")
    failures = bundle.manifest.failures
    if failures:
        reasons = "".join(f"\n  {failure.id}: {failure.reason}" for failure in failures)
        raise ConversionError(
            f"{len(failures)} of {len(failures) + len(bundle.manifest.variants)} variants could not be made; the bundle is without them:{reasons}"
        )
