"""Presets, and what `builder plan` shows: on every backend, refusals included."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from builder.backends import BACKENDS
from builder.backends.support import check_support
from builder.errors import ConfigError
from builder.pipeline.plan import plan_config
from builder.precision.plan import load_plan, resolve
from builder.precision.presets import list_presets, plan_path
from builder.precision.ranges import CalibrationSettings
from builder.project.config import VariantSection
from builder.steps.listener import Silent
from tests.builder.models import Mixed, make_picture_model, make_variant_job, plan_of, seeded
from tests.builder.projects import edit, make_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("planning") / "project")


def plan(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "builder", "plan", str(project), *words],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "EDGEBUNDLE_CACHE": str(project.parent / "cache")},
    )  # fmt: skip


def test_a_typo_in_a_plan_is_told_before_the_network_is_loaded(tmp_path: Path) -> None:
    """There is no network here at all."""
    folder = make_project(tmp_path / "project")
    (folder / "model.py").unlink()
    edit(folder / "plan.toml", 'scheme = "fp16"', 'scheme = "fp61"')
    with pytest.raises(ConfigError, match=r"plan.toml, rule 2: unknown scheme 'fp61'; did you mean 'fp16'"):
        plan_config(folder, None, Silent())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", list_presets())
def test_every_backend_has_a_way_for_every_preset(name: str, backend: str, tmp_path: Path) -> None:
    """A preset selects layers of an ordinary network and no backend refuses it."""
    layers = make_picture_model(seeded(Mixed)).layers
    resolved = resolve(load_plan(plan_path(f"preset:{name}", tmp_path)), layers, where=name)
    module = BACKENDS[backend]
    supported = check_support(resolved, layers, module, module.SPEC.delegates[0].name, where=name)
    schemes = {layer: choice.scheme.name for layer, choice in supported.plan.choices.items()}
    expected = {"fp16": "fp16", "int8-convs": "fp32", "key-layers-fp16": "static_wi8_ai8"}.get(name)
    if expected is not None and not (backend == "coreml" and expected == "static_wi8_ai8"):
        assert schemes["squeeze"] == expected
    if name == "key-layers-fp16":
        assert (schemes["head"], schemes["tail"]) == ("fp16", "fp16")


def test_presets_are_known_by_name_and_name_their_variant(tmp_path: Path) -> None:
    """The four presets exist, a wrong name is told the near one, and the variant is named after the preset."""
    assert list_presets() == ["fp16", "int8-all", "int8-convs", "int8-weights", "key-layers-fp16"]
    with pytest.raises(ConfigError, match="did you mean 'int8-convs'"):
        plan_path("preset:int8-conv", tmp_path)
    assert VariantSection(backend="tflite", delegate="xnnpack", plan="preset:fp16").name == "tflite-xnnpack-fp16"


def test_plan_shows_every_backend_and_what_it_refuses(project: Path) -> None:
    """With --all-backends refusals of backends that the variant does not name are shown with the reason, and exit 0."""
    done = plan(project, "--all-backends", "--json")
    assert done.returncode == 0, done.stderr
    planned = {variant["id"]: variant for variant in json.loads(done.stdout)["variants"]}
    assert len(planned) == 6
    core = planned["tflite-xnnpack-plan on coreml (all)"]
    assert core["what_if"]
    assert [layer["scheme"] for layer in core["layers"]] == ["fp16", None, None, "fp16"]
    assert "use weight_only_wi8_afp32" in core["layers"][1]["reason"]
    own = planned["tflite-xnnpack-plan"]["layers"]
    assert [layer["rule"] for layer in own] == [2, 1, 1, 2]
    assert planned["tflite-xnnpack-plan"]["rules"] == ["match '.*': static_wi8_ai8", "match 'head|tail': fp16"]
    assert [layer["weight_bytes"] for layer in own] == [2 * 216, 72, 64, 2 * 216]
    assert [layer["macs"] for layer in own] == [216 * 1024, 72 * 1024, 64 * 1024, 216 * 1024]


def test_plan_shows_what_becomes_of_norms(tmp_path: Path) -> None:
    """A norm is a row: without a rule that names it, it computes as what is between the layers, whatever `.*` asks for."""
    project = make_project(tmp_path / "project")
    edit(project / "model.py", "x = torch.relu(self.head(x))", "x = torch.nn.functional.instance_norm(self.head(x))")
    edit(project / "builder.toml", '[[variant]]\nbackend = "tflite"\ndelegate = "xnnpack"\nscheme = "fp32"\n', "")
    norms: dict[str, dict[str, object]] = {}
    for rules in ("", '\n[[rule]]\nposition = "norm"\nscheme = "fp16"\n'):
        with (project / "plan.toml").open("a", encoding="utf-8") as file:
            file.write(rules)
        done = plan(project, "--all-backends", "--json")
        for variant in json.loads(done.stdout)["variants"]:
            (row,) = [layer for layer in variant["layers"] if layer["op"] == "norm"]
            norms.setdefault(rules, {})[variant["backend"]] = (row["rule"], row["requested"], row["scheme"])
        assert done.returncode == (2 if rules else 0)
    assert norms[""] == dict.fromkeys(BACKENDS, (0, "", "fp32"))
    assert norms[rules] == {
        "tflite": (3, "fp16", None), "coreml": (3, "fp16", "fp16"), "executorch": (3, "fp16", "fp16"),
    }  # fmt: skip
    assert "files have norms in fp32 alone; use fp32 on 'instance_norm'" in done.stderr


def test_a_refused_plan_is_shown_whole_and_exits_2(project: Path) -> None:
    """All refused layers stand in the table with their reasons before the command fails."""
    edit(project / "plan.toml", 'scheme = "static_wi8_ai8"', 'scheme = "palettized_w4"')
    done = plan(project)
    assert done.returncode == 2
    assert done.stdout.count("refused") == 2
    assert "rule 1: match '.*': palettized_w4\nrule 2: match 'head|tail': fp16" in done.stdout
    assert f"{2 * 216 + 36 + 32 + 2 * 216:,}" in done.stdout.splitlines()[-3]
    assert "tflite refuses 2 of 4 layers, first 'dw'" in done.stderr
    edit(project / "plan.toml", 'scheme = "palettized_w4"', 'scheme = "static_wi8_ai8"')


def test_a_preset_is_converted_like_a_plan(project: Path, tmp_path: Path) -> None:
    """A variant with `preset:` becomes a bundle whose plan.toml carries the preset's rules."""
    config = (project / "builder.toml").read_text(encoding="utf-8")
    edit(project / "builder.toml", '[[variant]]\nbackend = "tflite"\ndelegate = "xnnpack"\nscheme = "fp32"\n', "")
    edit(project / "builder.toml", 'plan = "plan.toml"', 'plan = "preset:key-layers-fp16"')
    done = subprocess.run(
        [sys.executable, "-m", "builder", "convert", str(project), "-o", str(tmp_path / "bundle"), "--json"],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "EDGEBUNDLE_CACHE": str(project.parent / "cache")},
    )  # fmt: skip
    (project / "builder.toml").write_text(config, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    (variant,) = json.loads(done.stdout)["variants"]
    assert variant["id"] == "tflite-xnnpack-key-layers-fp16"
    assert [layer["realised"] for layer in variant["layers"]] == ["fp16", "static_wi8_ai8", "static_wi8_ai8", "fp16"]
    written = tomllib.loads((tmp_path / "bundle" / "plan.toml").read_text(encoding="utf-8"))["variant"][0]
    assert written["rule"][1] == {"position": "first", "scheme": "fp16"}
    assert written["on_unsupported"] == ["weight_only_wi8_afp32", "fp16", "fp32"]


def test_calibration_is_streamed_and_tells_how_far_it_is(project: Path, tmp_path: Path) -> None:
    """A sample is read when it is asked for, and the stage names its number and how many there are."""
    from builder.workers.jobs.shared import count_samples

    files = tuple(sorted((project / "calibration").iterdir()))
    job = make_variant_job("tflite", tmp_path, plan_of({}), calibration=(*files, tmp_path / "never read.png"))
    told: list[str] = []
    stream = count_samples(job, make_picture_model(seeded(Mixed)), told.append)
    for number, _ in enumerate(files):
        assert next(stream)["image"].shape == (1, 3, 32, 32)
        assert told[-1] == f"calibrate {number + 1}/{len(files) + 1}"


@pytest.mark.filterwarnings("ignore")  # deprecations inside torch.export
def test_two_plans_calibrate_once(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What calibration saw is kept by content: another plan of the same network and samples reads it."""
    from builder.workers.jobs.lowering import prepare

    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))

    model = make_picture_model(seeded(Mixed))
    files = tuple(sorted((project / "calibration").iterdir()))
    job = make_variant_job("executorch", tmp_path, plan_of({}), calibration=files, key="once")
    settings = CalibrationSettings(correct_biases=True)
    told: list[str] = []
    for scheme in ("dynamic_wi8_afp32", "static_wi8_ai8"):
        plan = replace(plan_of(dict.fromkeys(model.layers.names(), scheme)), calibration=settings)
        before = {name: tensor.clone() for name, tensor in model.program.state_dict.items()}
        changed = prepare(model, plan, job, told.append).program.state_dict
        assert {n for n, t in before.items() if not t.equal(changed[n])} >= {"head.bias", "tail.bias", "squeeze.bias"}
        assert all(tensor.equal(model.program.state_dict[name]) for name, tensor in before.items())
    assert [text for text in told if text.startswith("calibrate")] == [
        f"calibrate {n}/{len(files)}" for n in range(1, len(files) + 1)
    ]
