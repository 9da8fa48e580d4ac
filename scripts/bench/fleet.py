"""Two hundred phones on one computer: that all finish, and what the harness itself needs meanwhile.

The benchmark runs once under QEMU; all phones give that result, because two hundred processors do not fit into this one.
Everything else is real: the adb protocol, the pushed files and their hashes, the records.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil

from bench.table import LIMIT_S, ROOT, Row

sys.path.insert(0, str(ROOT))

from tests.emulated_phone import PIXEL, AdbServer, EmulatedPhone
from tests.harness.small_bundle import make_small_bundle

TRIES = 5
PHONES = int(os.environ.get("BENCH_PHONES", "200"))


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="edgebundle-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        bundle = make_small_bundle(folder / "small")
        (folder / "adb").mkdir()
        server = stack.enter_context(AdbServer(folder / "adb"))
        recorded = _recorded(folder, server, bundle)
        phones = [stack.enter_context(EmulatedPhone(folder / f"phone-{n}", PIXEL)) for n in range(PHONES)]
        for phone in phones:
            phone.replay(recorded)
            server.connect(phone.address)
        store = folder / "runs.jsonl"
        names = [word for phone in phones for word in ("-d", f"android:{phone.address}")]
        argv = [sys.executable, "-m", "harness", "run", str(bundle), *names, "-o", str(store), "-q"]
        start = time.monotonic()
        child = subprocess.Popen(argv, cwd=ROOT, env={**os.environ, **server.environment}, stdout=subprocess.DEVNULL)
        memory, processor = _watch(child)
        wall = time.monotonic() - start
        runs = [json.loads(line) for line in store.read_text(encoding="utf-8").splitlines()]
    done = {(run["device"]["id"], run["variant"]) for run in runs if run["verdict"]["grade"] != "invalid"}
    return [
        Row(
            what=f"{PHONES} emulated phones, two variants each, `quick`",
            figure="all finish",
            measured=f"{len(done)} of {2 * PHONES} runs in {wall:.0f} s, exit {child.returncode}",
            reached=len(done) == 2 * PHONES,
            instead="phones, adb and the harness on the same two processors",
        ),
        Row(
            what="what the harness's process needs meanwhile",
            figure="<= 200 MB, <= 1 core",
            measured=f"{memory / 1e6:.0f} MB, {processor / wall:.2f} cores",
            reached=memory <= 200e6 and processor <= wall,
        ),
    ]


def _watch(child: subprocess.Popen[bytes]) -> tuple[int, float]:
    """Peak resident memory in bytes and processor time in seconds of a process until it ends, without its children."""
    watched, memory, processor = psutil.Process(child.pid), 0, 0.0
    deadline = time.monotonic() + LIMIT_S
    while child.poll() is None and time.monotonic() < deadline:
        try:
            memory = max(memory, watched.memory_info().rss)
            times = watched.cpu_times()
            processor = times.user + times.system
        except psutil.NoSuchProcess:
            break
        time.sleep(0.2)
    if child.poll() is None:
        child.kill()
    child.wait(10)
    return memory, processor


def _recorded(folder: Path, server: AdbServer, bundle: Path) -> Path:
    """Results of a real session on one phone under QEMU, with the outputs of both variants: of the first session in which this
    computer let both be measured well enough, since all phones are given them."""
    for number in range(TRIES):
        verdicts, out = _session(folder / f"try-{number}", server, bundle)
        if len(verdicts) == 2 and not any(verdict == "invalid" for verdict in verdicts):
            return out
    sys.exit(f"no session on one phone was good in {TRIES} tries: {verdicts}; is this computer busy?")


def _session(folder: Path, server: AdbServer, bundle: Path) -> tuple[list[str], Path]:
    """Verdicts of the runs, and the folder of their results."""
    out = folder / "recorded"
    folder.mkdir()
    with EmulatedPhone(folder / "one", PIXEL) as phone:
        phone.faults.garble = keep_results(phone, out)
        server.connect(phone.address)
        argv = [
            sys.executable,
            "-m",
            "harness",
            "run",
            bundle,
            "-d",
            f"android:{phone.address}",
            "-o",
            folder / "one.jsonl",
            "-q",
        ]
        subprocess.run(argv, cwd=ROOT, env={**os.environ, **server.environment}, timeout=LIMIT_S, check=False)
    runs = (folder / "one.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["verdict"]["grade"] for line in runs], out


def keep_results(phone: EmulatedPhone, out: Path) -> Callable[[bytes], bytes]:
    """For the fault `garble`: keeps what each benchmark printed and its output files, as `replay` takes them, and changes nothing."""

    def kept(text: bytes) -> bytes:
        if b'"schema":1' in text:
            place = out / ("tflite" if b'"runtime":"litert"' in text else "pte")
            place.mkdir(parents=True, exist_ok=True)
            (place / "result").write_bytes(text.partition(b"\nedgebundle-end")[0])
            for file in phone.root.glob("data/local/tmp/*/output.*"):
                (place / file.name).write_bytes(file.read_bytes())
        return text

    return kept
