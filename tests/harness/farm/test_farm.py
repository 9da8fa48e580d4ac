"""Hosted farms: the files and commands that they want, and their results as our records."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from pathlib import Path

import pytest
import yaml

from harness.devices.android.apk import read_application_id
from harness.errors import UsageError
from harness.farm import FARMS, write_job
from harness.farm.imported import import_results
from harness.records.store import open_store
from tests.harness.runs import device, make_run
from tests.harness.small_bundle import make_small_bundle
from tests.harness.test_cli import harness


@pytest.fixture(scope="module")
def apk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An APK with a manifest that the real aapt2 compiled, and a bundle in its assets."""
    root = tmp_path_factory.mktemp("apk")
    (root / "AndroidManifest.xml").write_text(
        '<manifest package="org.example.farm"><application/></manifest>', encoding="utf-8"
    )
    argv = ["aapt2", "link", "--manifest", root / "AndroidManifest.xml", "-o", root / "my app.apk"]
    subprocess.run(argv, check=True, timeout=60, capture_output=True)
    bundle = make_small_bundle(root / "bundle")
    with zipfile.ZipFile(root / "my app.apk", "a") as archive:
        for path in sorted(bundle.rglob("*")):
            if path.is_file():
                archive.write(path, f"assets/edgebundle/small/{path.relative_to(bundle).as_posix()}")
    return root / "my app.apk"


def test_the_application_id_is_read_from_the_compiled_manifest(apk: Path) -> None:
    """Without any Android tool."""
    assert read_application_id(apk) == "org.example.farm"


@pytest.mark.parametrize("farm", sorted(FARMS))
def test_a_job_is_a_folder_that_the_farms_tool_takes(apk: Path, tmp_path: Path, farm: str) -> None:
    """App, spec and a command that the shell accepts, with the names of this app quoted; written again it is replaced."""
    target = tmp_path / farm
    for _ in range(2):
        written = write_job(apk, farm, "standard", 20, target)
    assert (target / "my app.apk").read_bytes() == apk.read_bytes()
    assert set(written) <= {path.name for path in target.iterdir()}
    subprocess.run(["bash", "-n", target / "commands.sh"], check=True, timeout=60)
    assert os.access(target / "commands.sh", os.X_OK)
    commands = (target / "commands.sh").read_text(encoding="utf-8")
    assert "'my app.apk'" in commands


def test_aws_gets_a_spec_that_measures_and_keeps_the_records(apk: Path, tmp_path: Path) -> None:
    """The spec is YAML whose commands start the app's benchmark on the farm's phone and put the records where it collects them."""
    write_job(apk, "aws", "quick", 20, tmp_path / "job")
    spec = yaml.safe_load((tmp_path / "job" / "testspec.yml").read_text(encoding="utf-8"))
    test, after = spec["phases"]["test"]["commands"], spec["phases"]["post_test"]["commands"]
    assert any(
        "am start -W -n org.example.farm/org.edgebundle.app.MainActivity --es protocol quick" in line for line in test
    )
    assert any("-ge 3 ]" in line for line in test)  # variants of the bundle
    assert after[0] == (
        'adb -s "$DEVICEFARM_DEVICE_UDID" pull /sdcard/Android/data/org.example.farm/files/runs.jsonl "$DEVICEFARM_LOG_DIR/runs.jsonl"'
    )
    assert spec["artifacts"] == ["$DEVICEFARM_LOG_DIR"]
    for line in (*test, *after):
        subprocess.run(["bash", "-n", "-c", line], check=True, timeout=60)


def test_firebase_gets_a_script_that_measures_and_waits(apk: Path, tmp_path: Path) -> None:
    """The Robo script starts the benchmark and waits; the command pulls the folder that the app writes to."""
    write_job(apk, "firebase", "standard", 7, tmp_path / "job")
    (script,) = json.loads((tmp_path / "job" / "robo.json").read_text(encoding="utf-8"))
    start, wait, end = script["actions"]
    assert start["command"].startswith(
        "am start -W -n org.example.farm/org.edgebundle.app.MainActivity --es protocol standard"
    )
    assert wait["delayTime"] == 7 * 60_000
    assert end["eventType"] == "TERMINATE_CRAWL"
    commands = (tmp_path / "job" / "commands.sh").read_text(encoding="utf-8")
    assert "--directories-to-pull /sdcard/Android/data/org.example.farm/files" in commands


def test_what_cannot_be_a_job_is_said(apk: Path, small_bundle: Path, tmp_path: Path) -> None:
    """No APK, no bundle inside, a folder of somebody else, an impossible time: one sentence, nothing written or removed."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="was not written by this command"):
        write_job(apk, "aws", "quick", 20, other)
    assert (other / "mine.txt").read_text(encoding="utf-8") == "mine"
    with pytest.raises(UsageError, match="1 to 150 minutes"):
        write_job(apk, "aws", "quick", 0, tmp_path / "job")
    with pytest.raises(UsageError, match="is not an APK"):
        write_job(small_bundle, "aws", "quick", 20, tmp_path / "job")
    text = tmp_path / "text.apk"
    text.write_text("no archive", encoding="utf-8")
    with pytest.raises(UsageError, match="not a readable archive"):
        write_job(text, "aws", "quick", 20, tmp_path / "job")
    assert not (tmp_path / "job").exists()


@pytest.mark.parametrize("cut", [0, 3, 9, 40, 200, 600])
def test_a_damaged_manifest_is_one_sentence(apk: Path, tmp_path: Path, cut: int) -> None:
    """A compiled manifest that ends early, or whose bytes are turned, is no traceback and no endless loop."""
    with zipfile.ZipFile(apk) as archive:
        data = archive.read("AndroidManifest.xml")
    for name, content in (("short", data[:cut]), ("turned", data[:cut] + bytes(255 - byte for byte in data[cut:]))):
        path = tmp_path / f"{name}.apk"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("AndroidManifest.xml", content)
        try:
            found = read_application_id(path)
        except UsageError as error:
            found = str(error)
        assert found == "org.example.farm" or "is not an APK whose manifest can be read" in found


def results(folder: Path) -> Path:
    """As the farms lay them out, with synthetic records: AWS one archive a phone, Test Lab a folder a phone."""
    label = "synthetic sample, not measured"
    aws = [
        make_run(id=f"aws{n}", variant=f"v{n}", mode="app", device=device("android", "aws-1"), simulated=label)
        for n in range(2)
    ]
    drifting = tuple(5_000_000 + 10_000 * n for n in range(200))
    lab = make_run(id="lab", mode="app", device=device("android", "lab-1"), simulated=label, latency_ns=drifting)
    hidden = make_run(
        id="hidden",
        mode="app",
        device=device("android", "lab-1"),
        variant="h",
        simulated=label,
        verdict="unstable: hidden",
    )
    (folder / "Pixel 8").mkdir(parents=True)
    with zipfile.ZipFile(folder / "Pixel 8" / "customer_artifacts_1.zip", "w") as archive:
        archive.writestr(
            "Host_Machine_Files/$DEVICEFARM_LOG_DIR/runs.jsonl", "".join(run.to_json() + "\n" for run in aws)
        )
    place = (
        folder / "oriole-33-en-portrait" / "artifacts" / "sdcard" / "Android" / "data" / "org.example.farm" / "files"
    )
    place.mkdir(parents=True)
    (place / "runs.jsonl").write_text(f"{lab.to_json()}\n{hidden.to_json()}\n{lab.to_json()[:80]}", encoding="utf-8")
    return folder


def test_results_become_records_once(tmp_path: Path) -> None:
    """Archives and folders are searched, every record is judged anew and kept once, and its label stays."""
    folder = results(tmp_path / "results")
    store = open_store(str(tmp_path / "runs.sqlite"), create=True)
    first, again = import_results(folder, store), import_results(folder, store)
    assert [run.id for run in store.runs()] == [run.id for run in first.runs] == ["aws0", "aws1", "lab", "hidden"]
    assert (again.runs, again.known) == ((), 4)
    verdicts = {run.id: run.verdict.words for run in first.runs}
    assert verdicts["aws0"] == "ok"
    assert verdicts["lab"].startswith("invalid: not stationary: the latency drifted by +")
    assert verdicts["hidden"] == "unstable: hidden"
    assert {run.simulated for run in first.runs} == {"synthetic sample, not measured"}
    store.close()


def test_folders_without_records_and_foreign_files_are_said(tmp_path: Path) -> None:
    """No folder, an empty one, a broken archive, and lines that are no records are one sentence."""
    store = open_store(str(tmp_path / "runs.sqlite"), create=True)
    with pytest.raises(UsageError, match="is not a folder"):
        import_results(tmp_path / "none", store)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no run records"):
        import_results(tmp_path / "empty", store)
    (tmp_path / "empty" / "x.zip").write_bytes(b"PK no zip")
    with pytest.raises(UsageError, match="cannot be read"):
        import_results(tmp_path / "empty", store)
    (tmp_path / "empty" / "x.zip").unlink()
    (tmp_path / "empty" / "runs.jsonl").write_text('{"some": "thing"}\n', encoding="utf-8")
    with pytest.raises(UsageError, match=r"runs\.jsonl line 1 is not a valid run record"):
        import_results(tmp_path / "empty", store)
    assert list(store.runs()) == []
    store.close()


def test_the_commands(apk: Path, tmp_path: Path) -> None:
    """`harness farm` writes a job and imports results; nothing to do, and both at once, are bad usage."""
    done = harness("farm", apk, "--format", "firebase", "-o", tmp_path / "job")
    assert done.returncode == 0, done.stderr
    assert "the commands to type are in" in done.stderr
    done = harness("farm", "--import", results(tmp_path / "results"), "-o", tmp_path / "runs.sqlite")
    assert done.returncode == 0, done.stderr
    assert "kept 4 runs" in done.stderr
    assert "ends in the middle of a record, which is left out" in done.stderr
    assert "synthetic sample, not measured" in done.stdout
    for words in ((), (apk, "--import", tmp_path)):
        done = harness("farm", *words)
        assert done.returncode == 2
        assert "give either an APK" in done.stderr
