"""A backend, a delegate, a rewrite and a target are each added by a folder or a file and one line: everything else finds them there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from builder.bundle import Bundle
from tests.builder.fakes.grown import builder, grow, harness
from tests.builder.projects import CONFIG, make_project

VARIANTS = """
[[variant]]
backend = "fake"
delegate = "slow"
scheme = "fp16"
flavour = "sweet"

[[variant]]
id = "found"
backend = "fake"
delegate = "slow"
[variant.search]
objective = "bytes"
min_psnr_db = 30.0
max_trials = 10

[[variant]]
backend = "tflite"
delegate = "abacus"
scheme = "fp32"

[package.fake]
owner = "me"
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return grow(tmp_path_factory.mktemp("grown"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_project(tmp_path_factory.mktemp("project"))
    (folder / "builder.toml").write_text(CONFIG[: CONFIG.index("[[variant]]")] + VARIANTS, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def bundle(root: Path, cache: Path, project: Path) -> Path:
    """Every variant, converted and verified."""
    done = builder(root, cache, "convert", project, "-o", project / "bundle")
    assert done.returncode == 0, done.stderr
    return project / "bundle"


def answer(root: Path, cache: Path, *words: str | Path) -> Any:
    """What the command prints as JSON."""
    done = builder(root, cache, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_backend_converts_verifies_and_is_read_back(root: Path, cache: Path, bundle: Path) -> None:
    """The scheme that was asked for stands in the file, its own key reached the converter, and the goldens are met."""
    fixed, found, _ = Bundle.open(bundle).manifest.variants
    assert (fixed.id, fixed.file) == ("fake-slow-fp16-sweet", "variants/fake-slow-fp16-sweet.fake")
    assert {layer.realised for layer in fixed.layers} == {"fp16"}
    assert fixed.unproven == "there is no fake phone"
    assert b'"flavour": "sweet"' in (bundle / fixed.file).read_bytes()
    assert found.quality.psnr_db_worst >= 30
    checks = answer(root, cache, "verify", bundle)["checks"]
    assert [check["runtime"] for check in checks][:2] == ["Fake 1.0", "Fake 1.0"]


def test_a_search_tries_the_schemes_of_the_backend(root: Path, cache: Path, bundle: Path) -> None:
    """The smallest that keeps the quality is found among them: 8 bits everywhere."""
    found = Bundle.open(bundle).manifest.variants[1]
    assert {layer.realised for layer in found.layers} == {"weight_only_wi8_afp32"}


def test_a_rewrite_is_made_for_the_delegates_that_it_names(
    root: Path, cache: Path, project: Path, bundle: Path
) -> None:
    """Of two backends; switched off, the operator that is left is told with the rewrite's own cure."""
    made = [[row.rewrite for row in variant.legalized] for variant in Bundle.open(bundle).manifest.variants]
    assert made == [["fake"], ["fake"], ["fake"]]
    other = project / "off.toml"
    text = (project / "builder.toml").read_text(encoding="utf-8")
    head, first = text.split("[[variant]]")[:2]
    other.write_text(f'{head}[legalize]\noff = ["fake"]\n\n[[variant]]{first}', encoding="utf-8")
    left = answer(root, cache, "convert", other, "-o", project / "off")["variants"][0]["coverage"]["left"]
    assert left[0].endswith("leave 'fake' on in [legalize]")


def test_a_delegate_of_a_backend_is_one_file(root: Path, cache: Path, bundle: Path) -> None:
    """TFLite converts for it, asks it what it takes, and tells what it would take of files for others."""
    variant = Bundle.open(bundle).manifest.variants[2]
    assert (variant.backend, variant.delegate, variant.coverage.delegate) == ("tflite", "abacus", "abacus")
    inspected = answer(root, cache, "inspect", bundle / variant.file)
    assert [found["delegate"] for found in inspected["predicted"]] == ["gpu", "abacus"]


def test_the_other_commands_know_them(root: Path, cache: Path, project: Path, bundle: Path) -> None:
    """`plan`, `inspect`, `check` and `doctor`."""
    planned = answer(root, cache, "plan", project, "--all-backends")["variants"]
    assert {row["backend"] for row in planned if row["id"].startswith("tflite")} >= {"tflite", "fake"}
    stored = answer(root, cache, "inspect", bundle / "variants" / "fake-slow-fp16-sweet.fake")
    assert (stored["backend"], {row["scheme"] for row in stored["stored"]}) == ("fake", {"fp16"})
    needs = json.loads(builder(root, cache, "doctor", "--json").stdout)["needs"]
    told = {(row["part"], row["name"]): row["cure"] for row in needs}
    assert told["fake slow", "a fake phone"] == "buy a fake phone"
    assert ("fake", "torch") in told
    assert ("tflite abacus", "beads") in told
    assert ("fake", "cardboard") in told


def test_the_host_measures_what_the_backend_says_how_to_run(
    root: Path, cache: Path, bundle: Path, tmp_path: Path
) -> None:
    """The harness knows nothing of it: goldens are met, records name its engine, and other devices refuse it in a sentence."""
    store = tmp_path / "runs.jsonl"
    done = harness(root, cache, "run", bundle, "-d", "host", "--protocol", "quick", "-o", store)
    assert done.returncode == 0, done.stderr
    runs = [json.loads(line) for line in store.read_text(encoding="utf-8").splitlines()]
    measured = {run["variant"]: run for run in runs if run["runtime"] == "Fake"}
    assert set(measured) == {"fake-slow-fp16-sweet", "found"}
    assert {run["delegate_executed"]["value"] for run in measured.values()} == {"slow"}
    assert all(run["golden"]["passed"] for run in measured.values())


def test_a_target_packs_what_it_takes(root: Path, cache: Path, project: Path, bundle: Path) -> None:
    """Its section of builder.toml is read; others refuse a bundle that has nothing for them."""
    done = builder(root, cache, "package", project, "--target", "fake", "-o", project / "dist")
    assert done.returncode == 0, done.stderr
    packed = Bundle.open(project / "dist" / "me-box").manifest
    assert {variant.backend for variant in packed.variants} == {"fake"}
    refused = builder(root, cache, "package", project / "dist" / "me-box", "--target", "ios", "-o", project / "no")
    assert refused.returncode == 2
    assert "has no variant for coreml" in refused.stderr


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('flavour = "sweet"', 'flavour = "sour"', "variant.0.flavour: input should be 'plain' or 'sweet'"),
        ('delegate = "slow"\nscheme', 'delegate = "slw"\nscheme', "did you mean 'slow'"),
        ('backend = "tflite"', 'backend = "tflite"\nflavour = "sweet"', "'flavour' is for Fake, not for tflite: remove it"),
        ('backend = "tflite"', 'backend = "tflight"', "input should be 'tflite', 'coreml', 'executorch' or 'fake'"),
        ('owner = "me"', 'owner = "me2"', "'owner' in [package.fake] is 'me2'; use letters alone."),
        ('owner = "me"', 'ownr = "me"', "did you mean 'owner'"),
    ],
)  # fmt: skip
def test_what_they_say_of_builder_toml_is_held(
    root: Path, cache: Path, project: Path, bundle: Path, tmp_path: Path, old: str, new: str, told: str
) -> None:
    """Values, delegates, keys of another backend, and settings of a package: each is refused in one sentence with exit 2."""
    wrong = project / "wrong.toml"
    text = (project / "builder.toml").read_text(encoding="utf-8")
    assert text.count(old) == 1
    wrong.write_text(text.replace(old, new), encoding="utf-8")
    done = builder(root, cache, "check", wrong)
    assert done.returncode == 2, done.stderr
    assert told in done.stdout + done.stderr


def test_the_import_rules_hold_for_a_backend_that_is_added(root: Path, tmp_path: Path) -> None:
    """With no line in pyproject.toml it may not know another one."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        capture_output=True, text=True, timeout=300, cwd=root, env={"PYTHONPATH": str(root), "PATH": "/usr/bin"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    file = root / "builder" / "backends" / "fake" / "sneaky.py"
    file.write_text("from builder.backends.coreml import spec\n", encoding="utf-8")
    try:
        again = subprocess.run(
            [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
            capture_output=True, text=True, timeout=300, cwd=root, env={"PYTHONPATH": str(root), "PATH": "/usr/bin"}, check=False,
        )  # fmt: skip
    finally:
        file.unlink()
    assert again.returncode == 1
    assert "backends do not know one another BROKEN" in again.stdout
