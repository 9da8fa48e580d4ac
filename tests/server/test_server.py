"""`builder package --target server`: the packed server, run as its image would run it, on loopback."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import builder
from builder.bundle import hash_file, list_tree
from builder.errors import ConfigError
from tests.android.several import classifier
from tests.harness.small_bundle import make_small_bundle, write_manifest

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 60.0


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("server")
    bundle = make_small_bundle(made / "bundle")
    return builder.package(bundle, target="server", out=made / "dist").files[0]


def picture(size: tuple[int, int] = (96, 80), form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).save(stream, form)
    return stream.getvalue()


def bomb() -> bytes:
    """A PNG of a few bytes that says it has billions of pixels."""
    head = bytearray(picture((1, 1)))
    head[16:24] = (60_000).to_bytes(4, "big") * 2
    head[29:33] = zlib.crc32(head[12:29]).to_bytes(4, "big")
    return bytes(head)


@dataclass
class Running:
    """A server in a process of its own, outside this source tree."""

    process: subprocess.Popen[bytes]
    port: int

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, HTTPResponse, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer, answer.read()
        finally:
            connection.close()

    def process_picture(self, body: bytes, query: str = "") -> tuple[int, HTTPResponse, bytes]:
        return self.ask("POST", f"/v1/process{query}", body)


@contextmanager
def running(folder: Path, log: Path, **settings: object) -> Iterator[Running]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    names = {"host": "127.0.0.1", "port": port, "workers": 1, "threads": 2, "drain_s": 1, **settings}
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    environment |= {f"SERVER_{name.upper()}": str(value) for name, value in names.items() if value is not None}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "edgebundle_server"], cwd=folder, env=environment, stdout=stream, stderr=stream
        )
    server = Running(process, port)
    try:
        deadline = time.monotonic() + LIMIT_S
        while True:
            try:
                if server.ask("GET", "/readyz")[0] == 200:
                    break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
        yield server
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings = {"body_bytes": 200_000, "pixels": 100_000, "body_s": 1}
    with running(folder, tmp_path_factory.mktemp("log") / "log", **settings) as server:
        yield server


def test_the_folder_is_whole_and_the_same_twice(folder: Path, tmp_path: Path) -> None:
    """Application, bundle, image and orchestrators; nothing of the builder that converts."""
    names = {path.relative_to(folder).as_posix() for path in list_tree(folder)}
    assert {"Dockerfile", "README.md", "kserve.yaml", "kubernetes.yaml", "requirements.txt"} <= names
    assert not any("__pycache__" in name or "targets" in name for name in names)
    again = builder.package(make_small_bundle(tmp_path / "b"), target="server", out=tmp_path / "d", fresh=True).files[0]
    assert {hash_file(path) for path in list_tree(again)} == {
        hash_file(path) for path in list_tree(folder) if "__pycache__" not in path.parts
    }


def test_what_is_installed_is_what_is_tested(folder: Path) -> None:
    """Each version of the image is the one of constraints.txt."""
    tested = set((ROOT / "constraints.txt").read_text().split())
    assert [line for line in (folder / "requirements.txt").read_text().split() if line not in tested] == []


def test_the_orchestrators_files_are_consistent(folder: Path) -> None:
    """Labels, ports and the grace period fit one another; the autoscaler asks for a metric that there is."""
    deployment, service, scaler, _ = yaml.safe_load_all((folder / "kubernetes.yaml").read_text())
    pod = deployment["spec"]["template"]
    assert deployment["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"] == service["spec"]["selector"]
    assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert pod["spec"]["terminationGracePeriodSeconds"] > 5 + 30
    metric = scaler["spec"]["metrics"][0]["pods"]["metric"]["name"]
    assert f'"{metric}"' in (folder / "edgebundle_server" / "metrics.py").read_text()
    kserve = yaml.safe_load((folder / "kserve.yaml").read_text())
    assert kserve["spec"]["predictor"]["containers"][0]["name"] == "kserve-container"


def test_a_picture_is_processed_as_the_bundle_says(server: Running) -> None:
    """Its golden passed at the start, and the schema says what it takes."""
    status, answer, body = server.process_picture(picture())
    assert (status, answer.headers["Content-Type"]) == (200, "image/png")
    facts = json.loads(server.ask("GET", "/v1/model")[2])
    with Image.open(io.BytesIO(body)) as made:
        assert made.size == (facts["width"], facts["height"])
    assert facts["golden_db"] >= 45
    schema = json.loads(server.ask("GET", "/openapi.json")[2])
    assert set(schema["paths"]["/v1/process"]["post"]["responses"]) >= {"200", "400", "408", "413", "429", "503"}
    assert b'edgebundle_requests_total{status="200"}' in server.ask("GET", "/metrics")[2]
    assert server.ask("GET", "/healthz")[0] == 200


@pytest.mark.parametrize(
    ("body", "query", "status", "said"),
    [
        (b"", "", 400, "not a picture"),
        (b"text", "", 400, "not a picture"),
        (picture()[:200], "", 400, "picture"),
        (picture((400, 400), "JPEG"), "", 400, "160,000 pixels, at most 100,000"),
        (b"x" * 300_000, "", 413, "at most 200,000 bytes"),
        (picture(), "?vectors=no", 400, "vectors must be JSON"),
        (picture(), "?vectors=%7B%22style%22:[1]%7D", 400, "there is no vector 'style'"),
        (picture(), "?vectors=" + "1" * 9000, 422, '{"detail":"vectors: String should have at most 8192'),
        (picture((60, 60), "TIFF"), "", 400, "send a JPEG, PNG or WebP"),
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
            "",
            400,
            "send a JPEG, PNG or WebP",
        ),  # no Ghostscript is started
        (bomb(), "", 400, "far more than the 100,000 pixels"),
    ],
)
def test_what_is_no_picture_is_refused_with_a_sentence(
    server: Running, body: bytes, query: str, status: int, said: str
) -> None:
    """And the next one is processed."""
    got, _, text = server.process_picture(body, query)
    assert (got, said in text.decode()) == (status, True), text
    assert server.process_picture(picture())[0] == 200


def test_a_body_that_does_not_come_is_not_waited_for(server: Running) -> None:
    """A slow client costs its own connection alone, and a second at most."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_S) as client:
        client.sendall(b"POST /v1/process HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
        assert client.recv(100).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("asked_before", [False, True])
@pytest.mark.parametrize("said", [b"", b"POST /v1/pro"])
def test_a_head_that_does_not_come_is_not_waited_for(server: Running, said: bytes, asked_before: bool) -> None:
    """Whoever connects and says nothing, or half of what it wants, also after a whole request, is gone after seconds."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_S) as client:
        if asked_before:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        client.sendall(said)
        began = time.monotonic()
        while client.recv(1 << 16):
            pass
        assert time.monotonic() - began < 8


def test_a_head_without_end_is_refused(server: Running) -> None:
    """It is not kept until memory is full."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_S) as client:
        try:
            client.sendall(b"GET /healthz HTTP/1.1\r\nX-Long: " + b"x" * 10_000_000)
            assert client.recv(100).startswith(b"HTTP/1.1 400 ")
        except (BrokenPipeError, ConnectionResetError):
            pass  # closed while it was still sent
    assert server.ask("GET", "/healthz")[0] == 200


def test_bodies_of_many_clients_are_bounded_together(folder: Path, tmp_path: Path) -> None:
    """Clients that send without end cost no more memory than is set, and once they are gone the next is served."""
    with running(folder, tmp_path / "log", held_bytes=1_000_000, body_s=20) as server:
        body, head = b"x" * 600_000, b"POST /v1/process HTTP/1.1\r\nHost: x\r\nContent-Length: 700000\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_S) as first:
            first.sendall(head + body)
            status, answer, text = 200, None, b""
            deadline = time.monotonic() + LIMIT_S
            while status != 429 and time.monotonic() < deadline:  # until the first body has arrived
                status, answer, text = server.process_picture(body)
            assert status == 429
            assert answer is not None
            assert int(answer.headers["Retry-After"]) >= 1
            assert b"too many pictures arrive at once" in text
            assert server.process_picture(picture())[0] == 200
        deadline = time.monotonic() + LIMIT_S
        while (status := server.process_picture(body)[0]) == 429 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert status == 400  # it was taken, and is no picture


def test_fifty_clients_are_served_or_told_to_come_again(folder: Path, tmp_path: Path) -> None:
    """The queue is bounded: what it does not take gets 429 with the time to wait, and everybody is served in the end."""
    with running(folder, tmp_path / "log", queue=4) as server, ThreadPoolExecutor(50) as pool:
        first = list(pool.map(lambda _: server.process_picture(picture()), range(50)))
        counts = Counter(status for status, _, _ in first)
        assert set(counts) <= {200, 429}
        assert counts[429] > 0
        assert all(int(answer.headers["Retry-After"]) >= 1 for status, answer, _ in first if status == 429)

        def until_served(_: int) -> int:
            while (status := server.process_picture(picture())[0]) == 429:
                time.sleep(0.05)
            return status

        assert set(pool.map(until_served, range(50))) == {200}


def test_nothing_is_lost_at_sigterm(folder: Path, tmp_path: Path) -> None:
    """What was taken is answered; what comes while it ends is told to go elsewhere; the process ends well."""
    answers: list[int] = []
    lost: list[str] = []
    began = threading.Event()

    def client(server: Running) -> None:
        while True:
            try:
                status, _, _ = server.process_picture(picture())
            except ConnectionRefusedError:  # it has ended: no request was taken
                return
            except OSError as error:
                lost.append(repr(error))
                return
            answers.append(status)
            began.set()
            if status == 503:
                return

    with running(folder, tmp_path / "log", queue=64, drain_s=2) as server:
        threads = [threading.Thread(target=client, args=(server,)) for _ in range(50)]
        for thread in threads:
            thread.start()
        began.wait(LIMIT_S)
        server.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(LIMIT_S)
        assert server.process.wait(LIMIT_S) == 0
    assert lost == []
    assert set(answers) <= {200, 503}
    assert answers.count(503) > 0


@pytest.mark.parametrize(
    ("setting", "said", "status"),
    [("queue=many", "$SERVER_QUEUE is 'many'", 2), ("workers=0", "$SERVER_WORKERS must be more than 0", 2)],
)
def test_a_wrong_setting_is_told(folder: Path, setting: str, said: str, status: int) -> None:
    """Before anything is listened at."""
    name, _, value = setting.partition("=")
    environment = {**os.environ, f"SERVER_{name.upper()}": value}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "-m", "edgebundle_server"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert (done.returncode, said in done.stderr) == (status, True), done.stderr


def test_a_wrong_golden_is_not_served(tmp_path: Path) -> None:
    """A machine that computes another picture than the bundle promises serves none."""
    bundle = make_small_bundle(tmp_path / "bundle")
    write_manifest(bundle, min_psnr_db=201.0)
    folder = builder.package(bundle, target="server", out=tmp_path / "dist").files[0]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-m", "edgebundle_server"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 5
    assert re.search(r"no variant of this bundle works here.*its golden picture came out wrong", done.stderr)


def test_a_bundle_for_gpus_alone_is_refused(tmp_path: Path) -> None:
    """A server has processors."""
    bundle = make_small_bundle(tmp_path / "bundle")
    write_manifest(bundle, delegate="gpu")
    with pytest.raises(ConfigError, match="for processors"):
        builder.package(bundle, target="server", out=tmp_path / "dist")


def test_a_classifier_is_refused(tmp_path: Path) -> None:
    """A server gives pictures; what gives labels is named before anybody deploys it."""
    classifier(tmp_path / "bundle")
    with pytest.raises(ConfigError, match="gives scores alone"):
        builder.package(tmp_path / "bundle", target="server", out=tmp_path / "dist")
