"""For all tests: one tree of servers for both processes of a session, one cache, fixed draws, and no process that outlives its test."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from builder.workers import servers
from tests import fast, keeping
from tests.emulated_phone import AdbServer

# What is drawn is the same in every run, so that a commit passes or fails by what it changed; `make fuzz` looks further.
FUZZ = bool(os.environ.get("EDGEBUNDLE_FUZZ"))
settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
settings.register_profile("fuzz", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("fuzz" if FUZZ else "fixed")

SHARED = "EDGEBUNDLE_TEST_SESSION"
_started = pytest.StashKey[set[int]]()
_kept = pytest.StashKey[servers.Servers]()
_watch = pytest.StashKey[fast.Watch]()
_left: list[str] = []
_seconds: dict[str, float] = defaultdict(float)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--keep-durations", action="store_true", help="write how long each file took to tests/durations.json"
    )


def pytest_configure(config: pytest.Config) -> None:
    """The first process of a session makes what all of them share. Fast tests alone need no servers, and start nothing."""
    keeping.surroundings()
    if config.option.markexpr == "fast":
        os.environ.setdefault(servers.CHOICE, servers.PLAIN)
        config.stash[_watch] = fast.Watch()
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    shared = Path(tempfile.mkdtemp(prefix="edgebundle-tests-"))
    os.environ[SHARED] = str(shared)
    if servers.CHOICE not in os.environ and not servers.is_plain():
        (shared / "servers").mkdir()
        config.stash[_kept] = servers.start(shared / "servers")
        os.environ[servers.CHOICE] = str(shared / "servers")


def pytest_unconfigure(config: pytest.Config) -> None:
    servers.close()
    if (kept := config.stash.get(_kept, None)) is not None:
        kept.close()
    if not hasattr(config, "workerinput") and (shared := os.environ.pop(SHARED, None)):
        shutil.rmtree(shared, ignore_errors=True)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`make fast` passes over the files of slow tests; None leaves all others to pytest."""
    return fast.is_left_out(collection_path, config.option.markexpr) or None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Modules and tests live as long as the session: the collector need not look at them again while thousands of short tests run."""
    if session.config.option.markexpr == "fast":
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files begin first, so that the two processes of a session end together; `make fast` takes those that start nothing."""
    fast.mark_fast(items)
    place = {file: number for number, file in enumerate(keeping.put_longest_first(_file(item) for item in items))}
    items.sort(key=lambda item: place[_file(item)])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    before = keeping.children()
    if not FUZZ:
        keeping.seed()
    try:
        return (yield)
    finally:
        item.stash[_started] = keeping.children() - before


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    try:
        return (yield)
    finally:
        if (watch := item.config.stash.get(_watch, None)) is not None and (started := watch.take()):
            pytest.fail(
                f"it is marked as fast and starts a process: {started[0]}; see STARTING in tests/fast.py", pytrace=False
            )
        _left.extend(f"{item.nodeid}: {line}" for line in keeping.end_leftovers(item.stash.get(_started, set())))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _seconds[report.nodeid.split("::")[0]] += report.duration


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left"] = list(_left)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What one of several processes of a session tells at its end."""
    _left.extend(getattr(node, "workeroutput", {}).get("left", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in _left:
        terminalreporter.write_line(f"ended what a test left running: {line}")
    if config.option.keep_durations:
        keeping.keep_durations(_seconds)


def _file(item: pytest.Item) -> str:
    return item.nodeid.split("::")[0]


@pytest.fixture(scope="session")
def shared_cache() -> Path:
    """One cache for all tests that do not test the cache: what one of them converted, another one reads."""
    return Path(os.environ[SHARED]) / "cache"


@pytest.fixture(scope="session")
def adb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdbServer]:
    with AdbServer(tmp_path_factory.mktemp("adb")) as server:
        yield server


@pytest.fixture
def adb_environment(adb_server: AdbServer, monkeypatch: pytest.MonkeyPatch) -> AdbServer:
    for name, value in adb_server.environment.items():
        monkeypatch.setenv(name, value)
    return adb_server
