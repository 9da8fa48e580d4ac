"""The packed server: pictures a second against the runtime alone on the same file and processors, SIGTERM under load, a full queue."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from bench.table import BIN, ROOT, Row, run

sys.path.insert(0, str(ROOT))

from builder.bundle import open_bundle
from tests.server.test_server import Running, running

CLIENTS, TURNS, TURN_S = 50, int(os.environ.get("BENCH_TURNS", "5")), 4.0
PHOTOGRAPH = ROOT / "examples" / "tiny_style" / "images" / "evaluation" / "astronaut.jpg"
# Interpreters at once, and threads of each: which one is best, a loop has to find out.
WAYS = ((1, 2), (2, 1))
# Nothing but the runtime: inputs copied in, an inference, outputs copied out.
BARE = """
import sys, threading, time
import numpy as np
from ai_edge_litert.interpreter import Interpreter
file, count, threads, seconds = sys.argv[1], *map(int, sys.argv[2:4]), float(sys.argv[4])
made = []
def loop(interpreter):
    given = [(d["index"], np.random.default_rng(0).random(d["shape"], np.float32)) for d in interpreter.get_input_details()]
    wanted = [d["index"] for d in interpreter.get_output_details()]
    while time.perf_counter() < end:
        for index, values in given:
            interpreter.set_tensor(index, values)
        interpreter.invoke()
        for index in wanted:
            interpreter.get_tensor(index)
        made.append(None)
interpreters = [Interpreter(file, num_threads=threads) for _ in range(count)]
for interpreter in interpreters:
    interpreter.allocate_tensors()
    interpreter.invoke()
end, cpu = time.perf_counter() + seconds, time.process_time()
workers = [threading.Thread(target=loop, args=(interpreter,)) for interpreter in interpreters]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
print(len(made) / seconds, 1000 * (time.process_time() - cpu) / len(made))
"""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """The runtime alone at its best and the server, one right after the other. CPU times are milliseconds a picture."""

    bare: float
    bare_ms: float
    served: float
    server_ms: float
    clients_ms: float
    p99_s: float


def serve(bundle: Path, work: Path) -> list[Row]:
    """Fifty clients on this computer, which take a part of its processors from the server."""
    run("builder", "package", bundle, "--target", "server", "-o", work / "server")
    folder = work / "server" / "tiny-style-server"
    picture = work / "upload.jpg"
    with Image.open(PHOTOGRAPH) as image:
        image.convert("RGB").resize((256, 256)).save(picture, quality=90)
    turns = take_turns(folder, picture, work)
    with running(folder, work / "log", queue=64, drain_s=2) as server:
        counts, lost = end_under_load(server, picture.read_bytes(), TURN_S)
    with running(folder, work / "log", queue=4) as server:
        refused, _ = end_under_load(server, picture.read_bytes(), 2.0)
    ratio = float(np.median([turn.served / turn.bare for turn in turns]))
    turn = sorted(turns, key=lambda turn: turn.served / turn.bare)[len(turns) // 2]
    said = (
        f"{ratio:.2f}x ({turn.served:.0f} and {turn.bare:.0f}/s; CPU a picture: server {turn.server_ms:.1f} ms, clients "
        f"{turn.clients_ms:.1f} ms, bare {turn.bare_ms:.1f} ms; p99 {turn.p99_s:.2f} s)"
    )
    return [
        Row(what=f"server, {CLIENTS} clients on its 2 cores, JPEG in, PNG out: pictures/s over the bare runtime in a loop", figure=">= 0.8x",
            measured=said, reached=ratio >= 0.8),
        Row(what="server: lost at SIGTERM", figure="0", measured=f"{lost} of {sum(counts.values())}", reached=lost == 0),
        Row(what="server: beyond a queue of 4", figure="429", measured=f"{refused[429]} refused", reached=refused[429] > 0),
    ]  # fmt: skip


def take_turns(folder: Path, picture: Path, work: Path) -> list[Turn]:
    """Pairs, so that whatever else the computer does meets both. The server has the settings that it has without any."""
    with open_bundle(folder / "bundle") as bundle:
        variants = bundle.manifest.variants
    with running(folder, work / "log", workers=None, threads=None, queue=64) as server:
        served = json.loads(server.ask("GET", "/v1/model")[2])["variant"]
        file = folder / "bundle" / next(variant.file for variant in variants if variant.id == served)
        return [take_turn(server, file, picture) for _ in range(TURNS)]


def take_turn(server: Running, file: Path, picture: Path) -> Turn:
    bare, bare_ms = max(tuple(map(float, _answer("-c", BARE, file, *way, TURN_S / 2).split())) for way in WAYS)
    before = measure_cpu_s(server.process.pid)
    told = json.loads(_answer(Path(__file__).with_name("clients.py"), server.port, CLIENTS, TURN_S, picture))
    pictures = told["counts"]["200"]
    return Turn(
        bare=bare,
        bare_ms=bare_ms,
        served=pictures / TURN_S,
        server_ms=1000 * (measure_cpu_s(server.process.pid) - before) / pictures,
        clients_ms=1000 * told["cpu_s"] / pictures,
        p99_s=float(np.percentile(told["took"], 99)),
    )


def measure_cpu_s(pid: int) -> float:
    """Processor time that a process has used, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _answer(*words: object) -> str:
    done = subprocess.run(
        [str(BIN / "python"), *map(str, words)], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


def end_under_load(server: Running, body: bytes, seconds: float) -> tuple[Counter[int], int]:
    """Answers by status, and how many were lost; SIGTERM comes after `seconds`."""
    counts: Counter[int] = Counter()
    lost: list[str] = []
    lock, told = threading.Lock(), threading.Event()

    def client(_: int) -> None:
        while True:
            try:
                status = server.process_picture(body)[0]
            except ConnectionRefusedError:
                return
            except OSError as error:
                lost.append(repr(error))
                return
            with lock:
                if not told.is_set():
                    counts[status] += 1
            if status == 503:
                return
            if status == 429:
                time.sleep(0.05)

    with ThreadPoolExecutor(CLIENTS) as pool:
        futures = [pool.submit(client, number) for number in range(CLIENTS)]
        time.sleep(seconds)
        told.set()
        server.process.send_signal(signal.SIGTERM)
        for future in futures:
            future.result(60)
    return counts, len(lost)
