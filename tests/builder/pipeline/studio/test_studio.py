"""`builder studio` as a person uses it: the real command, a real browser, and questions that no page of ours asks."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from builder.precision.plan import load_plan
from tests.builder.processes import find_processes, make_own_servers, wait_until
from tests.builder.projects import make_project
from tests.harness.small_bundle import make_small_bundle
from tests.web import looks
from tests.web.site import chromium, wait_for

PLAN = "tflite-xnnpack-plan"


@dataclass(frozen=True)
class Session:
    """A studio that runs: where, and the token that opens it."""

    port: int
    token: str
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/#{self.token}"

    def ask(
        self, method: str, path: str, body: object = None, token: str | None = None, host: str | None = None
    ) -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"X-Studio-Token": self.token if token is None else token, "Content-Type": "application/json"}
        if host is not None:
            headers["Host"] = host
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        told = json.loads(content) if answer.headers.get("Content-Type", "").startswith("application/json") else content
        return answer.status, told


@contextmanager
def studio(source: Path, cache: Path, log: Path) -> Iterator[Session]:
    """The command itself, ended by Ctrl-C, which is no failure and leaves no process."""
    words = [sys.executable, "-m", "builder", "studio", str(source)]
    with log.open("w") as stream:
        process = subprocess.Popen(words, env=make_own_servers(cache), stdout=stream, stderr=stream)
    try:
        wait_until(lambda: "open http" in log.read_text() or process.poll() is not None, "the address", 300)
        found = re.search(r"open http://127\.0\.0\.1:(\d+)/#(\S+)", log.read_text())
        assert found is not None, log.read_text()
        yield Session(int(found[1]), found[2], source if source.is_dir() else source.parent)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in log.read_text()
    wait_until(lambda: not find_processes(cache), "everything has ended", 30)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    work = tmp_path_factory.mktemp("studio")
    with studio(make_project(work / "project"), work / "cache", work / "log") as session:
        yield session


@pytest.fixture(scope="module")
def page(session: Session) -> Iterator[Page]:
    """The page once all plans of builder.toml were exported and its layers were simulated."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 900}, color_scheme="light")
        page.goto(session.url)
        page.get_by_role("button", name=PLAN).click()
        damages = page.locator("#layers td[data-label^=alone]:not(:empty)")
        wait_until(lambda: damages.count() == 2 and page.locator("figure").count() == 3, "the first exports", 300)
        yield page


def read_number(text: str) -> int:
    found = re.search(r"([\d,]+) bytes", text)
    assert found is not None, text
    return int(found[1].replace(",", ""))


def test_a_switch_is_predicted_at_once_and_exported_by_a_click(session: Session, page: Page) -> None:
    """Bytes and dB of a changed layer before and after its export; a plan that somebody else changed meanwhile is not written over."""
    plan = session.folder / "plan.toml"
    plan.write_text(f"# by hand\n{plan.read_text()}")
    page.get_by_label("scheme of dw").select_option("fp32")
    wait_for(lambda: "Predicted" in page.inner_text("#figures"), "a prediction")
    predicted = read_number(page.inner_text("#figures"))
    assert " dB" in page.inner_text("#figures")
    page.click("#try")
    wait_for(lambda: page.locator("figure").count() == 4, "the export")
    wait_for(lambda: "Measured" in page.inner_text("#figures"), "its figures")
    measured = read_number(page.inner_text("#figures"))
    assert abs(predicted - measured) < 0.15 * measured
    assert page.is_disabled("#try")
    page.check("#enlarge")
    assert page.locator("figure img[alt*='difference, times']").count() == 3
    page.uncheck("#enlarge")
    page.click("#write")
    wait_for(lambda: page.inner_text("#status") != "", "what was written")
    assert "changed by another program" in page.inner_text("#status")
    plan.write_text(plan.read_text().removeprefix("# by hand\n"))


def test_every_layer_has_its_milliseconds(session: Session, page: Page) -> None:
    """As `harness profile` measures them here, labelled so; of a plan that is not exported there are none."""
    timed = page.locator("#layers td[data-label^=time]:not(:empty)")
    wait_for(lambda: timed.count() == 4, "a time of each layer")
    said = page.inner_text("#timed")
    assert "on this computer, 1 thread, median of 20 inferences" in said
    variants = session.ask("GET", "/api/state")[1]["variants"]
    times = next(v for v in variants if v["id"] == PLAN)["trials"][0]["times"]
    assert set(times["layers_ms"]) == {"head", "dw", "pw", "tail"}
    assert sum(times["layers_ms"].values()) + times["rest_ms"] == pytest.approx(times["total_ms"])
    page.get_by_label("scheme of tail").select_option("fp32")
    wait_for(lambda: "this plan is not exported" in page.inner_text("#timed"), "no times")
    assert timed.count() == 0
    page.click("#reset")
    wait_for(lambda: timed.count() == 4, "the times again")


def test_a_plan_that_is_written_keeps_what_a_person_wrote(session: Session) -> None:
    """Only what was changed comes after it, once, however often it is written; nobody else's change is lost."""
    plan = session.folder / "plan.toml"
    state = session.ask("GET", "/api/state")[1]
    schemes = [layer["scheme"] for layer in next(v for v in state["variants"] if v["id"] == PLAN)["layers"]]
    for scheme in ("fp32", "fp16"):
        schemes[1] = scheme
        status, told = session.ask("POST", "/api/write", {"variant": PLAN, "schemes": schemes})
        assert status == 200, told
        assert "plan.toml is written" in told["said"]
    state = session.ask("GET", "/api/state")[1]
    shown = [layer["scheme"] for layer in next(v for v in state["variants"] if v["id"] == PLAN)["layers"]]
    assert shown == schemes  # for every tab, and after a reload
    text = plan.read_text()
    assert 'match = "head|tail"' in text
    rules = load_plan(plan).rule
    assert [(rule.match, rule.scheme) for rule in rules[2:]] == [("dw", "fp16")]


def test_another_tab_sees_what_one_tab_tries(session: Session, page: Page) -> None:
    """Without a reload, and once: the same plan is not exported again."""
    rows = page.locator("#trials tbody tr")
    before = rows.count()
    schemes = [layer["scheme"] for layer in session.ask("GET", "/api/state")[1]["variants"][1]["layers"]]
    for _ in range(2):
        asked = {"variant": PLAN, "schemes": [*schemes[:3], "dynamic_wi8_afp32"]}
        assert session.ask("POST", "/api/try", asked)[0] == 200
    wait_for(lambda: rows.count() == before + 1, "the other tab's trial")
    wait_for(lambda: "is exported" not in page.inner_text("#trials"), "its end")


def test_the_page_is_for_everybody(page: Page) -> None:
    """Names, contrast and width, from a phone to a desk, light and dark."""
    for width, scheme in ((390, "dark"), (1400, "light")):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert looks.unnamed(page) == []
        assert looks.find_faint_texts(page) == []
        assert looks.find_small_targets(page) == []


def test_only_the_session_s_own_page_may_ask(session: Session) -> None:
    """No token, a wrong one, and another name for this computer; files of the disk have no address."""
    assert session.ask("GET", "/api/state", token="")[0] == 403
    assert session.ask("GET", "/api/state", token="wrong")[0] == 403
    assert session.ask("GET", "/api/state", host="evil.example")[0] == 400
    for path in ("/api/picture/..%2f..%2fbuilder.toml", "/builder.toml", "/..%2f..%2fserver.py", "/api/picture/0"):
        assert session.ask("GET", path)[0] == 404


def test_what_cannot_be_meant_is_a_sentence(session: Session) -> None:
    """An unknown variant, too few layers, a scheme that a layer cannot have, and a question of megabytes."""
    cases = [
        ({"variant": "none", "schemes": []}, "there is no variant 'none'"),
        ({"variant": PLAN, "schemes": ["fp32"]}, "1 schemes for 4 layers"),
        ({"variant": PLAN, "schemes": ["fp32"] * 3 + ["int3"]}, "layer 'tail' cannot be 'int3'"),
    ]
    for path in ("predict", "try", "write"):
        for body, said in cases:
            status, told = session.ask("POST", f"/api/{path}", body)
            assert status == 400
            assert said in told["detail"]
    assert session.ask("POST", "/api/try", {"variant": "x" * 2_000_000, "schemes": []})[0] == 413
    assert session.ask("POST", "/api/try", {"variant": PLAN})[0] == 422


def timed(session: Session) -> list[bool]:
    """Of each variant, whether its time or the reason for none is told."""
    trials = [variant["trials"][0] for variant in session.ask("GET", "/api/state")[1]["variants"]]
    return [bool(trial["times"] or trial["untimed"]) for trial in trials]


def test_a_bundle_is_shown_and_cannot_be_changed(tmp_path: Path) -> None:
    """Its layers with what was realised and why, and its pictures."""
    make_small_bundle(tmp_path / "bundle")
    with studio(tmp_path / "bundle", tmp_path / "cache", tmp_path / "log") as session:
        status, told = session.ask("GET", "/api/state")
        assert status == 200
        assert told["kind"] == "bundle"
        layers = told["variants"][0]["layers"]
        assert layers[2]["fallback"] == "the delegate takes no int8"
        wait_until(lambda: all(timed(session)), "the times", 120)
        first, second, third = (v["trials"][0] for v in session.ask("GET", "/api/state")[1]["variants"])
        assert first["times"]["layers_ms"].keys() == {"0", "2", "4"}
        assert second["times"]["total_ms"] > 0
        assert "Core ML executes on macOS and iOS only" in third["untimed"]
        state = session.ask("GET", "/api/state")[1]
        sizes = [[layer["weight_bytes"] for layer in variant["layers"]] for variant in state["variants"]]
        assert sizes == [[864, 2304, 864], [864, 2304, 864], [None, None, None]]
        absent = [variant["absent"] for variant in state["variants"]]
        assert all("a bundle holds neither what each layer does alone" in said for said in absent)
        assert ["No bytes by layer either" in said for said in absent] == [False, False, True]
        key = told["variants"][0]["trials"][0]["picture"]["picture"]
        assert session.ask("GET", f"/api/picture/{key}")[1].startswith(b"\x89PNG")
        status, told = session.ask("POST", "/api/try", {"variant": "x", "schemes": []})
        assert status == 400
        assert "a bundle cannot be changed" in told["detail"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "does not exist"),
        (["--json"], "leave out --json"),
    ],
)  # fmt: skip
def test_what_cannot_be_opened_is_told(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    from builder.cli import main

    assert main(["studio", *words]) == 2
    assert said in capsys.readouterr().err
