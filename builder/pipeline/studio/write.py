"""plan.toml as the page writes it: rules of a person stay as they are where new ones can stand behind them."""

from __future__ import annotations

import json
import re
import tomllib

from builder.errors import ConfigError
from builder.plan_search.space import Choice, plan_of, plan_text
from builder.precision.layers import LayerTable
from builder.precision.plan import PlanFile, resolve

TITLE = "Written by 'builder studio'."
MARK = "# Layers that were changed in 'builder studio'."


def plan_with(choice: Choice, table: LayerTable, old: PlanFile | None, text: str) -> str:
    """The file for a choice. `text` is that of `old`: its rules and comments stay, and a rule a changed layer comes after them.

    A file whose rules are one array, as 'builder search' writes it, is written anew with its other settings.
    """
    kept = text.split(MARK)[0].rstrip() + "\n" if old else ""
    if old and "[[rule]]" in kept:
        try:
            before = resolve(PlanFile.model_validate(tomllib.loads(kept)), table, where="the plan")
        except (ConfigError, ValueError):
            return _anew(choice, table, old)
        changed = [
            (name, scheme)
            for name, scheme in zip(table.names(), choice.schemes, strict=True)
            if before.scheme(name).name != scheme
        ]
        if not changed:
            return kept
        rules = (f"[[rule]]\nmatch = '{re.escape(name)}'\nscheme = {json.dumps(scheme)}\n" for name, scheme in changed)
        return "\n".join([kept, MARK, *rules])
    return _anew(choice, table, old)


def _anew(choice: Choice, table: LayerTable, old: PlanFile | None) -> str:
    plan = plan_of(table.names(), choice)
    if old is not None:
        plan = plan.model_copy(update={"on_unsupported": old.on_unsupported})
    return plan_text(plan, [TITLE], {})
