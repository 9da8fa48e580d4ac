"""Sessions as a level of their own: how much the nights of one device differ, from all that its store has of them."""

from __future__ import annotations

from collections.abc import Iterable

from harness.analysis.grouping import Group
from harness.records.run import Run
from harness.records.way import Way
from harness.statistics import Ratio, estimate_ratio_of_sessions

Rounds = list[tuple[int, ...]]  # the latencies of each good round of a session
Place = tuple[str, str, str, str, Way, str]  # kind and id of the device, mode, protocol, way, variant
Nights = dict[Place, dict[str, dict[str, Rounds]]]  # of each place: artifact -> session -> rounds


def collect_nights(runs: Iterable[Run]) -> Nights:
    """Good rounds of latencies by device, protocol, variant, artifact and session."""
    by_night: Nights = {}
    for run in runs:
        if run.metric == "latency" and not run.protocol.sustained and run.latency_ns and run.verdict.grade == "ok":
            sessions = by_night.setdefault(_place(run), {}).setdefault(run.variant_sha256, {})
            sessions.setdefault(run.session or run.id, []).append(run.latency_ns)
    return by_night


def estimate_ratio_of_groups(base: Group, new: Group, history: Nights) -> Ratio:
    """The sessions of two files against one another; what other files of the variant (else of another one of the device, whose sessions
    are the most) tell of how sessions differ helps."""
    sides = [_sessions(group) for group in (base, new)]
    own = {base.last.variant_sha256, new.last.variant_sha256}
    place = _place(new.last)
    files = {sha: sessions for sha, sessions in history.get(place, {}).items() if sha not in own}
    others = [list(sessions.values()) for sessions in files.values()]
    ratio = estimate_ratio_of_sessions(sides[0], sides[1], others)
    if ratio.basis == "sessions":
        return ratio
    references = [
        [list(sessions.values()) for sha, sessions in found.items() if sha not in own]
        for other, found in history.items()
        if other[:-1] == place[:-1] and other != place
    ]
    best = max(references, key=lambda files: sum(len(file) - 1 for file in files), default=[])
    return estimate_ratio_of_sessions(sides[0], sides[1], best) if best else ratio


def _sessions(group: Group) -> list[Rounds]:
    good = [[run.latency_ns for run in session if run.verdict.grade == "ok"] for session in group.sessions]
    return [rounds for rounds in good if rounds]


def _place(run: Run) -> Place:
    return run.device.kind, run.device.id, run.mode, run.protocol.name, run.way, run.variant
