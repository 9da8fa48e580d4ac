"""A PostgreSQL server for tests: its own data directory, a unix socket and no network, ended when the tests end."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

LIMIT_S = 120


class Postgres:
    """A context manager. As root it runs as an unprivileged user, since the server refuses root."""

    def __init__(self) -> None:
        self._programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        self.root = Path(tempfile.mkdtemp(prefix="edgebundle-pg-"))
        self._user = self._unprivileged() if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(self.root, self._user.pw_uid, self._user.pw_gid)

    @staticmethod
    def _unprivileged() -> pwd.struct_passwd:
        """The user that the Debian package makes for this."""
        return pwd.getpwnam("postgres")

    @property
    def url(self) -> str:
        return f"postgresql://tester@/postgres?host={self.root}"

    def _run(self, program: str, *words: str | Path) -> None:
        as_user = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": ()} if self._user else {}
        argv = [self._programs / program, *words]
        with (self.root / "log").open("ab") as log:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.root,
                timeout=LIMIT_S,
                check=False,
                **as_user,
            )  # type: ignore[call-overload]
        assert done.returncode == 0, (self.root / "log").read_text(encoding="utf-8")

    def __enter__(self) -> Self:
        self._run(
            "initdb", "-D", self.root / "data", "-U", "tester", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync"
        )
        self.start()
        return self

    def start(self) -> None:
        options = f"-c listen_addresses= -c unix_socket_directories={self.root} -c fsync=off"
        self._run(
            "pg_ctl", "start", "-w", "-D", self.root / "data", "-l", self.root / "data" / "server.log", "-o", options
        )

    def stop(self) -> None:
        """pg_ctl ends the process whose id the data directory names."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self.root / "data")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.root)
