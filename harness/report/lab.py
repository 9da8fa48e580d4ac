"""The page of a lab over its store: its devices with what was last seen of them, and its sessions with their verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from builder.bundle.page import make_document
from harness.analysis.grouping import by_time, group_runs, label_device
from harness.analysis.session_verdict import judge_session
from harness.analysis.trends import find_changes
from harness.records.run import Run
from harness.report import text
from harness.report.findings import STYLE

VERDICTS = ".ok{color:var(--ok)}.unstable{color:var(--unstable)}.invalid{color:var(--invalid)}"
# The newest of a long history: one page, not an archive.
MOST_CHANGES = 50
# The newest; the report has every measurement.
MOST_SESSIONS = 200


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A device: its last run, and the verdicts of the newest session of each variant on it."""

    last: Run
    counts: dict[str, int]
    sessions: int


@dataclass(frozen=True, kw_only=True)
class Held:
    """A session on a device, with its runs in order."""

    session: str
    device: str
    runs: tuple[Run, ...]


def list_devices(runs: Iterable[Run]) -> list[Seen]:
    """Those with the newest runs first."""
    last: dict[str, Run] = {}
    sessions: dict[str, set[str]] = {}
    every = by_time(runs)
    for run in every:
        last[label_device(run)] = run
        sessions.setdefault(label_device(run), set()).add(run.session or run.id)
    counts: dict[str, dict[str, int]] = {name: {} for name in last}
    for group in group_runs(every):
        verdict = judge_session(group)
        count = counts[label_device(group.last)]
        count[verdict.grade] = count.get(verdict.grade, 0) + 1
    entries = [Seen(last=run, counts=counts[name], sessions=len(sessions[name])) for name, run in last.items()]
    return sorted(entries, key=lambda seen: seen.last.moment, reverse=True)


def list_sessions(runs: Iterable[Run]) -> list[Held]:
    """The newest first."""
    by_session: dict[tuple[str, str], list[Run]] = {}
    for run in by_time(runs):
        by_session.setdefault((run.session or run.id, label_device(run)), []).append(run)
    held = [
        Held(session=session, device=device, runs=tuple(entries)) for (session, device), entries in by_session.items()
    ]
    return sorted(held, key=lambda entry: entry.runs[-1].moment, reverse=True)


def render_lab_page(name: str, runs: list[Run]) -> str:
    """One HTML page without scripts; `name` is the store's."""
    seen, held = list_devices(runs), list_sessions(runs)
    shown = held[:MOST_SESSIONS]
    more = f", the newest {len(shown)} of {len(held)}" if len(held) > len(shown) else ""
    body = (
        f'<h1>Lab</h1><p>{escape(name)}: {len(runs)} runs. <a href="/report">Report with plots, pictures and trends</a></p>'
        f"<h2>Devices</h2>{_table(('device', 'what it is', 'last seen', 'state then', 'newest sessions'), [_device(s) for s in seen])}"
        f"{_list_changes(runs)}<h2>Sessions{more}</h2>"
        f"{_table(('session', 'device', 'protocol', 'started', 'runs', 'verdicts'), [_session(entry) for entry in shown])}"
    )
    return make_document(f"Lab: {name}", body, style=STYLE + VERDICTS)


def _list_changes(runs: list[Run]) -> str:
    newest = find_changes(runs)[:MOST_CHANGES]
    rows = [
        (escape(change.variant), change.way.words, escape(change.device), escape(change.words)) for change in newest
    ]
    return f"<h2>Changed for good</h2>{_table(('variant', 'way', 'device', 'change'), rows)}" if rows else ""


def render_session_page(held: Held) -> str:
    """One session on one device, run by run."""
    rows = [
        (
            escape(run.variant) + (" (baseline)" if run.baseline else ""),
            str(run.round or 0),
            text.format_moment(run.started_at),
            escape(text.format_headline(run, None) if run.metric == "instructions" else _median(run)),
            escape(text.describe_golden(run)),
            escape(run.verdict.words),
        )
        for run in held.runs
    ]
    title = f"Session {held.session[:12]}"
    body = (
        f"<h1>{escape(title)}</h1>"
        f'<p>{escape(held.device)}. <a href="/">Lab</a></p>{_table(("variant", "round", "started", "result", "golden", "verdict"), rows)}'
    )
    return make_document(title, body, style=STYLE)


def _median(run: Run) -> str:
    ordered = sorted(run.latency_ns)
    return text.format_milliseconds(ordered[len(ordered) // 2]) if ordered else text.DASH


def _device(seen: Seen) -> tuple[str, ...]:
    run = seen.last
    about = dict.fromkeys(part.value for part in (run.device.model, run.device.soc, run.device.os) if part.value)
    label = f" ({run.simulated})" if run.simulated else ""
    end = run.conditions_end
    state = [
        text.format_reading(end.temperature_c),
        f"battery {text.format_reading(end.battery_percent)}",
        text.format_text(end.charging),
    ]
    return (
        escape(label_device(run) + label),
        escape(", ".join(about)),
        text.format_moment(run.started_at),
        escape(", ".join(state)),
        _counts(seen.counts),
    )


def _session(held: Held) -> tuple[str, ...]:
    verdicts = [judge_session(group) for group in group_runs(held.runs)]
    counts: dict[str, int] = {}
    for verdict in verdicts:
        counts[verdict.grade] = counts.get(verdict.grade, 0) + 1
    first = held.runs[0]
    link = f'<a href="/session?id={escape(held.session, quote=True)}">{escape(held.session[:12])}</a>'
    return (
        link,
        escape(held.device),
        escape(first.protocol.name),
        text.format_moment(first.started_at),
        str(len(held.runs)),
        _counts(counts),
    )


def _counts(counts: dict[str, int]) -> str:
    return (
        ", ".join(f'<span class="{word}">{count} {word}</span>' for word, count in sorted(counts.items())) or text.DASH
    )


def _table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Cells are markup already."""
    head = "".join(f"<th>{name}" for name in headings)
    body = "".join(
        "<tr>" + "".join(f'<td title="{name}">{cell}' for name, cell in zip(headings, row, strict=True)) for row in rows
    )
    return f"<table><thead><tr>{head}</thead><tbody>{body}</tbody></table>"
