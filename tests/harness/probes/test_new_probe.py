"""A new probe is one file and one line: this file is such a probe, and a phone's state, its samples and reports have it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness import probes
from harness.devices import open_device
from harness.probes import list_probes
from harness.probes.names import sample_names
from harness.probes.numbers import parse_bounded
from harness.probes.probe import Probe
from harness.records.pictures import Picture
from harness.records.run import Reading, Run, TextReading
from harness.report.cards import make_card
from harness.report.model import load_report
from harness.report.view import Gallery
from harness.session.measurement import make_samples
from tests.emulated_phone import PIXEL, AdbServer, EmulatedPhone
from tests.harness.runs import make_run


def tasks(text: str) -> Reading:
    """Programs that exist, from /proc/loadavg."""
    return parse_bounded(
        text.strip().rpartition("/")[2].partition(" ")[0], unit="programs", what="/proc/loadavg", low=0, high=1e6
    )


def dreams(text: str) -> TextReading:
    return TextReading(value="yes" if "Dreaming" in text else "no")


PROBES = (
    Probe(name="tasks", title="programs there", meaning="programs that exist", unit="programs", shell="cat /proc/loadavg", read=tasks),
    Probe(name="dreams", title="screen saver", meaning="whether it dreams", unit=None, shell="dumpsys power", read=dreams),
)  # fmt: skip


class OneRun:
    """A store of one run."""

    name = "one"

    def __init__(self, run: Run) -> None:
        self._run = run

    def runs(self) -> list[Run]:
        return [self._run]

    def manifest(self, bundle_sha256: str) -> None:
        return None

    def pictures(self, run_id: str) -> tuple[Picture, ...]:
        return ()


def test_a_new_probe_is_read_kept_and_shown(
    adb_environment: AdbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its one line in MODULES a phone's shell is asked, the record keeps the answer, samples and reports show it."""
    before = len(list_probes())
    monkeypatch.setattr(probes, "MODULES", [*probes.MODULES, __name__])
    assert len(list_probes()) == before + 2
    with EmulatedPhone(tmp_path / "phone", PIXEL) as phone:
        adb_environment.connect(phone.address)
        with open_device(f"android:{phone.address}") as device:
            state = device.conditions()
        adb_environment.disconnect(phone.address)
    assert state.screen is not None
    assert state.screen.value == "on"
    assert state.probes == {"tasks": Reading(value=1830, unit="programs"), "dreams": TextReading(value="no")}
    assert [(s.probe, s.value) for s in make_samples(state, 1.0)][-1] == ("tasks", 1830)
    run = make_run(conditions_start=state, conditions_end=state)
    assert Run.model_validate(json.loads(run.to_json())) == run
    (entry,) = load_report(OneRun(run)).entries  # type: ignore[arg-type]
    rows = {row.name: row.start.value for row in make_card(entry, "a", Gallery()).conditions}
    assert (rows["programs there"], rows["screen saver"]) == ("1830 programs", "no")
    assert sample_names()["tasks"] == ("programs", "programs that exist")


def test_every_probe_has_a_name_of_its_own() -> None:
    """No two share a name or a field, and each field is one of a state."""
    named = [probe.name for probe in list_probes()]
    assert len(named) == len(set(named))
    state = make_run().conditions_start
    fields = [probe.field for probe in list_probes() if probe.field is not None]
    assert len(fields) == len(set(fields))
    assert [field for field in fields if not hasattr(state, field)] == []
