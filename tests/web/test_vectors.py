"""The page's arithmetic in Node.js against the vectors that Python, Kotlin and Swift read too: equal bytes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from builder import process
from builder.targets.mobile import find_mobile_root
from builder.targets.web import node
from scripts.vectors.files import FOLDER
from tests.web.packages import install_node_modules

FILES = ("tiling.json", "pictures.json", "transparency.json", "sparse.json", "browsers.json", "labels.json")


def test_the_page_agrees_with_the_vectors(tmp_path: Path) -> None:
    """Tiles, pictures as tensors and back, and transparent pictures are those of the phones, byte for byte."""
    shutil.copytree(find_mobile_root() / "web" / "src", tmp_path / "src")
    (tmp_path / "test").mkdir()
    shutil.copyfile(Path(__file__).with_name("vectors.mjs"), tmp_path / "test" / "vectors.mjs")
    bundled = tmp_path / "vectors.mjs"
    words = [
        install_node_modules() / "esbuild" / "bin" / "esbuild", "test/vectors.mjs", "--bundle", "--platform=node", "--format=esm",
        f"--outfile={bundled}", "--log-level=warning",
    ]  # fmt: skip
    node.run("node", words, what="build the test", cwd=tmp_path, timeout_s=120)
    program = node.find("node")
    assert program is not None
    done = process.run([program, bundled, FOLDER], timeout_s=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {name: len(json.loads((FOLDER / name).read_text(encoding="utf-8"))["cases"]) for name in FILES}
    assert done.stdout.splitlines() == [f"{name}: {count}" for name, count in counts.items()]
