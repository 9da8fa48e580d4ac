"""Which build made a variant slower: found among many, told as a range where one cannot be decided, and never guessed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.analysis.bisection import bisect_builds
from harness.cli import main
from harness.errors import UsageError
from harness.records.run import GoldenResult, Run
from harness.records.store import open_store
from tests.harness.runs import make_counted_run, make_run, rounds

WRONG = GoldenResult(id="0", passed=False, psnr_db=9.0, max_abs_error=0.9, min_psnr_db=45.0)


def build(number: int, count: int, **changes: object) -> Run:
    return make_counted_run(
        count,
        id=f"build-{number}",
        session=f"s{number}",
        round=0,
        variant_sha256=f"{number:064x}",
        bundle_sha256=f"{number:064x}",
        started_at=f"2026-01-{number + 1:02d}T03:00:00Z",
        **changes,
    )


@pytest.mark.parametrize("slow_from", range(1, 9))
def test_the_first_slow_build_is_found_at_any_place(slow_from: int) -> None:
    """Of nine builds, in whatever order they came into the store."""
    runs = [build(number, 1000 if number < slow_from else 1200) for number in range(9)]
    for given in (runs, runs[::-1]):
        (found,) = bisect_builds(given, 0.05)
        assert (found.state, found.builds, found.between) == ("found", 9, 0)
        assert found.good is not None
        assert found.bad is not None
        assert (found.good.run.id, found.bad.run.id) == (f"build-{slow_from - 1}", f"build-{slow_from}")


def test_a_build_that_is_wrong_leaves_a_range() -> None:
    """What cannot be compared is not passed over: the answer says which builds it lies among, and why."""
    runs = [build(n, 1000 if n < 2 else 1200, **({"golden": WRONG} if n == 2 else {})) for n in range(5)]
    (found,) = bisect_builds(runs, 0.05)
    assert (found.state, found.between) == ("range", 3)
    assert "could not be decided" in found.why


def test_no_change_and_one_build() -> None:
    """Nothing became slower; and a store with one build of each variant has nothing to ask."""
    (found,) = bisect_builds([build(0, 1000), build(1, 1010)], 0.05)
    assert (found.state, found.good, found.bad) == ("no change", None, None)
    with pytest.raises(UsageError, match="no variant has runs of two builds"):
        bisect_builds([build(0, 1000), make_run()], 0.05)


def test_nights_that_cannot_be_told_apart_are_undecided() -> None:
    """One session of each build, of latencies: how sessions differ is not known, and no build is blamed."""
    runs = [
        run
        for number in range(3)
        for run in rounds(
            10 * number, session=f"s{number}", factor=1.0 + 0.1 * number, variant_sha256=f"{number:064x}",
            started_at=f"2026-01-{number + 1:02d}T03:00:00Z",
        )
    ]  # fmt: skip
    (found,) = bisect_builds(runs, 0.05)
    assert found.state == "undecided"
    assert "how sessions differ is not known" in found.why


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table, JSON, exit 0 where the build is known and 7 where it is not."""
    store = open_store(str(tmp_path / "runs.sqlite"), create=True)
    for number in range(4):
        store.append(build(number, 1000 if number < 2 else 1200))
    assert main(["bisect", str(tmp_path / "runs.sqlite")]) == 0
    assert f"{2:064x}"[:12] in capsys.readouterr().out
    assert main(["bisect", str(tmp_path / "runs.sqlite"), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["variants"]
    assert (row["answer"], row["bad"]["run"], row["good"]["run"]) == ("found", "build-2", "build-1")
    store.append(build(4, 1200, variant="other"))
    store.append(build(5, 1500, variant="other", golden=WRONG))
    store.close()
    assert main(["bisect", str(tmp_path / "runs.sqlite")]) == 7
    assert "measure these builds again" in capsys.readouterr().err
    assert main(["bisect", str(tmp_path / "runs.sqlite"), "--max-regression", "much"]) == 2
