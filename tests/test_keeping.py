"""What tests/conftest.py promises: no process outlives its test, Ctrl-C is heard under nohup, a test that hangs ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import keeping
from tests.builder.processes import find_processes, make_own_servers

LEAVES = """
import subprocess, sys
import pytest

def test_leaves_a_process():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])

def test_hears_ctrl_c():
    import os, signal, time
    child = subprocess.Popen([sys.executable, "-c", "print(1, flush=True); import time; time.sleep(600)"], stdout=subprocess.PIPE)
    child.stdout.read(1)
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == -signal.SIGINT

def test_hears_a_closed_terminal():
    import signal
    child = subprocess.Popen([sys.executable, "-c", "print(1, flush=True); import time; time.sleep(600)"], stdout=subprocess.PIPE)
    child.stdout.read(1)
    child.send_signal(signal.SIGHUP)
    assert child.wait(30) == -signal.SIGHUP

@pytest.mark.timeout(3)
def test_hangs():
    import time
    time.sleep(600)
"""


@pytest.mark.filterwarnings("ignore")  # of the inner session's processes
def test_a_process_that_a_test_leaves_is_ended_and_a_test_that_hangs_fails(tmp_path: Path) -> None:
    """A session started as `nohup` does, with SIGINT and SIGHUP ignored, in another locale, time zone and with files closed to others."""
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n", encoding="utf-8")
    (tmp_path / "test_inner.py").write_text(LEAVES, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (tmp_path / "home").mkdir()
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "1", str(tmp_path)]
    surroundings = make_own_servers(
        tmp_path / "cache",
        HOME=str(tmp_path / "home"),
        LC_ALL="tr_TR.UTF-8",
        TZ="Pacific/Chatham",
        PYTHONPATH=str(keeping.ROOT),
    )

    def as_nohup() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.umask(0o077)

    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        timeout=600,
        env=surroundings,
        cwd=tmp_path,
        preexec_fn=as_nohup,
        check=False,
    )
    assert "3 passed" in done.stdout, done.stdout
    assert "1 failed" in done.stdout
    assert "Timeout" in done.stdout
    assert "ended what a test left running: test_inner.py::test_leaves_a_process" in done.stdout
    assert not find_processes(tmp_path / "cache")


def test_long_files_come_first_and_each_once() -> None:
    """By what is known of them, then by name."""
    known = "tests/builder/plan_search/test_search.py"
    assert keeping.put_longest_first(["tests/b.py", "tests/a.py", known, known]) == [known, "tests/a.py", "tests/b.py"]
