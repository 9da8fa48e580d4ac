"""What the streams of a command may be: closed, of ASCII alone, full. No traceback, no broken document, and exit codes keep their meaning."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.records.store import open_store
from tests.harness.runs import make_run

ROOT = Path(__file__).resolve().parents[1]
ASCII = ({"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
PRINTING = r"""
import sys; from builder.command_line import Parser, print_document, print_file, run
parser = Parser(version='x 1', prog='x', description='d')
parser.verb('table', 'a table', example='x'); parser.verb('file', 'a file', example='x')
def call(given):
    if given.command == 'file': print_file('31.5 \xb0C\n')
    elif given.json: print_document({'heat': '31.5 \xb0C \U0001f525'})
    else: print('31.5 \xb0C \U0001f525 \udcff')
sys.exit(run(parser, None, call, interrupted=''))
"""


def started(*words: str | Path, closed: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A command with some of its streams closed, or written to another place, by the shell."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    argv = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, *map(str, words)]
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("streams") / "runs.sqlite"
    opened = open_store(str(path), create=True)
    opened.append(make_run(model_name="größe"))
    opened.close()
    return path


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_failure(store: Path, closed: str) -> None:
    """Whoever closes stdout wants the exit code alone, and gets it; nothing that is opened takes its place."""
    for words in (
        ["harness", "show", store],
        ["harness", "check", store],
        ["builder", "--version"],
        ["builder", "doctor"],
    ):
        done = started("-m", *words, closed=closed)
        assert (done.returncode, done.stderr) == (0, b""), (words, done.stderr)
    done = started("-m", "harness", "show", "none.sqlite", closed=closed)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("environment", ASCII)
def test_a_terminal_of_ascii_gets_numbers_for_what_it_lacks(store: Path, environment: dict[str, str]) -> None:
    """Tables and messages are whole, JSON stays JSON, and what is a file stays UTF-8."""
    done = started("-m", "harness", "show", store, **environment)
    assert done.returncode == 0, done.stderr
    assert b"5.00 \\u2013 5.00 ms" in done.stdout
    assert (
        json.loads(started("-m", "harness", "show", store, "--json", **environment).stdout)["runs"][0]["model_name"]
        == "größe"
    )
    for form in ("markdown", "junit", "json", "jsonl"):
        done = started("-m", "harness", "report", store, "--format", form, **environment)
        assert done.returncode == 0, done.stderr
        assert done.stdout.decode("utf-8")
    missing = started("-m", "harness", "show", "größe.sqlite", **environment)
    assert missing.returncode == 2
    assert b"does not exist" in missing.stderr
    assert started("-m", "builder", "doctor", **environment).stderr == b""


@pytest.mark.parametrize("environment", ASCII)
def test_every_way_to_print_is_safe(environment: dict[str, str]) -> None:
    """A line, a document and a file of either command, with a sign that ASCII lacks, one beyond 16 bits, and half of one."""
    line = started("-c", PRINTING, "table", **environment)
    assert line.stdout.startswith(b"31.5 \\xb0C \\U0001f525 \\udcff"), line.stderr
    document = started("-c", PRINTING, "table", "--json", **environment)
    assert json.loads(document.stdout) == {"heat": "31.5 °C 🔥"}
    assert document.stdout.isascii()
    assert started("-c", PRINTING, "file", **environment).stdout.decode() == "31.5 °C\n"


def test_a_full_disk_is_one_sentence(store: Path) -> None:
    """`> /dev/full`: exit 2 and the reason, once."""
    for words in (["harness", "show", store], ["harness", "show", store, "--json"], ["builder", "doctor", "--json"]):
        done = started("-m", *words, closed="> /dev/full")
        assert done.returncode == 2, done.stderr
        assert done.stderr.count(b"No space left on device") == 1
        assert b"Traceback" not in done.stderr
        assert b"Exception ignored" not in done.stderr
