"""Forked workers: each job has a process of its own, a bad end costs that job alone, and nothing outlives whom it works for."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from builder.errors import ConversionError, SourceError
from builder.project.config import LimitsSection, load_config
from builder.workers import servers
from builder.workers.messages import SourceJob, SourceResult
from builder.workers.supervisor import run_job
from tests.builder.processes import find_processes, find_workers, make_own_servers, wait_until
from tests.builder.projects import edit, make_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Servers of this test's own, which end with it."""
    monkeypatch.delenv(servers.CHOICE, raising=False)
    servers.close()
    yield
    servers.close()


def run(
    project: Path,
    folder: Path,
    *,
    kills: int = 0,
    of: str = "worker",
    limits: LimitsSection | None = None,
    reads: Path | None = None,
) -> SourceResult:
    """The source job in `folder`; its worker, or the first server, is killed in each of the first `kills` attempts."""
    job = SourceJob(config=load_config(project), folder=reads or project, evaluation=(), goldens=0)
    killed: list[int] = []

    def on_stage(text: str) -> None:
        for worker in find_workers(folder) if len(killed) < kills else ():
            victim = worker if of == "worker" else servers._own[0].process.pid
            killed.append(worker)
            os.kill(victim, signal.SIGKILL)

    folder.mkdir()
    text = run_job(job, folder, what="the job", limits=limits or LimitsSection(), on_stage=on_stage)
    return SourceResult.model_validate_json(text)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("of", ["worker", "server"])
def test_a_job_whose_worker_or_server_is_killed_once_is_done_once_more(tmp_path: Path, project: Path, of: str) -> None:
    """One kill -9 costs nothing but time; the next job has a server again."""
    assert run(project, tmp_path / "killed once", kills=1, of=of).layers.names() == ["head", "dw", "pw", "tail"]
    assert run(project, tmp_path / "next").layers.names() == ["head", "dw", "pw", "tail"]


@pytest.mark.usefixtures("alone")
def test_a_job_that_ends_badly_costs_only_itself(tmp_path: Path, project: Path) -> None:
    """Killed twice, out of time, out of memory, a crash, an error: each is one typed error, and the server works on."""
    with pytest.raises(ConversionError, match="the job was ended by SIGKILL at 'load'"):
        run(project, tmp_path / "killed", kills=2)
    server = servers._own[0].process.pid
    with pytest.raises(ConversionError, match=r"did not end within 0.01 s.*raise time_s in \[limits\]"):
        run(project, tmp_path / "late", limits=LimitsSection(time_s=0.01))
    with pytest.raises(ConversionError, match=r"used more than 0.05 GB.*raise memory_gb in \[limits\]"):
        run(project, tmp_path / "large", limits=LimitsSection(memory_gb=0.05))
    (tmp_path / "nowhere").mkdir()
    with pytest.raises(SourceError):
        run(project, tmp_path / "wrong", reads=tmp_path / "nowhere")
    edit(project / "model.py", "return Net()", "import os; os.kill(os.getpid(), 11)")
    with pytest.raises(ConversionError, match="was ended by SIGSEGV at 'load'"):
        run(project, tmp_path / "crash")
    edit(project / "model.py", "import os; os.kill(os.getpid(), 11)", "return Net()")
    assert run(project, tmp_path / "good").layers.names() == ["head", "dw", "pw", "tail"]
    assert servers._own[0].process.pid == server
    for name in ("killed", "late", "large", "crash"):
        assert not find_workers(tmp_path / name)


@pytest.mark.usefixtures("alone")
def test_a_worker_has_the_surroundings_of_whoever_asks_and_no_server_runs_the_users_code(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Umask, variables, time zone; each job another process, none of them a server, which also takes no module from here."""
    trap = f"open({str(tmp_path / 'trap')!r}, 'a').write(str(__import__('os').getpid()) + ' ')\n"
    for name in ("numpy", "torch", "builder"):
        (project / f"{name}.py").write_text(f"{trap}raise SystemExit('imported')\n")
    told = tmp_path / "told"
    line = f"import os, time; print(os.getpid(), os.getcwd(), time.tzname[0], os.environ['MARK'], file=open({str(told)!r}, 'a'))"
    edit(project / "model.py", "return Net()", f"{line}\n    return Net()")
    monkeypatch.chdir(project)
    monkeypatch.setenv("MARK", "first")
    run(project, tmp_path / "first")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MARK", "second")
    monkeypatch.setenv("TZ", "XYZ-3")
    before = os.umask(0o077)
    try:
        run(project, tmp_path / "second")
    finally:
        os.umask(before)
    # Each job builds the network more than once, to see that it comes out the same.
    lines = [words.split() for words in told.read_text().splitlines()]
    first, second = (next(line for line in lines if line[3] == mark) for mark in ("first", "second"))
    assert [first[1], first[3]] == [str(project), "first"]
    # A factory runs beside builder.toml, from wherever it is called.
    assert second[1:] == [str(project), "XYZ", "second"]
    kept = {
        servers._own[0].process.pid,
        *(child.pid for child in psutil.Process(servers._own[0].process.pid).children(True)),
    }
    assert first[0] != second[0]
    assert not kept & {int(first[0]), int(second[0])}
    assert not (tmp_path / "trap").exists()
    assert (tmp_path / "second" / "program.pt2").stat().st_mode & 0o777 == 0o600


def test_a_server_does_not_fork_with_a_second_thread_or_an_open_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are looked for at the fork; here in a process that has them."""
    code = "from builder.workers import warming; import threading; print(warming.explain_unsafe())\n{}\nprint(warming.explain_unsafe())"

    def said(more: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", code.format(more)], capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout.splitlines()

    assert said("threading.Thread(target=threading.Event().wait, daemon=True).start()") == ["", "it runs 2 threads"]
    assert said("warming._DEVICES = ('/dev/zero',); kept = open('/dev/zero')") == ["", "it holds /dev/zero"]


CLIENT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # under nohup it is ignored
import sys
from pathlib import Path
from builder.project.config import LimitsSection, load_config
from builder.workers.messages import SourceJob
from builder.workers.supervisor import run_job
project = Path(sys.argv[1])
job = SourceJob(config=load_config(project), folder=project, evaluation=(), goldens=0)
run_job(job, Path(sys.argv[2]), what="the job", limits=LimitsSection(), on_stage=lambda text: None)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_the_process_that_it_works_for(tmp_path: Path, project: Path, number: signal.Signals) -> None:
    """Servers, the worker, and what the worker started in a session of its own end; so do their temporary files."""
    child = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True); time.sleep(600)"
    edit(project / "model.py", "return Net()", child)
    cache, temporary = tmp_path / "cache", tmp_path / "temporary"
    (cache / "job").mkdir(parents=True)
    temporary.mkdir()
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(project), str(cache / "job")],
        env=make_own_servers(cache, TMPDIR=str(temporary)),
        stderr=subprocess.DEVNULL,
    )
    try:
        sleeping = "time.sleep(600)"
        wait_until(
            lambda: any(sleeping in " ".join(_line(pid)) for pid in find_processes(cache)),
            "the worker's own child runs",
        )
        client.send_signal(number)
        client.wait(60)
        wait_until(lambda: not find_processes(cache), "everything has ended", 30)
        wait_until(lambda: not list(temporary.iterdir()), "nothing is left of its files", 30)
    finally:
        for pid in find_processes(cache):
            os.kill(pid, signal.SIGKILL)


def _line(pid: int) -> list[str]:
    try:
        return psutil.Process(pid).cmdline()
    except psutil.Error:
        return []


def test_a_kept_tree_of_servers_serves_several_clients(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two threads at once, each with its own job, on servers whose directory is named."""
    (tmp_path / "kept").mkdir()
    kept = servers.start(tmp_path / "kept")
    monkeypatch.setenv(servers.CHOICE, str(kept.folder))
    found: list[SourceResult] = []
    try:
        threads = [
            threading.Thread(target=lambda name=name: found.append(run(project, tmp_path / name)))
            for name in ("a", "b")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
    finally:
        kept.close()
    assert len(found) == 2
    assert not psutil.pid_exists(kept.process.pid)


def test_a_server_that_may_not_fork_says_what_to_do_and_that_works(tmp_path: Path, project: Path) -> None:
    """A site's own start-up code runs a thread in every Python: the sentence names the variable by which each job is a new process."""
    cache, site = tmp_path / "cache", tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import sys, threading\n"
        "if any('forkserver' in word for word in sys.orig_argv):\n"
        "    threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    words = [sys.executable, "-c", CLIENT, str(project), str(cache / "job")]
    path = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))

    def client(**more: str) -> subprocess.CompletedProcess[str]:
        shutil.rmtree(cache, ignore_errors=True)
        (cache / "job").mkdir(parents=True)
        surroundings = make_own_servers(cache, PYTHONPATH=path, **more)
        return subprocess.run(words, env=surroundings, capture_output=True, text=True, timeout=300, check=False)

    said = client().stderr
    assert "ConversionError: the job cannot be forked from its server, since it runs 2 threads" in said
    assert f"{servers.CHOICE}={servers.PLAIN}" in said
    done = client(**{servers.CHOICE: servers.PLAIN})
    assert done.returncode == 0, done.stderr
    assert (cache / "job" / "program.pt2").is_file()
