"""The names of probes."""

from __future__ import annotations

from harness.probes.names import ANDROID_APP, IOS_APP, sample_names
from scripts.vectors.files import Case

ABOUT = "Names of probes in a run record's samples, with their units. The lists `android` and `ios` are what the apps read beside a measurement; the harness may read all."


def make_cases() -> list[Case]:
    return [
        {"probe": name, "unit": unit, "meaning": meaning, "android": name in ANDROID_APP, "ios": name in IOS_APP}
        for name, (unit, meaning) in sample_names().items()
    ]
