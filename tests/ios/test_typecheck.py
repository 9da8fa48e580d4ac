"""Core ML, SwiftUI, UIKit and ExecuTorch code against narrow stand-ins for Apple's modules, in the Swift 6 language mode."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from builder.process import Completed
from tests.ios.swift import ROOT, Swift, build_folder, find_ios_sources


def typecheck(sources: Path, work: Path, only: str = "") -> Completed:
    """Type-check the iOS sources, or one module of them; compiled modules are kept in the working directory."""
    swift = Swift(sources, work)
    shutil.copytree(ROOT / "tests" / "ios" / "stubs", work / "stubs", dirs_exist_ok=True)
    shutil.copyfile(ROOT / "tests" / "ios" / "typecheck.sh", work / "typecheck.sh")
    at = swift.work_path
    return swift.run("sh", f"{at}/typecheck.sh", swift.source_path, f"{at}/stubs", f"{at}/out", only, check=False)


@pytest.fixture(scope="module")
def work() -> Path:
    return build_folder("typecheck")


@pytest.fixture(scope="module")
def checked(work: Path) -> Completed:
    """All modules, as they are."""
    with FileLock(work / "lock", timeout=900):
        return typecheck(find_ios_sources(), work)


def test_all_sources_are_right(checked: Completed) -> None:
    """The SDK, also as on a Mac, the ExecuTorch engine and the app compile without an error or a warning, strict concurrency included."""
    said = checked.stdout + checked.stderr
    assert checked.returncode == 0, said[-4000:]
    for name in ("EdgebundleCore", "Edgebundle", "EdgebundleExecuTorch", "App"):
        assert f"{name} is right" in said
    assert "Edgebundle is right on a Mac" in said
    assert "warning:" not in said, said


@pytest.mark.parametrize(
    ("module", "file", "right", "wrong"),
    [
        (
            "Edgebundle",
            "edgebundle/Sources/Edgebundle/CompiledModels.swift",
            "MLModel.compileModel(at:",
            "MLModel.compile(at:",
        ),
        (
            "Edgebundle",
            "edgebundle/Sources/Edgebundle/DeviceRecord.swift",
            "device.batteryLevel",
            "device.batteryCharge",
        ),
        ("App", "app/App/StudioView.swift", ".navigationTitle(", ".navigationHeading("),
        (
            "EdgebundleExecuTorch",
            "executorch/Sources/EdgebundleExecuTorch/ExecuTorchEngine.swift",
            "module.forward(",
            "module.foward(",
        ),
    ],
    ids=["Core ML", "UIKit", "SwiftUI", "ExecuTorch"],
)
def test_a_misspelt_api_fails(
    module: str, file: str, right: str, wrong: str, work: Path, checked: Completed, tmp_path: Path
) -> None:
    """One wrong name in Core ML, UIKit, SwiftUI or ExecuTorch code is an error that names it."""
    assert checked.returncode == 0
    shutil.copytree(find_ios_sources(), tmp_path / "ios")
    path = tmp_path / "ios" / file
    text = path.read_text(encoding="utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    with FileLock(work / "lock", timeout=900):
        done = typecheck(tmp_path / "ios", work, module)
    assert done.returncode != 0
    said = wrong.rstrip("(:").rpartition(".")[2].partition("(")[0]
    assert re.search(rf"error: .*{said}", done.stdout + done.stderr), done.stderr[-2000:]


SNIPPET_USERS = {
    "main actor": "@MainActor final class Screen {{\n    let cgImage: CGImage\n    var shown: CGImage\n{members}\n    func use() async throws {{\n{snippet}\n"
    "        shown = image\n        _ = (cgImage, large)\n    }}\n}}",
    "actor": "actor Store {{\n    let cgImage: CGImage\n    var kept: CGImage\n{members}\n    func use() async throws {{\n{snippet}\n"
    "        kept = image\n        _ = (cgImage, large)\n    }}\n}}",
    "no actor": "struct Tool {{\n    let cgImage: CGImage\n{members}\n    func use() async throws -> sending CGImage {{\n{snippet}\n        _ = (cgImage, large)\n"
    "        return image\n    }}\n}}",
}


@pytest.mark.parametrize("user", SNIPPET_USERS)
def test_the_documented_snippet_compiles(user: str, work: Path, checked: Completed, tmp_path: Path) -> None:
    """The code of docs/ios.md compiles in the Swift 6 language mode, in a class of the main actor, in another actor and in none."""
    assert checked.returncode == 0
    text = (ROOT / "docs" / "ios.md").read_text(encoding="utf-8")
    found = re.search(r"## In an app\n```swift\n(.*?)```", text, re.DOTALL)
    assert found is not None
    lines = found[1].strip().splitlines()
    assert lines[0] == "import Edgebundle"
    members = "    let uiImage: UIImage\n    let vector: [Float]\n    let pixelBuffer: CVPixelBuffer\n    let time: Double\n    let input: URL\n    let output: URL\n    func show(_ frame: CVPixelBuffer) {}"
    imports = "import CoreGraphics\nimport CoreVideo\nimport Edgebundle\nimport UIKit\n"
    snippet = "\n".join(f"        {line}" for line in lines[1:])
    init = "" if user == "no actor" else _init("shown" if user == "main actor" else "kept")
    code = imports + SNIPPET_USERS[user].format(members=members + init, snippet=snippet)
    shutil.copytree(find_ios_sources(), tmp_path / "ios")
    shutil.rmtree(tmp_path / "ios" / "app" / "App")
    (tmp_path / "ios" / "app" / "App").mkdir()
    (tmp_path / "ios" / "app" / "App" / "Snippet.swift").write_text(code, encoding="utf-8")
    with FileLock(work / "lock", timeout=900):
        done = typecheck(tmp_path / "ios", work, "App")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-4000:]
    assert "error:" not in said, said


def _init(kept: str) -> str:
    given = "cgImage: CGImage, uiImage: UIImage, vector: [Float], pixelBuffer: CVPixelBuffer, time: Double, input: URL, output: URL"
    return (
        f"\n    init({given}) {{\n        (self.cgImage, {kept}) = (cgImage, cgImage)\n"
        "        (self.uiImage, self.vector, self.pixelBuffer, self.time) = (uiImage, vector, pixelBuffer, time)\n"
        "        (self.input, self.output) = (input, output)\n    }"
    )


def test_stubs_state_their_origin() -> None:
    """Every stand-in is named by the modules that the sources import, and its README says where it comes from."""
    stubs = {path.stem for path in (ROOT / "tests" / "ios" / "stubs").glob("*.swift")}
    imported = {
        name
        for path in find_ios_sources().rglob("Sources/**/*.swift")
        for name in re.findall(r"^\s*(?:@\w+ )?import (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    } | {
        name
        for path in (find_ios_sources() / "app" / "App").glob("*.swift")
        for name in re.findall(r"^\s*(?:@\w+ )?import (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    real = {"Foundation", "FoundationNetworking"}  # Swift's own on Linux
    assert stubs == imported - real - {"Edgebundle", "EdgebundleCore", "EdgebundleExecuTorch"}
    assert "developer.apple.com" in (ROOT / "tests" / "ios" / "stubs" / "README.md").read_text(encoding="utf-8")
