"""What a verdict is: a grade, a code, and the facts behind it. The words are made here, when it is shown.

Kotlin (`core/Verdict.kt`) and Swift (`Verdict.swift`) judge by the same rule and say the same words for what an app can see;
`docs/formats/vectors/verdicts.json` holds them together.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

Grade = Literal["ok", "unstable", "invalid"]
Fact = float | str

STATUS_NAMES = ("NONE", "LIGHT", "MODERATE", "SEVERE", "CRITICAL", "EMERGENCY", "SHUTDOWN")  # android.os.PowerManager

# Every code with its grade and its words; the names in braces are those of the details. docs/verdicts.md explains each.
CODES: dict[str, tuple[Grade, str]] = {
    "ok": ("ok", ""),
    "golden_failed": ("invalid", "golden {golden} reached {psnr_db:.1f} dB, the bundle asks for {min_psnr_db:.1f} dB"),
    "not_finite": ("invalid", "the output for golden {golden} holds values that are not finite"),
    "other_delegate": ("invalid", "{executed} executed it, {requested} was asked for"),
    "hidden": ("invalid", "the app was not in the foreground all the time"),
    "no_latencies": ("invalid", "no latencies came from the device"),
    "throttled": ("invalid", "throttled: the device told thermal status {status:.0f} ({status_name})"),
    "clocks_changed": (
        "invalid",
        "clocks changed: their limits went from {before_mhz:.0f} to {after_mhz:.0f} MHz on average",
    ),
    "drifted": ("invalid", "not stationary: the latency drifted by {drift:+.0%} of its median over the run"),
    "changed_level": ("invalid", "not stationary: the latency changed by {change:+.0%} at sample {sample:.0f}"),
    "changed_levels": (
        "invalid",
        "not stationary: the latency changed {times:.0f} times, by {change:.0%} in all, first at sample {sample:.0f}",
    ),
    "unchecked": ("unstable", "the output was not checked ({reason})"),
    "delegate_unknown": ("unstable", "which delegate executed is unknown ({reason})"),
    "screen_off": (
        "unstable",
        "the screen went off while it was measured, which changes how its programs are scheduled",
    ),
    "others_load": (
        "unstable",
        "other programs used {percent:.0f} % of the processors while it was measured (limit {limit:.0f} %)",
    ),
    "varies": ("unstable", "the warm latencies vary by {part:.0%} of their median (limit {limit:.0%})"),
    "uncertain": ("unstable", "the 95 % interval reaches {part:.0%} from the median (limit {limit:.0%})"),
}
NOT_STATIONARY = ("drifted", "changed_level", "changed_levels")
# What makes a run invalid though its output is right: the measurement is no measurement of the variant.
DISTURBED = ("no_latencies", "throttled", "clocks_changed", *NOT_STATIONARY)

# How the sentences of schema 1 began, and the codes of today.
_OLD = (
    ("golden ", "golden_failed"),
    ("the app was not in the foreground", "hidden"),
    ("no latencies", "no_latencies"),
    ("throttled", "throttled"),
    ("the thermal status rose", "throttled"),
    ("clocks changed", "clocks_changed"),
    ("not stationary: the latency drifted", "drifted"),
    ("not stationary", "changed_level"),
    ("the output was not checked", "unchecked"),
    ("which delegate executed", "delegate_unknown"),
    ("the screen went off", "screen_off"),
    ("other programs used", "others_load"),
    ("the warm latencies vary", "varies"),
    ("the 95 % interval", "uncertain"),
)


class Verdict(BaseModel):
    """What a run is worth: `ok`, `unstable` (measured, but not good enough) or `invalid` (must not be used), and why.

    `code` is one of CODES; `detail` holds its facts by name. A verdict of a record of schema 1 has its sentence as `said`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    grade: Grade
    code: str
    detail: dict[str, Fact] = {}

    @model_validator(mode="after")
    def _can_be_told(self) -> Self:
        if (self.grade == "ok") != (self.code == "ok"):
            raise ValueError(f"the grade {self.grade} does not go with the code {self.code}")
        try:
            _ = self.why
        except (KeyError, ValueError) as error:
            raise ValueError(f"the detail of {self.code} lacks or mistakes a fact ({error})") from error
        return self

    @classmethod
    def of(cls, code: str, **detail: Fact) -> Verdict:
        """The verdict of a known code."""
        return cls(grade=CODES[code][0], code=code, detail=detail)

    @property
    def words(self) -> str:
        """`ok`, or the grade with what speaks against the run."""
        return f"{self.grade}: {self.why}" if self.why else self.grade

    @property
    def why(self) -> str:
        """What speaks against the run, nothing where it is ok; a code that is not known here is shown as it is."""
        if "said" in self.detail or self.code not in CODES:
            return str(self.detail.get("said", self.code))
        facts = dict(self.detail)
        if isinstance(status := facts.get("status"), float | int):
            facts["status_name"] = STATUS_NAMES[min(int(status), len(STATUS_NAMES) - 1)]
        return CODES[self.code][1].format(**facts)


def parse_verdict(text: str) -> Verdict:
    """The verdict that a record of schema 1 has as a sentence; anything unknown counts as invalid."""
    word, _, rest = (part.strip() for part in text.partition(":"))
    if word == "ok":
        return Verdict.of("ok")
    grade: Grade = "unstable" if word == "unstable" else "invalid"
    known = (code for beginning, code in _OLD if rest.startswith(beginning))
    code = next(
        known, "other_delegate" if " executed it, " in rest else "not_finite" if "not finite" in rest else "other"
    )
    return Verdict(grade=grade, code=code, detail={"said": rest or text})
