"""`builder plan`: which rule won for each layer."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from builder.command_line import print_json
from builder.command_line.console import add_row, make_table, print_line, results
from builder.commands.progress import listening
from builder.errors import ConfigError

if TYPE_CHECKING:
    from builder.pipeline.plan import PlannedVariant


def plan(arguments: Namespace) -> None:
    from builder.pipeline.plan import PlannedVariant, plan_config

    with listening(quiet=arguments.quiet) as listener:
        planned = plan_config(arguments.config, arguments.backend, listener, all_backends=arguments.all_backends)
    if arguments.json:
        print_json(planned, tuple[PlannedVariant, ...], named="variants")
    else:
        show_plans(planned)
    for variant in (v for v in planned if v.refused and not v.what_if):
        first = variant.refused[0]
        raise ConfigError(
            f"variant {variant.id!r} cannot be converted: {variant.backend} refuses {len(variant.refused)} of "
            f"{len(variant.layers)} layers, first {first.layer!r}: {first.reason}"
        )


def show_plans(planned: Sequence[PlannedVariant]) -> None:
    """One table a plan and backend: which rule won for each layer, and what the backend makes of it."""
    for variant in planned:
        rows = make_table(variant.id, "layer", "op", "rule>", "requested", "lowered as", "weights B>", "MACs>", "why")
        for row in variant.layers:
            add_row(
                rows,
                row.layer,
                row.op,
                str(row.rule),
                row.requested,
                row.scheme or "refused",
                f"{row.weight_bytes:,}",
                f"{row.macs:,}",
                row.reason or "",
            )
        weights, macs = (sum(getattr(row, key) for row in variant.layers) for key in ("weight_bytes", "macs"))
        add_row(rows, "all", "", "", "", "", f"{weights:,}", f"{macs:,}", "")
        results.print(rows)
        for number, rule in enumerate(variant.rules, 1):
            print_line(f"rule {number}: {rule}")
