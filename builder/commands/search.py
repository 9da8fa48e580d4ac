"""`builder search`: plans found within budgets."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from builder.command_line import print_json
from builder.command_line.console import add_row, make_table, print_line, results
from builder.commands.progress import listening
from builder.errors import VerificationError
from builder.pipeline import story

if TYPE_CHECKING:
    from builder.plan_search import SearchResult


def search(arguments: Namespace) -> None:
    from builder.plan_search import SearchResult, explain_unmet

    with listening(quiet=arguments.quiet) as listener:
        outcome = story.search(
            arguments.config, out=arguments.output, listener=listener, cluster=arguments.cluster, fresh=arguments.fresh
        )
    if arguments.json:
        print_json(outcome, tuple[SearchResult, ...], named="searches")
    else:
        for result in outcome:
            show_search(result, verbose=arguments.verbose)
        if arguments.output is not None:
            print_line(f"written: {arguments.output}, with the trade-off as .json and .html beside it")
    for result in outcome:
        if result.chosen is None:
            raise VerificationError(explain_unmet(result))


def show_search(result: SearchResult, *, verbose: bool) -> None:
    """The trade-off curve of a search with the chosen plan marked, its stock recipes, and what failed."""
    rows = make_table(f"{result.variant}: {len(result.trials)} trials", "trial>", "", "measured", "what")
    for trial in result.trials:
        if verbose or trial.number in (*result.curve, result.chosen) or trial.origin == "uniform" or trial.failure:
            mark = "chosen" if trial.number == result.chosen else "curve" if trial.number in result.curve else ""
            how = trial.measures.describe() if trial.measures else f"failed: {trial.failure}"
            add_row(rows, str(trial.number), mark, how, trial.what)
    results.print(rows)
    if result.cost is not None:
        print_line(f"cost: {result.cost}; fp32 is 1")
    if result.plan is not None:
        print_line(result.plan.rstrip())
