"""`builder inspect`: what a file really holds."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from builder.commands.console import add_row, listening, print_json, print_line, results, size, table
from builder.commands.tables import coverage_text, show_findings, show_variants

if TYPE_CHECKING:
    pass


def inspect(arguments: Namespace) -> None:
    from builder.pipeline.inspect import Inspection, inspect_path

    with listening(quiet=arguments.quiet) as listener:
        found = inspect_path(arguments.path, listener)
    if arguments.json:
        print_json(found, Inspection)
        return
    title = f"{found.path}: {found.kind}, {size(found.bytes)}"
    if found.manifest is not None:
        print_line(title)
        show_variants(found.manifest)
        show_findings(found.findings, verbose=True)
    elif found.stored:
        rows = table(title, "layer", "op", "scheme", "weights>", "bytes>")
        for stored in found.stored:
            add_row(
                rows,
                stored.name,
                stored.op,
                stored.scheme,
                "x".join(map(str, stored.weight_shape)),
                f"{stored.weight_bytes:,}",
            )
        results.print(rows)
    else:
        rows = table(title, "layer", "op", "weights>", "params>", "MACs>")
        for layer in found.layers:
            add_row(
                rows,
                layer.name,
                layer.op,
                "x".join(map(str, layer.weight_shape)),
                f"{layer.params:,}",
                f"{layer.macs:,}",
            )
        add_row(
            rows, "all", "", "", f"{sum(x.params for x in found.layers):,}", f"{sum(x.macs for x in found.layers):,}"
        )
        results.print(rows)
    for coverage in (*([found.coverage] if found.coverage else []), *found.predicted):
        print_line(coverage_text(coverage))
