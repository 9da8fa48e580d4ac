"""Workers that stay: one process serves many jobs, and a job that ends badly costs only itself."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from builder.errors import ConversionError, SourceError
from builder.process import Service, ToolFailed, ToolMemory, ToolTimeout
from builder.project.config import LimitsSection, load_config
from builder.workers.messages import SourceJob, SourceResult
from builder.workers.pool import WorkerPool
from tests.builder.projects import make_project


def service(tmp_path: Path, code: str) -> Service:
    return Service([sys.executable, "-c", textwrap.dedent(code)], log=tmp_path / "log")


def ask(asked: Service, line: str, *, timeout_s: float = 30, memory_bytes: int = 1 << 30) -> str:
    return asked.ask(line, timeout_s=timeout_s, memory_bytes=memory_bytes, poll=lambda: None)


def test_one_process_answers_many_lines(tmp_path: Path) -> None:
    """Every line gets its answer, from the same process."""
    echo = service(tmp_path, "import os, sys\nfor line in sys.stdin: print(os.getpid(), line.strip(), flush=True)")
    first, second = ask(echo, "a b").split(" ", 1), ask(echo, "\U0001f600").split(" ", 1)
    echo.close()
    assert first[0] == second[0]
    assert (first[1], second[1]) == ("a b", "\U0001f600")


def test_a_program_that_dies_hangs_or_grows_is_a_typed_error(tmp_path: Path) -> None:
    """Its end is told as the signal or the status; limits hold for every answer."""
    with pytest.raises(ToolFailed, match="SIGSEGV"):
        ask(service(tmp_path, "import os, signal; input(); os.kill(os.getpid(), signal.SIGSEGV)"), "x")
    with pytest.raises(ToolFailed, match="status 3"):
        ask(service(tmp_path, "import sys; input(); sys.exit(3)"), "x")
    with pytest.raises(ToolTimeout):
        ask(service(tmp_path, "import time; input(); time.sleep(60)"), "x", timeout_s=1)
    code = "import time; input(); b = bytearray(300 << 20); b[::4096] = b'x' * len(b[::4096]); time.sleep(60)"
    with pytest.raises(ToolMemory):
        ask(service(tmp_path, code), "x", memory_bytes=200 << 20)


def test_a_job_whose_worker_is_killed_is_done_once_more_and_the_pool_works_on(tmp_path: Path) -> None:
    """One kill -9 in the middle costs nothing but time; a second one fails the job, and the next job gets another worker."""
    project = make_project(tmp_path / "project")
    job = SourceJob(config=load_config(project), folder=project, evaluation=(), goldens=0)
    wrong = job.model_copy(update={"folder": tmp_path / "nowhere"})

    def run(pool: WorkerPool, asked: SourceJob, name: str, *, kills: int = 0) -> str:
        killed = []

        def on_stage(text: str) -> None:
            for child in psutil.Process().children() if len(killed) < kills else ():
                if "--serve" in child.cmdline():
                    child.kill()
                    killed.append(child.pid)

        (tmp_path / name).mkdir()
        return pool.run(asked, tmp_path / name, what="the job", limits=LimitsSection(), on_stage=on_stage)

    with WorkerPool(1) as pool:
        with pytest.raises(ConversionError, match="the job was ended by SIGKILL"):
            run(pool, job, "killed", kills=2)
        with pytest.raises(SourceError):
            run(pool, wrong, "wrong")
        result = SourceResult.model_validate_json(run(pool, job, "killed once", kills=1))
    assert result.layers.names() == ["head", "dw", "pw", "tail"]
    assert not [child for child in psutil.Process().children() if "--serve" in child.cmdline()]
