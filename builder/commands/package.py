"""`builder package`: packages for a target."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from builder.command_line import print_json
from builder.command_line.console import format_size, print_line
from builder.commands.progress import listening
from builder.commands.tables import show_findings
from builder.pipeline import story


def package(arguments: Namespace) -> None:
    from builder.targets.base import PackageOptions, PackageResult, Runtime

    name, _, file = (arguments.runtime or "").partition("=")
    options = PackageOptions(
        runtime=Runtime(name=name, file=Path(file) if file else None) if name else None,
        allow=tuple(arguments.allow),
        with_gradle=arguments.with_gradle,
        execute=not arguments.no_execute,
    )
    asked = story.Packaging(
        source=arguments.source,
        target=arguments.target,
        out=arguments.output,
        formats=tuple(arguments.format),
        options=options,
        fresh=arguments.fresh,
    )
    with listening(quiet=arguments.quiet) as listener:
        result = story.package(asked, listener)
    if arguments.json:
        print_json(result, PackageResult)
        return
    for file in result.files:
        print_line(f"{file}  {format_size(file.stat().st_size) if file.is_file() else 'directory'}")
    show_findings(result.findings, verbose=arguments.verbose)
