"""`harness compare`: two stores, or the variants of one."""

from __future__ import annotations

import json
from pathlib import Path

from tests.harness.commands import Harness, stored
from tests.harness.runs import make_counted_run, make_run, rounds


def test_compare_of_one_store_is_between_its_variants(harness: Harness, tmp_path: Path) -> None:
    """Without NEW the variants of a device are held against the first, paired by round."""
    runs = [*rounds(0, variant="a"), *rounds(0, factor=1.05, variant="b", variant_sha256="c" * 64)]
    done = harness("compare", stored(tmp_path / "runs.sqlite", *runs))
    assert done.returncode == 0, done.stderr
    assert "b against a" in done.stdout
    assert "slower, 6 paired rounds" in done.stdout
    alone = harness("compare", stored(tmp_path / "alone.sqlite", make_run()))
    assert alone.returncode == 2
    assert "no device has runs of two variants" in alone.stderr


def test_compare_says_what_may_not_be_compared(harness: Harness, tmp_path: Path) -> None:
    """Runs of two devices are refused in the table, with exit 2 when nothing else is left."""
    base = stored(tmp_path / "base.sqlite", make_run())
    new = stored(tmp_path / "new.sqlite", make_run(threads=4))
    done = harness("compare", base, new)
    assert done.returncode == 2
    assert "different threads: 2 and 4" in done.stdout
    same = harness("compare", base, base, "--json")
    assert [entry["verdict"] for entry in json.loads(same.stdout)["comparisons"]] == ["no significant difference"]
    noisy = stored(tmp_path / "noisy.sqlite", make_run(verdict="unstable: noise"))
    done = harness("compare", base, noisy)
    assert done.returncode == 7
    assert "the run of NEW is unstable: noise" in done.stderr
    mixed = stored(tmp_path / "mixed.sqlite", make_run(threads=4), make_counted_run(10))
    counted = stored(tmp_path / "counted.sqlite", make_run(), make_counted_run(9))
    done = harness("compare", counted, mixed)
    assert done.returncode == 0
    assert "more instructions" in done.stdout
    assert "counts only, no hardware" in done.stdout
