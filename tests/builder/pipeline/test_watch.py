"""`builder convert --watch` as a person uses it: a plan is edited, broken and mended, and Ctrl-C ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from builder.bundle import Bundle
from builder.pipeline.watch import take_stamp
from tests.builder.processes import find_processes, make_own_servers, wait_until
from tests.builder.projects import edit, make_project


def test_a_changed_plan_is_converted_again_and_shown_beside_the_one_before(tmp_path: Path) -> None:
    """Three rounds: as it is, a plan that names no layer (one sentence, the bundle stays), and a plan that changes bytes and dB."""
    project, cache, out = make_project(tmp_path / "project"), tmp_path / "cache", tmp_path / "bundle"
    page, log = tmp_path / "bundle.watch.html", tmp_path / "log"
    words = [sys.executable, "-m", "builder", "convert", str(project), "-o", str(out), "--watch"]
    with log.open("w") as stream:
        process = subprocess.Popen(words, env=make_own_servers(cache), stdout=stream, stderr=stream)
    try:
        wait_until(lambda: log.read_text().count("converted") == 1, "the first conversion", 300)
        first = Bundle.open(out)
        edit(project / "plan.toml", "head|tail", "haed")
        wait_until(lambda: "did you mean 'head'" in log.read_text(), "the sentence of a wrong plan", 60)
        wait_until(lambda: "did you mean" in page.read_text(), "the same on the page", 60)
        assert Bundle.open(out).sha256 == first.sha256
        edit(project / "plan.toml", 'match = "haed"\nscheme = "fp16"', 'match = "head"\nscheme = "fp32"')
        wait_until(lambda: log.read_text().count("converted") == 2, "the third conversion", 300)
        second = Bundle.open(out)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
    was, now = (bundle.manifest.variants[1] for bundle in (first, second))
    assert was.bytes != now.bytes
    told = log.read_text()
    assert f"{now.bytes - was.bytes:+,}" in told
    assert "Traceback" not in told
    text = page.read_text()
    assert 'http-equiv="refresh"' in text
    assert text.count("<figcaption>before</figcaption>") == 2
    assert f"({now.bytes - was.bytes:+,} B)" in text
    wait_until(lambda: not find_processes(cache), "everything has ended", 30)


def test_every_file_that_decides_a_bundle_is_watched(tmp_path: Path) -> None:
    """Settings, plan, code, weights, pictures of both sets, one that is added, and settings that were wrong."""
    project = make_project(tmp_path / "project")
    known = take_stamp(project / "builder.toml")
    for name in ("builder.toml", "plan.toml", "model.py", "small.safetensors", "calibration/0.png", "evaluation/1.png"):
        os.utime(project / name, ns=(1, 1))
        changed = take_stamp(project / "builder.toml")
        assert changed != known, name
        known = changed
    (project / "evaluation" / "9.png").write_bytes((project / "evaluation" / "0.png").read_bytes())
    assert take_stamp(project / "builder.toml") != known
    (project / "builder.toml").write_text("[model", encoding="utf-8")
    wrong = take_stamp(project / "builder.toml")
    os.utime(project / "builder.toml", ns=(2, 2))
    assert take_stamp(project / "builder.toml") != wrong
