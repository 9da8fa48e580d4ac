"""A private adb server: every test that lists or opens devices uses it, so that none touches the user's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.emulated_phone import AdbServer


@pytest.fixture(scope="session")
def adb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdbServer]:
    with AdbServer(tmp_path_factory.mktemp("adb")) as server:
        yield server


@pytest.fixture
def adb_environment(adb_server: AdbServer, monkeypatch: pytest.MonkeyPatch) -> AdbServer:
    for name, value in adb_server.environment.items():
        monkeypatch.setenv(name, value)
    return adb_server
