"""What people put into their own CI: the steps of the GitHub Action, executed, and the Dockerfile."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from builder.bundle import Bundle
from tests.builder.projects import make_project

ROOT = Path(__file__).resolve().parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


@pytest.fixture
def runner(tmp_path: Path) -> dict[str, str]:
    """What GitHub sets for a step. The converters are those of this environment: pip installs edgebundle itself alone."""
    temp = tmp_path / "runner temp"
    temp.mkdir()
    return {
        **os.environ,
        "RUNNER_TEMP": str(temp),
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "false",  # pip reads it as `--no-build-isolation`
        "PYTHONPATH": sysconfig.get_path("purelib"),
    }


def execute(name: str, runner: dict[str, str], inputs: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A step as GitHub runs `shell: bash`; its expressions are put in as GitHub does it."""
    step: dict[str, Any] = next(step for step in ACTION["runs"]["steps"] if step.get("name") == name)
    known = {f"inputs.{key}": value for key, value in inputs.items()} | {"runner.temp": runner["RUNNER_TEMP"]}
    env = {
        key: re.sub(r"\$\{\{ ([\w.]+) \}\}", lambda m: known[m[1]], value) for key, value in step.get("env", {}).items()
    }
    words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    return subprocess.run(words, env=runner | env, capture_output=True, text=True, timeout=600, check=False)


def test_the_action_builds_a_bundle_and_its_failure_is_the_builders(runner: dict[str, str], tmp_path: Path) -> None:
    """Installing and building, one after the other; a broken project ends the step with the builder's own exit code."""
    inputs = {key: value["default"] for key, value in ACTION["inputs"].items()}
    assert (done := execute("Install edgebundle", runner, inputs)).returncode == 0, done.stderr
    inputs |= {"project": str(make_project(tmp_path / "my project")), "output": str(tmp_path / "out put")}
    cache = {"EDGEBUNDLE_CACHE": os.environ.get("EDGEBUNDLE_CACHE", "")}
    assert (done := execute("Build", runner | cache, inputs)).returncode == 0, done.stderr
    variant = Bundle.open(tmp_path / "out put").manifest.variants[0].id
    assert variant in (tmp_path / "summary.md").read_text(encoding="utf-8")
    done = execute("Build", runner, inputs | {"project": str(tmp_path / "none")})
    assert done.returncode == 2, done.stdout
    assert "builder: error:" in done.stderr


def test_the_actions_inputs_are_what_its_steps_use() -> None:
    """An input that no step reads, or one that is read and not declared, is a mistake."""
    used = set(re.findall(r"inputs\.(\w+)", yaml.safe_dump(ACTION["runs"])))
    assert used == set(ACTION["inputs"])


def test_the_dockerfile_installs_by_the_set_up_that_is_tested() -> None:
    """One list of packages for all: the image runs scripts/setup.sh on the system that it was written for."""
    assert re.findall(r"^RUN (.*)$", DOCKERFILE, re.MULTILINE) == ["/opt/edgebundle/scripts/setup.sh demo"]
    assert "FROM debian:12-slim" in DOCKERFILE
    assert os.access(ROOT / "scripts" / "setup.sh", os.X_OK)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert {".venv", ".git", "dist", "build"} <= set(ignored)
