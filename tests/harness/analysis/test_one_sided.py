"""A variant that one side of a comparison alone has is told, and a gate does not pass one that was lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builder.bundle import Bundle
from harness.analysis.comparison import compare_builds
from harness.analysis.one_sided import find_one_sided_builds, find_one_sided_runs
from harness.cli import main
from harness.records.run import Run
from harness.records.store import open_store
from harness.session.order import list_contenders
from tests.harness.runs import device, make_counted_run, make_run


def stored(path: Path, *runs: Run) -> str:
    store = open_store(str(path), create=True)
    for number, run in enumerate(runs):
        store.append(run.model_copy(update={"id": f"{path.stem}-{number}"}))
    store.close()
    return str(path)


def counted(variant: str, count: int = 1000, **changes: Any) -> Run:
    return make_counted_run(count, variant=variant, **changes)


def test_a_lost_variant_does_not_pass_the_gate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What BASE measured and NEW did not is exit 7 with its name; what is new in NEW is told and passes."""
    base = stored(tmp_path / "base.sqlite", counted("kept"), counted("lost"))
    new = stored(tmp_path / "new.sqlite", counted("kept"), counted("added"))
    words = ["check", new, "--baseline", base, "--max-regression", "3%"]
    assert main(words) == 7
    said = capsys.readouterr()
    assert "the first, lost on arm64:cortex-a76: it was removed, got another name" in said.err
    assert "only BASE has it" in said.out
    assert "only NEW has it" in said.out
    assert main([*words, "--json"]) == 7
    told = {(one["variant"], one["side"]) for one in json.loads(capsys.readouterr().out)["one_sided"]}
    assert told == {("lost", "base"), ("added", "new")}
    again = stored(tmp_path / "again.sqlite", counted("kept"), counted("added"), counted("lost"))
    assert main(["check", again, "--baseline", base, "--max-regression", "3%"]) == 0


@pytest.mark.parametrize("form", ["markdown", "html", "junit"])
def test_every_form_tells_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    """`compare` has no gate, so its exit code is 0, but each form of it has a line for what is on one side only."""
    base = stored(tmp_path / "base.sqlite", counted("kept"), counted("lost"))
    new = stored(tmp_path / "new.sqlite", counted("kept"))
    assert main(["compare", base, new, "--format", form]) == 0
    assert "only BASE has it" in capsys.readouterr().out
    assert main(["compare", base, new, "--json"]) == 0
    assert [one["variant"] for one in json.loads(capsys.readouterr().out)["one_sided"]] == ["lost"]


def test_a_variant_that_one_phone_lost_is_lost() -> None:
    """The same variant on another phone does not stand for it."""
    phones = [device("android", "A"), device("android", "B")]
    base = [make_run(device=phone, mode="shell") for phone in phones]
    alone = find_one_sided_runs(base, base[:1])
    assert [(one.device, one.side) for one in alone] == [("android:B", "base")]


def test_what_was_given_up_long_ago_is_no_news() -> None:
    """Of BASE the newest bundle is asked for, and models that NEW does not measure are not."""
    old = counted("retired", bundle_sha256="0" * 64, started_at="2025-01-01T00:00:00Z")
    other = counted("other", model_name="another model")
    assert find_one_sided_runs([old, other, counted("kept")], [counted("kept")]) == ()


def test_a_build_that_lost_a_variant_in_one_session() -> None:
    """Of two builds measured in turns the older one's variant is told; a session before it does not count."""
    older = [counted(name, baseline=True, session="s") for name in ("kept", "lost")]
    newer = [counted(name, session="s") for name in ("kept", "added")]
    before = counted("long gone", baseline=True, session="r", started_at="2025-01-01T00:00:00Z")
    runs = [before, *older, *newer]
    assert [entry.variant for entry in compare_builds(runs)] == ["kept"]
    assert [(one.variant, one.side) for one in find_one_sided_builds(runs)] == [("lost", "base"), ("added", "new")]


def test_two_builds_in_turns_measure_what_the_new_one_lost(unopened_bundle: Path) -> None:
    """So that the records show it; not where variants were asked for by name."""
    old = Bundle.open(unopened_bundle)
    new = Bundle(old.root, old.manifest.model_copy(update={"variants": old.manifest.variants[1:]}))
    names = [entry.name for entry in list_contenders(new, old)]
    assert "tflite-fp32 (baseline)" in names
    assert "tflite-fp32" not in names
    assert [entry.variant.id for entry in list_contenders(new, old, ["executorch-fp32"])] == ["executorch-fp32"] * 2
