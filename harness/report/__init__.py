"""Reports: the records of a store as a terminal table, JSON, Markdown, JUnit XML, or one self-contained HTML file."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import cast

from harness.records.profile import Profile
from harness.records.store import Store
from harness.report.model import Report, load_report

# format -> module with render(report) -> str
FORMATS: dict[str, str] = {
    "html": "harness.report.html",
    "json": "harness.report.jsonform",
    "markdown": "harness.report.markdown",
    "junit": "harness.report.junit",
}


def make_report(store: Store, form: str, profiles: tuple[Profile, ...] = ()) -> str:
    """Text of a report. `form` is a key of FORMATS; `profiles` are shown beside the variants that they are of, by their files' hashes."""
    render = cast(Callable[[Report], str], importlib.import_module(FORMATS[form]).render)
    return render(replace(load_report(store), profiles=profiles))
