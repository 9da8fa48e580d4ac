"""`builder search` through the command line: real exports of a small network, kept, resumed, and judged as measured."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from builder.bundle import Bundle
from builder.plan_search.cost import INSTRUCTIONS
from builder.plan_search.goal import Goal, Measures
from builder.plan_search.result import SearchResult
from builder.plan_search.space import Choice, make_space
from builder.plan_search.strategy import Search
from builder.plan_search.trials import Exporter
from builder.project.config import VariantSection
from builder.project.project import Project, open_project
from builder.steps.listener import Silent
from builder.steps.source import export_source
from builder.workers.messages import AnyJob, VariantJob
from builder.workers.supervisor import run_job
from tests.builder.processes import find_workers
from tests.builder.projects import make_project

LIMIT_S = 600.0
CHOICES = ("fp16", "dynamic_wi8_afp32", "static_wi8_ai8")


def searched(folder: Path, budgets: str) -> Path:
    """The small project with one searched variant in place of its own."""
    make_project(folder)
    set_budgets(folder, budgets)
    return folder


def set_budgets(folder: Path, budgets: str) -> None:
    head = (folder / "builder.toml").read_text(encoding="utf-8").split("[[variant]]")[0]
    variant = f'[[variant]]\nbackend = "tflite"\ndelegate = "xnnpack"\nid = "found"\n[variant.search]\n{budgets}\n'
    (folder / "builder.toml").write_text(head + variant, encoding="utf-8")


def builder(cache: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "builder", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "EDGEBUNDLE_CACHE": str(cache)},
        check=False,
    )


@pytest.fixture(scope="module")
def cache(shared_cache: Path) -> Path:
    return shared_cache


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    budgets = 'objective = "psnr"\nmax_bytes = "3.3 KB"\nmax_trials = 16'
    return searched(tmp_path_factory.mktemp("searched") / "project", budgets)


@pytest.fixture(scope="module")
def found(cache: Path, project: Path) -> SearchResult:
    """The result as data; the files lie beside the project."""
    done = builder(cache, "search", project, "-o", project.parent / "plan.toml", "--json")
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)["searches"]
    return SearchResult.model_validate(result)


def test_the_plan_meets_its_budgets_and_no_trial_that_does_is_better(found: SearchResult) -> None:
    """The chosen trial is within the bytes, and the best in PSNR of all that are, stock recipes included."""
    assert found.chosen is not None
    best = found.measures(found.chosen)
    assert best.bytes <= 3300
    held = found.coverage or 0.0
    measured = [t.measures for t in found.trials if t.measures is not None]
    within = [m.psnr_db for m in measured if m.bytes <= 3300 and (m.delegated or 1) >= held]
    assert best.psnr_db == max(within)
    assert {"every layer fp32", "every layer dynamic_wi8_afp32"} <= {t.what for t in found.trials}
    assert found.chosen in found.curve
    assert {name for damage in found.damage for name in damage.layers} == {"head", "dw", "pw", "tail"}


def test_the_found_plan_by_hand_gives_the_very_file_that_was_measured(
    found: SearchResult, project: Path, tmp_path: Path
) -> None:
    """A cold conversion elsewhere with plan.toml has the bytes and the quality of the trial, and the schemes it says."""
    by_hand = tmp_path / "project"
    shutil.copytree(project, by_hand)
    shutil.copyfile(project.parent / "plan.toml", by_hand / "plan.toml")
    head = (by_hand / "builder.toml").read_text().split("[[variant]]")[0]
    (by_hand / "builder.toml").write_text(
        head + '[[variant]]\nbackend = "tflite"\ndelegate = "xnnpack"\nplan = "plan.toml"\n'
    )
    done = builder(tmp_path / "cache", "convert", by_hand, "-o", tmp_path / "bundle")
    assert done.returncode == 0, done.stderr
    (variant,) = Bundle.open(tmp_path / "bundle").manifest.variants
    assert found.chosen is not None
    best = found.measures(found.chosen)
    assert (variant.bytes, variant.quality.psnr_db_worst) == (best.bytes, best.psnr_db)
    assert tuple(layer.realised for layer in variant.layers) == found.trial(found.chosen).schemes


def test_a_second_search_and_a_conversion_only_read_the_result(
    cache: Path, found: SearchResult, project: Path, tmp_path: Path
) -> None:
    """Equal inputs give the same files without a single export; `convert` makes the searched variant from them."""
    before = sorted((cache / "variant").iterdir())
    done = builder(cache, "search", project, "-o", tmp_path / "plan.toml")
    assert done.returncode == 0, done.stderr
    assert "unchanged" in done.stderr
    for suffix in (".toml", ".json", ".html"):
        first = (project.parent / "plan.toml").with_suffix(suffix).read_bytes()
        assert (tmp_path / "plan.toml").with_suffix(suffix).read_bytes() == first
    done = builder(cache, "convert", project, "-o", tmp_path / "bundle")
    assert done.returncode == 0, done.stderr
    assert sorted((cache / "variant").iterdir()) == before
    (variant,) = Bundle.open(tmp_path / "bundle").manifest.variants
    assert variant.id == "found"
    assert found.chosen is not None
    assert variant.bytes == found.measures(found.chosen).bytes


def test_the_page_stands_alone_with_a_plot_and_pictures(found: SearchResult, project: Path) -> None:
    """No address outside the file, one dot a trial, the pictures embedded, and every trial in the table."""
    text = (project.parent / "plan.html").read_text(encoding="utf-8")
    assert "://" not in text
    assert text.count("<g><title>") == len([t for t in found.trials if t.measures is not None])
    assert "a stock recipe" in text
    assert text.count('stroke-dasharray="5 3"/>') == 2  # the budget, and its place in the legend
    assert text.count("data:image/png;base64,") >= 3
    assert "the source model" in text


def test_budgets_that_no_plan_meets_are_exit_5_with_the_nearest_on_each_side(
    cache: Path, found: SearchResult, project: Path, tmp_path: Path
) -> None:
    """The sentence names the budgets and both neighbours; data and page are written, a plan is not."""
    folder = tmp_path / "project"
    shutil.copytree(project, folder)
    set_budgets(folder, 'objective = "bytes"\nmin_psnr_db = 100\nmax_bytes = 3200\nmax_trials = 10')
    done = builder(cache, "search", folder, "-o", tmp_path / "plan.toml")
    assert done.returncode == 5, done.stderr
    assert "min_psnr_db = 100" in done.stderr
    assert "small enough is trial" in done.stderr
    assert "good enough is trial" in done.stderr
    assert sorted(p.name for p in tmp_path.glob("plan.*")) == ["plan.html", "plan.json"]
    kept = SearchResult.model_validate_json((tmp_path / "plan.json").read_text())
    assert kept.nearest_small is not None
    assert kept.nearest_good is not None
    assert kept.measures(kept.nearest_small).bytes <= 3200
    assert kept.measures(kept.nearest_good).psnr_db >= 100
    done = builder(cache, "convert", folder, "-o", tmp_path / "bundle")
    assert done.returncode == 5, done.stderr
    assert not (tmp_path / "bundle").exists()


def test_a_plan_written_by_hand_is_not_overwritten(cache: Path, project: Path, tmp_path: Path) -> None:
    """A file that a search did not write is refused before anything runs."""
    (tmp_path / "plan.toml").write_text("# mine\n")
    done = builder(cache, "search", project, "-o", tmp_path / "plan.toml")
    assert done.returncode == 2
    assert "was not written by a search" in done.stderr
    assert (tmp_path / "plan.toml").read_text() == "# mine\n"


def test_cost_is_counted_on_arm64_and_kept_within_its_budget(cache: Path, project: Path, tmp_path: Path) -> None:
    """With max_cost every plan that is judged was executed by the arm64 runtime; fp32 costs 1."""
    folder = tmp_path / "project"
    shutil.copytree(project, folder)
    set_budgets(folder, 'objective = "psnr"\nmax_cost = 0.97\nschemes = ["fp32", "static_wi8_ai8"]\nmax_trials = 10')
    done = builder(cache, "search", folder, "--json")
    assert done.returncode == 0, done.stderr
    result = SearchResult.model_validate(json.loads(done.stdout)["searches"][0])
    assert result.cost == INSTRUCTIONS
    costs = {t.what: t.measures.cost for t in result.trials if t.measures is not None}
    assert costs["every layer fp32"] == 1.0
    assert result.chosen is not None
    chosen = result.measures(result.chosen)
    assert chosen.cost is not None
    assert chosen.cost <= 0.97


def test_latency_of_a_named_device_is_the_cost(cache: Path, project: Path, tmp_path: Path) -> None:
    """With `device` each plan that is judged took turns with fp32 on it, by `harness run`; a second search reads the figures."""
    folder = tmp_path / "project"
    shutil.copytree(project, folder)
    budgets = 'objective = "cost"\nmin_psnr_db = 20\nschemes = ["fp32", "static_wi8_ai8"]\nmax_trials = 10'
    set_budgets(folder, f'{budgets}\ndevice = "host"')
    done = builder(cache, "search", folder, "--json")
    assert done.returncode == 0, done.stderr
    result = SearchResult.model_validate(json.loads(done.stdout)["searches"][0])
    assert result.cost == "latency on host"
    assert result.chosen is not None
    cost = result.measures(result.chosen).cost
    assert cost is not None
    assert 0 < cost <= 1
    assert {t.measures.cost for t in result.trials if t.measures and t.what == "every layer fp32"} == {1.0}
    again = builder(cache, "search", folder, "--json")
    assert again.stdout == done.stdout


def test_where_nothing_can_be_counted_cost_is_weighted_macs(cache: Path, project: Path, tmp_path: Path) -> None:
    """Core ML: each trial has its cost, which says what it is and why; the smallest file that is good enough is found."""
    folder = tmp_path / "project"
    shutil.copytree(project, folder)
    budgets = 'objective = "bytes"\nmin_psnr_db = 70\nmax_cost = 1\nschemes = ["fp16", "weight_only_wi8_afp32"]\nmax_trials = 10'
    set_budgets(folder, budgets)
    config = folder / "builder.toml"
    config.write_text(config.read_text().replace('"tflite"', '"coreml"').replace('"xnnpack"', '"all"'))
    done = builder(cache, "search", folder, "--json")
    assert done.returncode == 0, done.stderr
    result = SearchResult.model_validate(json.loads(done.stdout)["searches"][0])
    assert result.cost == "MACs weighted by the width of their arithmetic (arm64 runs no coreml)"
    measured = [t.measures for t in result.trials if t.measures is not None]
    assert {m.cost for m in measured} == {1.0}
    assert result.chosen is not None
    assert result.measures(result.chosen).bytes == min(m.bytes for m in measured if m.psnr_db >= 70)


def test_a_device_that_is_not_there_is_refused_before_anything_is_exported(
    cache: Path, project: Path, tmp_path: Path
) -> None:
    """One sentence with what the harness lists; and a device without a budget of cost is a line to remove."""
    folder = tmp_path / "project"
    shutil.copytree(project, folder)
    set_budgets(folder, 'objective = "psnr"\nmax_cost = 0.9\ndevice = "phone"')
    done = builder(cache, "search", folder)
    assert done.returncode == 2
    assert "'phone', which cannot be measured on: 'harness devices' does not list it" in done.stderr
    set_budgets(folder, 'objective = "psnr"\nmax_bytes = 3300\ndevice = "host"')
    done = builder(cache, "search", folder)
    assert done.returncode == 2
    assert "set 'max_cost' or objective = 'cost'" in done.stderr


def test_an_interrupted_search_ends_at_once_and_the_next_one_goes_on(
    cache: Path, found: SearchResult, project: Path, tmp_path: Path
) -> None:
    """Ctrl-C is exit 130 without output; what was measured by then is not measured again, and the plan is the same."""
    own = tmp_path / "cache"
    words = [sys.executable, "-m", "builder", "search", str(project), "-o", str(tmp_path / "plan.toml")]
    process = subprocess.Popen(
        words, env={**os.environ, "EDGEBUNDLE_CACHE": str(own)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while len(list_trials(own)) < 4:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert list(tmp_path.glob("plan*")) == []
    kept = list_trials(own)
    done = builder(own, "search", project, "-o", tmp_path / "plan.toml")
    assert done.returncode == 0, done.stderr
    assert kept.items() <= list_trials(own).items()
    assert (tmp_path / "plan.toml").read_bytes() == (project.parent / "plan.toml").read_bytes()


def list_trials(cache: Path) -> dict[str, int]:
    """Kept exports and when each was made."""
    folder = cache / "variant"
    if not folder.is_dir():
        return {}
    return {p.name: p.stat().st_mtime_ns for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")}


def of_choices(project: Project) -> VariantSection:
    """The searched variant, with CHOICES alone to choose from."""
    section = project.config.variant[0]
    assert section.search is not None
    return section.model_copy(update={"search": section.search.model_copy(update={"schemes": CHOICES})})


def test_all_81_plans_of_four_layers_hold_none_that_is_half_a_db_better(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every plan is exported and measured once; at several sizes the search finds the best of them within 0.5 dB."""
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))
    project = open_project(searched(tmp_path / "project", 'objective = "psnr"\nmax_bytes = 3300'))
    source = export_source(project, Silent())
    table = source.result.layers
    space = make_space(table, of_choices(project), calibrated=True)
    plans = list(itertools.product(*space.options))
    exporter = Exporter(project=project, source=source, section=project.config.variant[0])
    measured = dict(zip(plans, exporter.measure([Choice(schemes=plan) for plan in plans]), strict=True))
    assert len(plans) == 81
    assert all(isinstance(found, Measures) for found in measured.values())

    def look_up(wanted: Sequence[Choice]) -> list[Measures | str]:
        return [measured[plan.schemes] for plan in wanted]

    sizes = sorted({found.bytes for found in measured.values() if isinstance(found, Measures)})
    for size in sizes[1 :: max(1, len(sizes) // 6)]:
        goal = Goal(objective="noise", limits={"bytes": float(size)})
        search = Search(
            space=space, table=table, goal=goal, measure=look_up, max_trials=24, told=lambda count, best: None
        )
        search.run()
        best = search.best()
        assert best is not None
        assert best.measures is not None
        assert len(search.trials) <= 24
        optimum = min((m for m in measured.values() if isinstance(m, Measures)), key=goal.rank)
        assert goal.is_met(best.measures)
        assert best.measures.psnr_db >= optimum.psnr_db - 0.5


def test_a_converter_that_crashes_fails_its_trial_alone_and_a_killed_worker_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A segmentation fault in one trial is told as its failure and the search goes on; after kill -9 the trial is done again."""
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))
    project = open_project(searched(tmp_path / "project", 'objective = "psnr"\nmax_bytes = 3500'))
    source = export_source(project, Silent())
    space = make_space(source.result.layers, of_choices(project), calibrated=True)
    waiting = {"dynamic_wi8_afp32": signal.SIGSEGV, "fp16": signal.SIGKILL}

    def run(job: AnyJob, folder: Path, **rest: Any) -> str:
        schemes = {c.scheme.name for c in job.plan.plan.choices.values()} if isinstance(job, VariantJob) else set()
        sign = waiting.pop(*schemes, None) if len(schemes) == 1 else None

        def harm(text: str) -> None:
            nonlocal sign
            for worker in find_workers(folder) if sign is not None else ():
                os.kill(worker, sign)
                sign = None

        return run_job(job, folder, **{**rest, "on_stage": harm})

    exporter = Exporter(project=project, source=source, section=project.config.variant[0], run=run, parallel=1)
    search = Search(
        space=space,
        table=source.result.layers,
        goal=Goal(objective="noise", limits={"bytes": 3500}),
        measure=exporter.measure,
        max_trials=12,
        told=lambda count, best: None,
        parallel=1,
    )
    search.run()
    assert not waiting
    failed = [trial for trial in search.trials if trial.failure is not None]
    assert [trial.what for trial in failed] == ["every layer dynamic_wi8_afp32"]
    assert "was ended by SIGSEGV" in str(failed[0].failure)
    assert len(search.trials) > 3
    best = search.best()
    assert best is not None
    assert best.measures is not None
    assert best.measures.bytes <= 3500


def test_plan_shows_the_layers_of_a_searched_variant(cache: Path, found: SearchResult, project: Path) -> None:
    """`builder plan` reads the kept search and shows what each layer gets."""
    done = builder(cache, "plan", project, "--json")
    assert done.returncode == 0, done.stderr
    (variant,) = json.loads(done.stdout)["variants"]
    assert found.chosen is not None
    assert tuple(layer["scheme"] for layer in variant["layers"]) == found.trial(found.chosen).schemes
