"""A private adb server: every test that lists or opens devices uses it, so that none touches the user's own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.emulated_phone import AdbServer

# The same examples in every CI run, so that a commit passes or fails by what it changed; other runs look further.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("free", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "free")


@pytest.fixture(scope="session")
def adb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdbServer]:
    with AdbServer(tmp_path_factory.mktemp("adb")) as server:
        yield server


@pytest.fixture
def adb_environment(adb_server: AdbServer, monkeypatch: pytest.MonkeyPatch) -> AdbServer:
    for name, value in adb_server.environment.items():
        monkeypatch.setenv(name, value)
    return adb_server
