"""The documentation's commands are run as they stand, and what it names exists."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
LIMIT_S = 900.0


def commands() -> list[list[str]]:
    """The lines of the README's shell blocks that are commands of ours."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.S)
    return [shlex.split(line) for block in blocks for line in block.splitlines() if line.startswith(".venv/bin/")]


@pytest.mark.usefixtures("adb_environment")
def test_every_command_of_the_readme_works(tmp_path: Path) -> None:
    """All of them in order, with their outputs under a temporary directory."""
    found = commands()
    assert len(found) >= 10
    for words in found:
        program = Path(words[0]).name
        arguments = [word.replace("dist/", f"{tmp_path}/dist/") for word in words[1:]]
        done = subprocess.run(
            [sys.executable, "-m", program, *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, (words, done.stderr[-2000:])


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)]+)\)", README))
def test_every_link_of_the_readme_leads_somewhere(link: str) -> None:
    """Links point to files of the repository."""
    assert (ROOT / link).exists()


def test_the_toml_of_the_readme_is_a_valid_config(tmp_path: Path) -> None:
    """The example that people copy passes our own validation."""
    from builder.project.config import load_config

    block = re.findall(r"```toml\n(.*?)```", README, re.S)[0]
    (tmp_path / "builder.toml").write_text(block)
    assert load_config(tmp_path).model.name == "my-style"


@pytest.mark.parametrize("program", ["builder", "harness"])
def test_help_shows_examples(program: str) -> None:
    """`--help` ends with commands that one can copy."""
    done = subprocess.run(
        [sys.executable, "-m", program, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert "examples:" in done.stdout


def test_no_machine_path_or_registry_is_in_a_tracked_file() -> None:
    """Tracked files name neither directories of a developer's machine nor hosts of package registries."""
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    hosts = re.compile(r"https?://[a-z0-9.-]*(maven|npmjs|pypi|crates)[a-z0-9.-]*(?!/(POM|SETTINGS|xsd))", re.I)
    for name in filter(None, files.split("\0")):
        path = ROOT / name
        if not path.is_file() or path.stat().st_size > 3_000_000:
            continue
        text = path.read_bytes().decode("utf-8", "ignore")
        assert os.fspath(ROOT) not in text or len(os.fspath(ROOT)) < 4, name
        found = hosts.search(text)
        assert found is None or "/POM" in text[found.start() : found.end() + 8], (name, found)
