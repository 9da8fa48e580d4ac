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
        ranked = rank_measured(read_runs(args.runs), bundle)
        write_ranked(bundle, ranked, Path(args.output))
    if args.json:
        rankings = [ranking.model_dump(mode="json") for ranking in ranked.phones]
        browsers = [ranking.model_dump(mode="json") for ranking in ranked.browsers]
        print_document({"bundle": args.output, "rankings": rankings, "browser_rankings": browsers})
        return 0
    for phone in ranked.phones:
        print(f"{phone.soc or phone.model}: {', '.join(phone.variants)}")
    for browser in ranked.browsers:
        ways = ", ".join(f"{way.variant} by {way.accelerator}" for way in browser.ways)
        print(f"{browser.browser}, {browser.gpu or 'no WebGPU'}: {ways}")
    target = "android" if ranked.phones else "web"
    say(args, f"wrote {args.output}; package it with: builder package {args.output} --target {target} -o dist")
    return 0
