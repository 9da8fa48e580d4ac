"""The measured order of variants: from records of phones into a bundle, and what may not decide it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builder.bundle import Bundle, Phone, Ranking
from harness.analysis.ranking import Ranked, rank_measured, write_ranked
from harness.cli import main
from harness.errors import MeasurementError, UsageError
from harness.records.run import BrowserInfo, DeviceInfo, GoldenResult, Reading, Run, TextReading
from harness.records.store import open_store
from tests.bundles import make_unopened_bundle
from tests.harness.runs import device, make_run

SOC = "Google Tensor G3"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_unopened_bundle(tmp_path_factory.mktemp("rank") / "bundle")


def phone(serial: str, soc: str | None = SOC, kind: str = "android") -> DeviceInfo:
    known = TextReading(value=soc) if soc else TextReading(reason="Android before 12 does not name it")
    return device(kind, serial).model_copy(update={"soc": known, "model": TextReading(value="Google Pixel 8")})


def measured(bundle: Bundle, variant: str, ms: float, on: DeviceInfo | None = None, **changes: Any) -> Run:
    on = on or phone("A")
    fields = {
        "variant": variant,
        "variant_sha256": bundle.variant(variant).sha256,
        "device": on,
        "mode": {"android": "shell", "android-app": "app", "ios": "app"}.get(on.kind, "python"),
        "latency_ns": tuple(int(ms * 1e6) + 1000 * (i % 7) for i in range(30)),
    }
    return make_run(**{**fields, **changes})


def order(runs: list[Run], bundle: Bundle) -> dict[str | None, tuple[str, ...]]:
    return {ranking.soc or ranking.model: ranking.variants for ranking in rank_measured(runs, bundle).phones}


def test_the_fastest_comes_first_on_each_kind_of_phone(bundle: Bundle) -> None:
    """Each SoC has its own order; a phone that does not name its SoC is ranked by its model."""
    runs = [
        measured(bundle, "tflite-first", 9),
        measured(bundle, "tflite-second", 4),
        measured(bundle, "tflite-first", 3, phone("B", "Qualcomm SM8750")),
        measured(bundle, "tflite-second", 5, phone("B", "Qualcomm SM8750")),
        measured(bundle, "tflite-second", 7, phone("C", None)),
        measured(bundle, "executorch-fp32", 6, phone("C", None)),
    ]
    assert order(runs, bundle) == {
        SOC: ("tflite-second", "tflite-first"),
        "Qualcomm SM8750": ("tflite-first", "tflite-second"),
        "Google Pixel 8": ("executorch-fp32", "tflite-second"),
    }


def test_the_last_measurement_counts_and_phones_of_one_soc_are_averaged(bundle: Bundle) -> None:
    """A session replaces the one before it; a phone that measured one variant only leaves the others out."""
    runs = [
        measured(
            bundle, "tflite-first", 1, session="old", protocol=make_run().protocol.model_copy(update={"name": "x"})
        ),
        measured(bundle, "tflite-first", 8, session="new"),
        measured(bundle, "tflite-second", 5, session="new"),
        measured(bundle, "executorch-fp32", 1, session="new"),
        measured(bundle, "tflite-first", 5, phone("B")),
        measured(bundle, "tflite-second", 6, phone("B")),
    ]
    assert order(runs, bundle) == {SOC: ("tflite-second", "tflite-first")}


def test_the_app_of_a_phone_decides_where_it_measured_two(bundle: Bundle) -> None:
    """Users get the app's runtime: shell runs of the same phone count only where the app's do not make an order."""
    app = phone("A", kind="android-app")
    in_shell = [measured(bundle, "tflite-first", 1), measured(bundle, "tflite-second", 5)]
    in_app = [measured(bundle, "tflite-first", 9, app), measured(bundle, "tflite-second", 4, app)]
    assert order([*in_shell, *in_app], bundle) == {SOC: ("tflite-second", "tflite-first")}
    assert order(in_shell, bundle) == {SOC: ("tflite-first", "tflite-second")}


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict": "unstable: the dispersion is 30 %"},
        {"verdict": "invalid: golden 0 fails"},
        {"variant_sha256": "f" * 64},
        {"simulated": "simulated"},
        {"device": device("host"), "mode": "python"},
    ],
)
def test_what_may_not_decide(bundle: Bundle, changes: dict[str, Any]) -> None:
    """Poor and wrong runs, those of another artifact, simulated ones and the host's own rank nothing."""
    runs = [measured(bundle, "tflite-first", 3), measured(bundle, "tflite-second", 1, **changes)]
    with pytest.raises(MeasurementError, match=r"no phone or browser measured two variants .* \(1 good"):
        rank_measured(runs, bundle)


def paged(
    bundle: Bundle, variant: str, ms: float, *, device_id: str = "B", executed: str = "xnnpack", **changes: Any
) -> Run:
    """A run of a page in Chrome on a phone with an Adreno."""
    untold = Reading(value=5000, unit="ns")
    chrome = BrowserInfo(
        name="Chrome", version="1", gpu=TextReading(value="qualcomm adreno-7xx"), isolated=True, timer_ns=untold
    )
    on = {
        "device": device("browser", device_id),
        "delegate_requested": executed,
        "delegate_executed": TextReading(value=executed),
    }
    return measured(bundle, variant, ms, **{**on, "mode": "web", "browser": chrome, **changes})


def test_browsers_have_orders_of_their_own(bundle: Bundle) -> None:
    """By browser and GPU, for each way of running a variant; runs of pages rank no phone, nor the other way round."""
    runs = [
        paged(bundle, "tflite-first", 9),
        paged(bundle, "tflite-second", 12),
        paged(bundle, "tflite-second", 4, executed="gpu"),
        measured(bundle, "tflite-first", 3),
        measured(bundle, "tflite-second", 5),
    ]
    ranked = rank_measured(runs, bundle)
    (browsers,) = ranked.browsers
    assert (browsers.browser, browsers.gpu) == ("Chrome", "qualcomm adreno-7xx")
    ways = [(way.variant, way.accelerator) for way in browsers.ways]
    assert ways == [("tflite-second", "webgpu"), ("tflite-first", "wasm"), ("tflite-second", "wasm")]
    assert [ranking.variants for ranking in ranked.phones] == [("tflite-first", "tflite-second")]


def test_what_was_wrong_in_one_browser_is_in_no_order_of_its_kind(bundle: Bundle) -> None:
    """Although it was right, and the fastest, on another phone."""
    wrong = GoldenResult(id="0", passed=False, psnr_db=9.0, max_abs_error=0.9, min_psnr_db=45.0)
    runs = [
        *(paged(bundle, name, ms) for name, ms in (("tflite-first", 9), ("tflite-second", 4))),
        *(paged(bundle, name, ms, executed="gpu") for name, ms in (("tflite-first", 1), ("tflite-second", 7))),
        paged(
            bundle, "tflite-first", 1, executed="gpu", device_id="C", golden=wrong, verdict="invalid: golden 0 fails"
        ),
    ]
    (browsers,) = rank_measured(runs, bundle).browsers
    ways = [(way.variant, way.accelerator) for way in browsers.ways]
    assert ways == [("tflite-second", "wasm"), ("tflite-second", "webgpu"), ("tflite-first", "wasm")]


def test_browsers_alone_make_a_bundle(bundle: Bundle, tmp_path: Path) -> None:
    """Its manifest is read back; without any order the file has no key that older readers do not know."""
    ranked = rank_measured([paged(bundle, "tflite-first", 9), paged(bundle, "tflite-second", 4)], bundle)
    write_ranked(bundle, ranked, tmp_path / "ranked")
    assert Bundle.open(tmp_path / "ranked").manifest.browser_rankings == ranked.browsers
    assert "browser_rankings" not in bundle.manifest.to_json()


def test_the_command_writes_a_bundle_that_opens(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`harness rank` leaves the bundle as it is and writes one with the rankings; a second time its place is taken."""
    store = open_store(str(tmp_path / "runs.jsonl"), create=True)
    for number, (variant, ms) in enumerate([("tflite-first", 9.0), ("tflite-second", 4.0)]):
        store.append(measured(bundle, variant, ms, id=str(number)))
    store.close()
    words = ["rank", str(tmp_path / "runs.jsonl"), str(bundle.root), "-o", str(tmp_path / "ranked"), "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["rankings"][0]["variants"] == ["tflite-second", "tflite-first"]
    ranked = Bundle.open(tmp_path / "ranked").manifest
    assert ranked.rankings == (
        Ranking(
            soc=SOC,
            variants=("tflite-second", "tflite-first"),
            phones=(Phone(soc=SOC, model="Google Pixel 8"),),
        ),
    )
    assert ranked.model_copy(update={"rankings": ()}) == bundle.manifest
    assert main(words) == 2
    assert "exists; choose another place" in capsys.readouterr().err


def test_a_place_that_cannot_be_written(bundle: Bundle, tmp_path: Path) -> None:
    """A place below a file is refused in one sentence, with nothing left over."""
    (tmp_path / "file").write_text("x")
    ranked = Ranked(phones=(Ranking(soc=SOC, variants=("tflite-first",)),), browsers=())
    with pytest.raises(UsageError, match="cannot be written"):
        write_ranked(bundle, ranked, tmp_path / "file" / "ranked")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
