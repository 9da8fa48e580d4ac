"""What a gate or a comparison found, as Markdown, HTML or JUnit XML: one line a finding, the same lines in each form."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal
from xml.etree import ElementTree

from builder.bundle.page import make_document
from harness.analysis.comparison import Comparison
from harness.analysis.gate import Decision
from harness.analysis.grouping import label_device, label_variants
from harness.analysis.one_sided import OneSided
from harness.analysis.session_verdict import SessionVerdict
from harness.report.comparison import write_verdict

State = Literal["passed", "failed", "undecided"]
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MARKS: dict[State, str] = {"passed": "✓", "failed": "✕", "undecided": "~"}
STYLE = (
    "table{width:100%}th,td{overflow-wrap:anywhere}.failed{color:var(--invalid)}.undecided{color:var(--unstable)}.passed{color:var(--ok)}"
    "@media(max-width:600px){thead{display:none}tr{display:block;margin-bottom:1rem}td{display:block;border:0;padding:.1rem 0}}"
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """`what` was asked of `variant` on `device`: how it ended, and why in a sentence."""

    what: str
    variant: str
    device: str
    state: State
    why: str


def of_verdicts(verdicts: Sequence[SessionVerdict]) -> list[Finding]:
    states: dict[int, State] = {0: "passed", 7: "undecided"}
    labels = label_variants(verdict.decides for verdict in verdicts)
    return [
        Finding(
            what="session",
            variant=labels[verdict.decides.id],
            device=_device(verdict.decides.simulated, label_device(verdict.decides)),
            state=states.get(verdict.exit_code, "failed"),
            why=verdict.text,
        )
        for verdict in verdicts
    ]


def of_decisions(decisions: Sequence[Decision]) -> list[Finding]:
    states: dict[str, State] = {"within": "passed", "regression": "failed"}
    return [
        Finding(
            what="against the baseline",
            variant=entry.comparison.variant,
            device=_device(entry.comparison.new.simulated, entry.comparison.device),
            state=states.get(entry.outcome, "undecided"),
            why=f"{entry.outcome}: {entry.why}",
        )
        for entry in decisions
    ]


def of_one_sided(alone: Sequence[OneSided]) -> list[Finding]:
    """What BASE alone has is open; what NEW alone has is no fault of it."""
    return [
        Finding(
            what="on one side only",
            variant=one.variant,
            device=_device(one.run.simulated, one.device),
            state="undecided" if one.side == "base" else "passed",
            why=one.why,
        )
        for one in alone
    ]


def of_comparisons(comparisons: Sequence[Comparison]) -> list[Finding]:
    """A slower variant is no failure here: `harness check` has the limit."""
    return [
        Finding(
            what="comparison" if entry.variant == entry.against else f"against {entry.against}",
            variant=entry.variant,
            device=_device(entry.new.simulated, entry.device),
            state="undecided" if entry.refused is not None or entry.verdict.startswith("undecided") else "passed",
            why=_ratio(entry) + write_verdict(entry),
        )
        for entry in comparisons
    ]


def render_markdown(title: str, findings: Sequence[Finding]) -> str:
    lines = [
        f"## {_cell(title)}",
        "",
        _summary(findings),
        "",
        "| | variant | device | what | why |",
        "|---|---|---|---|---|",
    ]
    for entry in findings:
        cells = (MARKS[entry.state], entry.variant, entry.device, entry.what, entry.why)
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join([*lines, ""])


def render_html(title: str, findings: Sequence[Finding]) -> str:
    rows = "".join(
        f'<tr><td class="{entry.state}">{MARKS[entry.state]} {entry.state}<td>{escape(entry.variant)}<td>{escape(entry.device)}'
        f"<td>{escape(entry.what)}<td>{escape(entry.why)}"
        for entry in findings
    )
    head = "".join(f"<th>{name}" for name in ("", "variant", "device", "what", "why"))
    body = (
        f"<h1>{escape(title)}</h1><p>{escape(_summary(findings))}</p>"
        f"<table><thead><tr>{head}</thead><tbody>{rows}</tbody></table>"
    )
    return make_document(title, body, style=STYLE)


def render_junit(title: str, findings: Sequence[Finding]) -> str:
    suites = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(
        suites,
        "testsuite",
        name=_clean(title),
        tests=str(len(findings)),
        failures=str(_count(findings, "failed")),
        errors="0",
        skipped=str(_count(findings, "undecided")),
    )
    for entry in findings:
        case = ElementTree.SubElement(
            suite, "testcase", name=_clean(f"{entry.variant}, {entry.what}"), classname=_clean(entry.device)
        )
        if entry.state != "passed":
            kind = "failure" if entry.state == "failed" else "skipped"
            ElementTree.SubElement(case, kind, message=_clean(entry.why))
        ElementTree.SubElement(case, "system-out").text = _clean(entry.why)
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


FORMS: dict[str, Callable[[str, Sequence[Finding]], str]] = {
    "markdown": render_markdown,
    "html": render_html,
    "junit": render_junit,
}


def _summary(findings: Sequence[Finding]) -> str:
    counts = [f"{_count(findings, state)} {state}" for state in MARKS if _count(findings, state)]
    return f"{len(findings)} findings: {', '.join(counts)}." if findings else "Nothing was found."


def _count(findings: Sequence[Finding], state: State) -> int:
    return sum(entry.state == state for entry in findings)


def _device(simulated: str | None, name: str) -> str:
    return f"{name} ({simulated})" if simulated else name


def _ratio(entry: Comparison) -> str:
    ratio = entry.ratio
    return f"{ratio.value:.3f} ({ratio.low:.3f} to {ratio.high:.3f}), " if ratio is not None else ""


def _cell(text: str) -> str:
    """Text that cannot break out of its cell or become markup."""
    flat = " ".join(text.split())
    for character in "\\`*_[]<>|":
        flat = flat.replace(character, "\\" + character)
    return flat


def _clean(words: str) -> str:
    return NOT_XML.sub("\ufffd", words)
