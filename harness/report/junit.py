"""A report as JUnit XML: a suite for each device, a case for each variant, so that CI servers show verdicts as tests.

The form is the one that Jenkins, GitLab and GitHub's reporters read (Jenkins xUnit schema, junit-10.xsd).
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from harness.analysis.grouping import label_device
from harness.report import text
from harness.report.model import Entry, Report

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report) -> str:
    by_device: dict[str, list[Entry]] = {}
    for entry in report.entries:
        by_device.setdefault(_name_device(label_device(entry.run), entry.run.simulated), []).append(entry)
    suites = ElementTree.Element("testsuites")
    for device, entries in by_device.items():
        grades = [entry.verdict.grade for entry in entries]
        suite = ElementTree.SubElement(
            suites,
            "testsuite",
            name=_clean(device),
            tests=str(len(entries)),
            failures=str(grades.count("invalid")),
            errors="0",
            skipped=str(grades.count("unstable")),
            timestamp=f"{min(entry.run.moment for entry in entries):%Y-%m-%dT%H:%M:%S}",
            time=f"{sum(sum(entry.run.latency_ns) for entry in entries) / 1e9:.3f}",
        )
        for entry, word in zip(entries, grades, strict=True):
            suite.append(_case(entry, word, device))
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _case(entry: Entry, word: str, device: str) -> ElementTree.Element:
    run, summary = entry.run, entry.summary
    seconds = summary.median / 1e9 if summary else 0.0
    case = ElementTree.Element(
        "testcase",
        name=_clean(entry.name),
        classname=_clean(f"{run.model_name}.{device}"),
        time=f"{seconds:.6f}",
    )
    if word == "invalid":
        ElementTree.SubElement(case, "failure", message=_clean(entry.verdict.text), type="invalid")
    elif word == "unstable":
        ElementTree.SubElement(case, "skipped", message=_clean(entry.verdict.text))
    out = ElementTree.SubElement(case, "system-out")
    interval = f" (95 % interval {text.format_interval(summary.low, summary.high)})" if summary else ""
    out.text = _clean(
        f"{text.format_headline(run, summary)}{interval}, golden {text.describe_golden(run)}, {entry.verdict.text}"
    )
    return case


def _name_device(device: str, simulated: str | None) -> str:
    return f"{device} ({simulated})" if simulated else device


def _clean(words: str) -> str:
    """Without the characters that XML cannot carry."""
    return NOT_XML.sub("\ufffd", words)
