"""`builder verify`: every variant of a bundle run again."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from builder.commands.console import add_row, listening, print_json, results, table

if TYPE_CHECKING:
    pass


def verify(arguments: Namespace) -> None:
    from builder.pipeline.verify import Verification, verify_bundle

    with listening(quiet=arguments.quiet) as listener:
        verification = verify_bundle(arguments.bundle, listener)
    if arguments.json:
        print_json(verification, Verification)
        return
    rows = table(
        f"{verification.model}: every hash and every golden agrees",
        "variant",
        "golden",
        "own golden dB>",
        "source model dB>",
        "run by",
        "tiles of large pictures",
        "seam>",
    )
    for check in verification.checks:
        add_row(
            rows,
            check.variant,
            check.golden,
            f"{check.psnr_db:.1f}",
            f"{check.source_psnr_db:.1f}",
            check.runtime,
            check.tiles,
            "-" if check.seam_error is None else f"{check.seam_error:.1g}",
        )
    results.print(rows)
