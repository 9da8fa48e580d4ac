"""What a session says of a variant on a device: all its runs together, never one round alone.

Every command that judges (check, rank, report, compare, parity) asks here, so that none of them passes what another one fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from harness.analysis.grouping import Group, group_runs
from harness.analysis.verdict import choose_exit_code, find_throttling_status, judge
from harness.errors import MeasurementError, VerificationError
from harness.protocol import PROTOCOLS
from harness.records.run import Run
from harness.records.tolerated import Tolerated
from harness.records.verdict import Grade

Fault = Literal["wrong", "throttled", "poor"]
FAULTS: tuple[Fault, ...] = ("wrong", "throttled", "poor")  # the worst first
# A share times a count may miss a whole number by the last bits of a float.
ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class SessionVerdict:
    """`why` says what speaks against it, or what was tolerated. `good` are the runs that figures are made of; `decides` is the run to look at first: the last of
    the fault that decided, else the last good one. `counts` has every fault that occurred, the tolerated ones too."""

    group: Group
    runs: tuple[Run, ...]
    good: tuple[Run, ...]
    decides: Run
    grade: Grade
    exit_code: int
    why: str
    counts: dict[Fault, int]

    @property
    def text(self) -> str:
        """The grade, and why."""
        return f"{self.grade}: {self.why}" if self.why else self.grade


def judge_sessions(runs: Iterable[Run]) -> list[SessionVerdict]:
    """Of each variant on each device, its newest session; in the order in which variant and device first appeared."""
    return [judge_session(group) for group in group_runs(runs)]


def judge_session(group: Group) -> SessionVerdict:
    """The verdict of the newest session of a group. A record that says it is ok is judged anew: others can write files too. The first fault with more runs than its protocol tolerates decides."""
    runs = tuple(judge(run) if run.verdict.grade == "ok" else run for run in find_newest_session(group))
    faults = [(run, find_fault(run)) for run in runs]
    bad: dict[Fault, list[Run]] = {fault: [run for run, found in faults if found == fault] for fault in FAULTS}
    good = tuple(run for run, found in faults if found is None)
    counts = {fault: len(found) for fault, found in bad.items() if found}
    for fault in FAULTS:
        share: float = min(getattr(_find_tolerated(run), fault) for run in runs)
        if len(bad[fault]) > share * len(runs) + ROUNDING:
            return _decide(group, runs, good, bad[fault], counts)
    left_out = [run for found in bad.values() for run in found]
    wanted = runs[-1].protocol.rounds
    measured = len({run.id if run.round is None else run.round for run in runs})
    missing = 0 if wanted is None or runs[-1].session is None else wanted - measured
    mixed = _explain_mixed(runs)
    if mixed is not None or missing > 0 or not good:
        why = mixed or f"{measured} of {wanted} rounds were measured; go on with 'harness run --resume'"
        if mixed is None and missing <= 0:
            why = f"none of {len(runs)} rounds is good ({left_out[-1].verdict.words})"
        return SessionVerdict(
            group=group,
            runs=runs,
            good=good,
            decides=runs[-1],
            grade="unstable",
            exit_code=MeasurementError.exit_code,
            why=why,
            counts=counts,
        )
    why = ""
    if left_out:
        why = f"without {len(left_out)} of {len(runs)} rounds, which the protocol tolerates ({left_out[-1].verdict.words})"
    return SessionVerdict(
        group=group, runs=runs, good=good, decides=good[-1], grade="ok", exit_code=0, why=why, counts=counts
    )


def find_newest_session(group: Group) -> tuple[Run, ...]:
    """Its runs; a record without a session is one of its own."""
    session = group.last.session
    return tuple(run for run in group.runs if run.session == session) if session is not None else (group.last,)


def _find_tolerated(run: Run) -> Tolerated:
    """What a run's protocol tolerates: of one that the harness brings, what it says here, whatever the record says of it."""
    own = PROTOCOLS.get(run.protocol.name)
    return own.tolerated if own is not None else run.protocol.tolerated or Tolerated()


def _explain_mixed(runs: tuple[Run, ...]) -> str | None:
    """Why runs of one session are not one measurement, or None."""
    facts: tuple[tuple[str, Callable[[Run], object]], ...] = (
        ("protocols", lambda run: run.protocol.name),
        ("contents of one protocol", lambda run: (run.protocol.sha256 or "")[:12]),
        ("durations", lambda run: run.protocol.duration_s),
        ("files of it", lambda run: run.variant_sha256[:12]),
        ("metrics", lambda run: run.metric),
        ("delegates asked for", lambda run: run.delegate_requested),
        ("runtimes", lambda run: f"{run.runtime} {run.runtime_version}"),
    )
    for what, fact in facts:
        told = list(dict.fromkeys(str(fact(run)) for run in runs))
        if len(told) > 1:
            return f"one session holds different {what}: {', '.join(told)}; measure it again"
    return None


def find_fault(run: Run) -> Fault | None:
    """What is wrong with one run, or None for a good one."""
    code = choose_exit_code(run.verdict)
    if code == 0:
        return None
    if code == VerificationError.exit_code:
        return "wrong"
    return "throttled" if find_throttling_status(run) and not run.protocol.sustained else "poor"


def _decide(
    group: Group, runs: tuple[Run, ...], good: tuple[Run, ...], bad: list[Run], counts: dict[Fault, int]
) -> SessionVerdict:
    """By this fault: its last run is the one to look at, the worst of its grades is the session's."""
    grades = [run.verdict.grade for run in bad]
    word: Grade = "invalid" if "invalid" in grades else "unstable"
    last = [run for run, found in zip(bad, grades, strict=True) if found == word][-1]
    why = last.verdict.why if len(runs) == 1 else f"in {len(bad)} of {len(runs)} rounds: {last.verdict.why}"
    return SessionVerdict(
        group=group,
        runs=runs,
        good=good,
        decides=last,
        grade=word,
        exit_code=choose_exit_code(last.verdict),
        why=why,
        counts=counts,
    )
