"""Does shell mode tell what users of the app get? Both modes of one phone, held against one another variant by variant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from harness.analysis.comparison import explain_incomparable
from harness.analysis.grouping import Group, group_runs
from harness.analysis.session_verdict import judge_session
from harness.errors import MeasurementError, UsageError, VerificationError
from harness.records.run import Run
from harness.statistics import Ratio, estimate_ratio_of_rounds, estimate_ratio_of_runs

# The kernels are the same; allocator, threads and the scheduler's favour are not: what is left of them on a phone held still is below this.
BOUND = 0.10
# what differs between the modes by their nature; a difference that it makes is a result, and is told
BY_MODE = frozenset({"device", "mode", "runtime"})

Outcome = Literal["parity", "outputs differ", "latency differs", "not precise enough", "not comparable"]
EXIT_CODES: dict[Outcome, int] = {
    "parity": 0,
    "outputs differ": VerificationError.exit_code,
    "latency differs": MeasurementError.exit_code,
    "not precise enough": MeasurementError.exit_code,
    "not comparable": MeasurementError.exit_code,
}


@dataclass(frozen=True, kw_only=True)
class Parity:
    """One variant on one phone: the last measurement of each mode. `ratio` is the app's latency over the shell's, where they may be
    compared; `causes` is what usually makes such a difference, the likeliest first."""

    variant: str
    phone: str
    app: Run
    shell: Run
    outcome: Outcome
    why: str
    ratio: Ratio | None = None
    causes: tuple[str, ...] = ()


def compare_modes(runs: Iterable[Run]) -> tuple[Parity, ...]:
    """Every variant that a phone measured in both modes, lasting load apart. Raises UsageError when there is none."""
    sides: dict[tuple[str, str], dict[str, list[Group]]] = {}
    for group in group_runs(runs):
        if group.last.mode in ("app", "shell") and not group.sustained:
            sides.setdefault((group.variant, group.device[1]), {}).setdefault(group.last.mode, []).append(group)
    parities = tuple(
        _parity(next((shell for shell in side["shell"] if shell.way == app.way), side["shell"][0]), app)
        for side in sides.values()
        if len(side) == 2
        for app in side["app"]
    )
    if not parities:
        raise UsageError(
            "no phone measured a variant in both modes; measure with 'harness run BUNDLE -d android:SERIAL -d android-app:SERIAL'."
        )
    return parities


def _parity(shell: Group, app: Group) -> Parity:
    good = [[run for run in group.runs if run.verdict.grade == "ok"] for group in (shell, app)]
    last = [kept[-1] if kept else group.last for kept, group in zip(good, (shell, app), strict=True)]

    def tell(outcome: Outcome, why: str, ratio: Ratio | None = None, causes: tuple[str, ...] = ()) -> Parity:
        return Parity(
            variant=app.variant,
            phone=app.last.device.id,
            app=last[1],
            shell=last[0],
            outcome=outcome,
            why=why,
            ratio=ratio,
            causes=causes,
        )

    if last[0].variant_sha256 != last[1].variant_sha256:
        return tell("not comparable", "the two modes measured different files of it; measure both again")
    wrong = [run for group in (shell, app) for run in group.runs if run.golden is not None and not run.golden.passed]
    if wrong:
        return tell("outputs differ", _outputs(wrong[-1], shell if wrong[-1].mode == "app" else app))
    for group in (shell, app):
        verdict = judge_session(group)
        if verdict.exit_code:
            what = "run" if len(verdict.runs) == 1 else "session"
            return tell("not comparable", f"the {what} in {group.last.mode} mode is {verdict.text}")
    for run in [*good[0][:-1], *good[1]]:
        if (reason := explain_incomparable(last[0], run, apart_from=BY_MODE)) is not None:
            return tell("not comparable", reason)
    before, after = (
        [run.latency_ns for run in kept] for kept in good
    )  # a session measures one mode after the other: no pairs
    ratio = (
        estimate_ratio_of_runs(before[0], after[0])
        if len(before) == len(after) == 1
        else estimate_ratio_of_rounds(before, after)
    )
    outcome, why = _latency(ratio)
    return tell(outcome, why, ratio, _causes(last[0], last[1], ratio) if outcome == "latency differs" else ())


def _outputs(wrong: Run, other: Group) -> str:
    assert wrong.golden is not None  # it is one of those that missed it
    right = other.last.golden
    beside = f"{right.psnr_db:.1f} dB" if right is not None else f"not checked ({other.last.golden_reason})"
    return (
        f"the golden was missed in {wrong.mode} mode: {wrong.golden.psnr_db:.1f} dB of {wrong.golden.min_psnr_db:.1f} dB; in "
        f"{other.last.mode} mode: {beside}"
    )


def _latency(ratio: Ratio) -> tuple[Outcome, str]:
    """By the interval: parity where all of it lies within the bound, a difference where none of it does."""
    span = f"the app takes {ratio.value - 1:+.1%} ({ratio.low - 1:+.1%} to {ratio.high - 1:+.1%})"
    if ratio.basis == "one run":
        return (
            "not precise enough",
            f"{span} from one run a mode, which does not tell how runs differ; measure several rounds",
        )
    if ratio.low >= 1 / (1 + BOUND) and ratio.high <= 1 + BOUND:
        return "parity", span
    if ratio.low > 1 + BOUND or ratio.high < 1 / (1 + BOUND):
        return "latency differs", f"{span}, more than {BOUND:.0%}"
    return "not precise enough", f"{span} cannot tell parity within {BOUND:.0%} from a difference; measure more rounds"


def _causes(shell: Run, app: Run, ratio: Ratio) -> tuple[str, ...]:
    """What the records show first, then what cannot be seen in them."""
    causes = []
    versions = [f"{run.runtime} {run.runtime_version}" for run in (app, shell)]
    if versions[0] != versions[1]:
        causes.append(f"another version of the runtime: {versions[0]} in the app, {versions[1]} in the shell")
    if not any(pin.value for run in (app, shell) for pin in run.conditions_start.pins):
        causes.append("clocks that were not held still: the protocol 'standard' holds them where the phone lets it")
    if ratio.value > 1:
        causes.append("a screen that dims or an app behind the lock screen, which the system puts on the small cores")
    else:
        causes.append(
            "the system's favour for the app in front: it gets the big cores and higher clocks, a shell does not"
        )
    causes.append("memory: the shell runner has glibc's allocator, the app Android's")
    return tuple(causes)
