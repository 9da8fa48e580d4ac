"""Worker processes: results, typed errors, and every way of dying become what the pipeline expects."""

from __future__ import annotations

import contextlib
import os
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from builder.process import ToolFailed, ToolMemory, ToolMissing, ToolTimeout, run, run_limited


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


def limited(tmp_path: Path, code: str, *, timeout_s: float = 30, memory_bytes: int = 1 << 30) -> int:
    return run_limited(
        python(code), log=tmp_path / "log", timeout_s=timeout_s, memory_bytes=memory_bytes, poll=lambda: None
    )


def ended(pid: int) -> bool:
    """Whether a process that was killed dies; the kernel may take a moment on a busy machine, and nobody may reap it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process, limit = psutil.Process(pid), time.monotonic() + 10
        while process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > limit:
                return False
            os.sched_yield()
    return True


def test_a_process_that_ends_gives_its_status_and_log(tmp_path: Path) -> None:
    """Status and output of an ordinary end."""
    assert limited(tmp_path, "import sys; print('hello'); sys.exit(3)") == 3
    assert (tmp_path / "log").read_text() == "hello\n"


def test_a_crash_is_a_negative_status(tmp_path: Path) -> None:
    """A segmentation fault is told as its signal."""
    assert limited(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)") == -11


def test_an_overrun_kills_the_process_and_its_children(tmp_path: Path) -> None:
    """At the time limit nothing that was started survives."""
    code = f"""
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        open({str(tmp_path / "pid")!r}, "w").write(str(child.pid))
        time.sleep(600)
    """
    with pytest.raises(ToolTimeout):
        limited(tmp_path, code, timeout_s=2)
    assert ended(int((tmp_path / "pid").read_text()))


def test_too_much_memory_kills_the_process(tmp_path: Path) -> None:
    """The limit counts resident memory."""
    with pytest.raises(ToolMemory):
        limited(
            tmp_path,
            "import time; b = bytearray(300 << 20); b[::4096] = b'x' * len(b[::4096]); time.sleep(60)",
            memory_bytes=200 << 20,
        )


def test_a_tool_that_is_missing_fails_or_hangs_is_a_typed_error() -> None:
    """Plain runs raise one error a kind of end."""
    with pytest.raises(ToolMissing, match="is not installed"):
        run(["no-such-program-here"], timeout_s=5)
    with pytest.raises(ToolFailed, match="status 4"):
        run(python("import sys; sys.exit(4)"), timeout_s=30)
    with pytest.raises(ToolTimeout):
        run(python("import time; time.sleep(60)"), timeout_s=0.5)


def test_a_name_with_shell_characters_is_only_a_name(tmp_path: Path) -> None:
    """Arguments never pass through a shell."""
    done = run(
        [sys.executable, "-c", "import sys; print(sys.argv[1])", "$(touch x); `id` 'q' \U0001f600"],
        timeout_s=30,
        cwd=tmp_path,
    )
    assert done.stdout == "$(touch x); `id` 'q' \U0001f600\n"
    assert list(tmp_path.iterdir()) == []
