"""The emulated phone: listens on a free port of this computer's loopback for adb."""

from __future__ import annotations

import contextlib
import hashlib
import math
import shlex
import shutil
import socket
import threading
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.devices.runner.binaries import find_runner_sources
from tests.emulated_phone.app import Apps
from tests.emulated_phone.connection import Connection, Stream
from tests.emulated_phone.faults import Faults
from tests.emulated_phone.personality import Personality
from tests.emulated_phone.physics import PhysicalPhone
from tests.emulated_phone.ports import Reversed, pump
from tests.emulated_phone.shell import Inside, Shell
from tests.emulated_phone.storage import Storage
from tests.emulated_phone.sync import serve_sync
from tests.emulated_phone.virtual_run import Level

DEVTOOLS = "localabstract:chrome_devtools_remote"


@dataclass(eq=False)
class EmulatedPhone:
    """A phone whose files live below `folder`; a context manager. `address` is what `adb connect` takes, and its serial.

    With `physics` its sensors answer from that model, which is its clock too: benchmarks take the model's time, an inference `level_s`
    on a cool phone (each model its own, where that is a mapping), and heat it; with a skin above `shutdown_c` it switches itself off. Without, it feels the same for ever, and latencies are what QEMU takes.
    `serial` is what it says of itself, and not the serial of adb, which is its address; `port` is where it listens.
    `unknown_commands` are those that it was asked for and does not have: a test that uses it asserts that there are none.
    """

    folder: Path
    personality: Personality
    _: KW_ONLY
    physics: PhysicalPhone | None = None
    level_s: Level = 0.1
    shutdown_c: float = math.inf
    serial: str | None = None
    port: int = 0

    def __post_init__(self) -> None:
        self.faults = Faults()
        self.root = self.folder / "root"
        self._work = self.folder / "work"
        self._work.mkdir(parents=True)
        digest = hashlib.sha256(str(self.folder).encode()).hexdigest()
        self.serial = digest[:12].upper() if self.serial is None else self.serial
        properties = {**self.personality.properties, "ro.serialno": self.serial}
        self.personality = replace(self.personality, properties=properties)
        self._fill_root()
        self.storage = Storage(self.root, self.faults)
        self.apps = Apps(self.root, self.faults, self.physics)
        inside = Inside(
            root=self.root,
            work=self._work,
            personality=self.personality,
            faults=self.faults,
            apps=self.apps,
            physics=self.physics,
            level_s=self.level_s,
            too_hot=self._shut_down,
            android_id=digest[12:28],
        )
        self._shell = Shell(inside)
        self._connections: list[Connection] = []
        self._other_services: list[str] = []
        self.reversed = Reversed()
        self.chrome_port: int | None = None  # of this computer, where the DevTools of what is the phone's Chrome listen
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"

    def _fill_root(self) -> None:
        shutil.copytree(
            find_runner_sources() / "qemu" / "cortex-a76", self.root
        )  # what the runtimes read of the processor
        (self.root / "data/local/tmp").mkdir(parents=True)

    @property
    def unknown_commands(self) -> list[str]:
        unknown = self._shell.unknown_file
        return self._other_services + (unknown.read_text(encoding="utf-8").splitlines() if unknown.exists() else [])

    @property
    def state(self) -> dict[str, str]:
        """Settings and modes that were set since the phone exists."""
        return self._shell.state

    def replay(self, folder: Path) -> None:
        """Answer benchmarks from recordings: `tflite` and `pte`, each with `result` (what was printed) and the output files."""
        self._shell.replay = folder

    @property
    def files(self) -> list[str]:
        """Paths of all files in the directory that is the shell's to write in."""
        folder = self.root / "data/local/tmp"
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))

    @property
    def benchmarks(self) -> dict[int, str]:
        """Benchmarks that run on it now."""
        return self._shell.benchmarks

    @property
    def overlaps(self) -> int:
        """Benchmarks that were started while another one still ran."""
        return self._shell.overlaps

    def move(self) -> None:
        """Wireless debugging is switched off and on: all connections break, and it listens at another port."""
        self.vanish()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    @property
    def on(self) -> bool:
        """Whether it takes connections."""
        return self._listener.fileno() >= 0

    def drop(self) -> None:
        """A loose contact: all connections break, and new ones are taken."""
        for connection in self._connections:
            connection.close()

    def vanish(self) -> None:
        """Be unplugged: the connection breaks and no new one is taken."""
        with contextlib.suppress(OSError):  # a thread waits for connections
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            connection.close()

    def plug(self) -> None:
        """Be there again under the same address."""
        if not self.on:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def switch_off(self) -> None:
        """As a phone that is too hot does; `plug` is what switches it on again."""
        self._shell.restart()
        self.vanish()

    def _shut_down(self) -> bool:
        """Whether it is too hot to go on, and so has switched itself off."""
        hot = self.physics is not None and self.physics.skin_c > self.shutdown_c
        if hot:
            self.switch_off()
        return hot

    def reboot(self) -> None:
        """All connections break, what ran is gone, and modes that are not kept over a restart are off."""
        self._shell.restart()
        self.drop()

    def boot_anew(self) -> None:
        """A restart of which adb's connection knows nothing."""
        self._shell.restart()

    def write(self, path: str, text: str) -> None:
        """Somebody else writes a file on it."""
        (self.root / path).write_text(text, encoding="utf-8")

    def clean_up(self) -> None:
        """Lose all that was put into the shell's directory, as by a cleaner that somebody installed."""
        folder = self.root / "data/local/tmp"
        shutil.rmtree(folder)
        folder.mkdir()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.vanish()
        self.reversed.close()
        self._shell.end()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return  # vanished
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(
                peer=peer, banner=self.personality.banner, faults=self.faults, serve=self._serve, lost=self.vanish
            )
            self._connections.append(connection)
            threading.Thread(target=connection.run, daemon=True).start()

    def _serve(self, connection: Connection, stream: Stream, name: str) -> None:
        service, _, argument = name.partition(":")
        options = service.split(",")
        if options[0] == "shell":
            self._shell.serve(stream, argument, framed="v2" in options)
        elif service == "exec" and argument.startswith("cmd package"):
            self.apps.install(stream, shlex.split(argument))
        elif service == "exec":
            self._shell.serve(stream, argument, framed=False)
        elif service == "sync":
            serve_sync(stream, self.storage)
        elif service == "reverse":
            self.reversed.serve(stream, argument, connection.open_to_host)
        elif name == DEVTOOLS and self.chrome_port is not None:
            pump(stream, socket.create_connection(("127.0.0.1", self.chrome_port)))
        else:
            self._other_services.append(name)
