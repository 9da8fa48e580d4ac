"""`harness rank`: a bundle's variants in the order that was measured."""

from __future__ import annotations

import argparse
from pathlib import Path

from builder.command_line import print_document
from harness.commands.output import say


def rank(args: argparse.Namespace) -> int:
    from harness.analysis.ranking import rank_measured, write_ranked
    from harness.records.store import read_runs
    from harness.session.session import open_bundle_or_package

    with open_bundle_or_package(Path(args.bundle)) as bundle:
        rankings = rank_measured(read_runs(args.runs), bundle)
        write_ranked(bundle, rankings, Path(args.output))
    if args.json:
        print_document({"bundle": args.output, "rankings": [ranking.model_dump(mode="json") for ranking in rankings]})
        return 0
    for ranking in rankings:
        print(f"{ranking.soc or ranking.model}: {', '.join(ranking.variants)}")
    say(args, f"wrote {args.output}; package it with: builder package {args.output} --target android -o dist")
    return 0
