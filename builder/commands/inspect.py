"""`builder inspect`: what a file really holds."""

from __future__ import annotations

from argparse import Namespace

from builder.command_line import print_json
from builder.command_line.console import add_row, format_size, make_table, print_line, results
from builder.commands.progress import listening
from builder.commands.tables import describe_coverage, show_findings, show_variants


def inspect(arguments: Namespace) -> None:
    from builder.pipeline.inspect import Inspection, inspect_path

    with listening(quiet=arguments.quiet) as listener:
        inspection = inspect_path(arguments.path, listener)
    if arguments.json:
        print_json(inspection, Inspection)
        return
    title = f"{inspection.path}: {inspection.kind}, {format_size(inspection.bytes)}"
    if inspection.manifest is not None or inspection.kind == "package":
        print_line(title)
        if inspection.manifest is not None:
            show_variants(inspection.manifest)
        show_findings(inspection.findings, verbose=True)
    elif inspection.stored:
        rows = make_table(title, "layer", "op", "scheme", "weights>", "bytes>")
        for stored in inspection.stored:
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
        rows = make_table(title, "layer", "op", "weights>", "params>", "MACs>")
        for layer in inspection.layers:
            add_row(
                rows,
                layer.name,
                layer.op,
                "x".join(map(str, layer.weight_shape)),
                f"{layer.params:,}",
                f"{layer.macs:,}",
            )
        add_row(
            rows,
            "all",
            "",
            "",
            f"{sum(x.params for x in inspection.layers):,}",
            f"{sum(x.macs for x in inspection.layers):,}",
        )
        results.print(rows)
    for coverage in (*([inspection.coverage] if inspection.coverage else []), *inspection.predicted):
        print_line(describe_coverage(coverage))
